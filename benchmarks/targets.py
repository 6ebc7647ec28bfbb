"""Another language, several labels a text, numbers as targets: each through the public API, beside TF-IDF.

    python benchmarks/targets.py german labels numbers --sizes 100 500 --results benchmarks/results/more_targets.jsonl

- german: GermEval 2018, offensive or other; macro F1. There is no German language model here: one is trained from
  nothing on the training texts, and the English one is moved onto a vocabulary of them, or reads them as it is.
- labels: GoEmotions, 28 emotions, several a text; micro and macro F1 of `predict`, and the share of texts whose labels
  are all right. `ULMFiT, phrases` has a sentence for each emotion and texts without labels; it alone goes with size 0.
- numbers: mean rating in [-4, 4] of snippets of reviews (VADER); R squared and mean absolute error.

TF-IDF takes 1-2 grams, sublinear, with logistic regression (C=10, one for each label) or ridge regression. `features`
is such a regression as it comes on what `LMFineTuner(epochs=0)` gives, `en-lm` ULMFiT from that language model. Seed
`d` takes the first texts of `numpy.random.default_rng(d).permutation(n_train)` and is the `random_state`. Finished
fits are kept in the file of --results, and a second run continues. Reads the sets from the folder in SKULMFIT_DATA
(default ../shared/data).
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import read_set
from json_lines import JSONLines
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

LOGISTIC = LogisticRegression(C=10, max_iter=1000)
EMOTIONS = {  # a sentence each, written before any test text was scored with them
    "admiration": "This is amazing, great job!",
    "amusement": "Haha, that is so funny, lol.",
    "anger": "This makes me so angry, I hate it!",
    "annoyance": "This is so annoying, stop it.",
    "approval": "I agree, that is right and fine.",
    "caring": "Take care of yourself, I hope you feel better.",
    "confusion": "I don't understand, what does this mean?",
    "curiosity": "I wonder, how does that work?",
    "desire": "I really want this, I wish I had it.",
    "disappointment": "That is disappointing, I expected more.",
    "disapproval": "I disagree, this is not right.",
    "disgust": "That is disgusting, gross.",
    "embarrassment": "That is so embarrassing, I am ashamed.",
    "excitement": "I am so excited, I can't wait!",
    "fear": "I am scared, this is terrifying.",
    "gratitude": "Thank you so much!",
    "grief": "Rest in peace, I am sorry for your loss.",
    "joy": "I am so happy!",
    "love": "I love this so much.",
    "nervousness": "I am nervous and worried about it.",
    "optimism": "I hope it will get better.",
    "pride": "I am proud of you.",
    "realization": "Oh, I just realized that.",
    "relief": "What a relief, I am glad that it is over.",
    "remorse": "I am sorry, it was my fault.",
    "sadness": "I am so sad, I want to cry.",
    "surprise": "Wow, I did not expect that!",
    "neutral": "He went there and they did it yesterday.",
}
N_TEXTS = 1000  # that `phrases` reads, labelled or not


class WithPhrases(BaseEstimator):
    """ULMFiTClassifier with a sentence for each emotion, and texts without labels beside those that have some."""

    def __init__(self, unlabelled, random_state=None):
        self.unlabelled, self.random_state = unlabelled, random_state

    def fit(self, X, y):
        """Labelled texts, maybe none, and as many others as make N_TEXTS in all."""
        texts = [*X, *self.unlabelled[: max(0, N_TEXTS - len(X))]]
        labels = np.vstack([y, np.full((len(texts) - len(X), len(EMOTIONS)), -1)])
        phrases = dict(enumerate(EMOTIONS[name] for name in sorted(EMOTIONS)))
        self.model_ = ULMFiTClassifier(label_texts=phrases, random_state=self.random_state).fit(texts, labels)
        return self

    def predict(self, X):
        """Labels."""
        return self.model_.predict(X)


def tfidf(last):
    """1-2 grams, then an estimator."""
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), last)


def frozen(last):
    """What the language model of the package says of a text, then an estimator."""
    return make_pipeline(LMFineTuner(epochs=0), last)


def german():
    """Which tweets are offensive: methods, scores, texts and targets to train and to test on."""
    train, test = read_set("germeval2018_de")
    methods = {
        "TF-IDF": tfidf(LOGISTIC),
        "ULMFiT, language model from nothing": ULMFiTClassifier(LMFineTuner(None, vocab_size=4_000, epochs=10)),
        "ULMFiT, English model on a German vocabulary": ULMFiTClassifier(
            LMFineTuner(tokenizer="train", vocab_size=8_000)
        ),
        "features": frozen(LogisticRegression(max_iter=1000)),
        "ULMFiT": ULMFiTClassifier(),
        "ULMFiT, en-lm": ULMFiTClassifier(LMFineTuner("en-lm")),
    }
    scores = {"macro F1": partial(f1_score, average="macro")}
    return methods, scores, (train["text"], train["label"]), (test["text"], test["label"])


def labels():
    """Which emotions a comment shows."""
    train, test = read_set("goemotions")
    binarizer = MultiLabelBinarizer().fit(train["labels"].str.split("|"))
    methods = {
        "TF-IDF": tfidf(OneVsRestClassifier(LOGISTIC)),
        "features": frozen(OneVsRestClassifier(LogisticRegression(max_iter=1000))),
        "ULMFiT": ULMFiTClassifier(),
        "ULMFiT, en-lm": ULMFiTClassifier(LMFineTuner("en-lm")),
        "ULMFiT, phrases": WithPhrases(train["text"].tolist()[-N_TEXTS:]),
    }
    scores = {f"{name} F1": partial(f1_score, average=name, zero_division=0) for name in ("micro", "macro")}
    scores["exact"] = accuracy_score
    y, y_test = (binarizer.transform(part["labels"].str.split("|")) for part in (train, test))
    return methods, scores, (train["text"], y), (test["text"], y_test)


def numbers():
    """How good a snippet of a review is, on the whole."""
    train, test = read_set("vader_amazonReviewSnippets")
    methods = {
        "TF-IDF": tfidf(Ridge()), "features": frozen(Ridge()), "ULMFiT": ULMFiTRegressor(),
        "ULMFiT, en-lm": ULMFiTRegressor(LMFineTuner("en-lm")),
    }  # fmt: skip
    scores = {"R squared": r2_score, "mean absolute error": mean_absolute_error}
    return methods, scores, (train["text"], train["label"]), (test["text"], test["label"])


TASKS = {"german": german, "labels": labels, "numbers": numbers}


def main():
    """Fit what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", choices=TASKS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[3_000], help="numbers of texts to train on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--methods", nargs="+", help="some of a task's; all of them if not given")
    parser.add_argument("--results", type=Path, required=True, help="JSON lines of finished fits")
    options = parser.parse_args()
    fits = JSONLines(options.results)
    for task in options.tasks:
        methods, scores, (X, y), (X_test, y_test) = TASKS[task]()
        X, y = np.asarray(X, dtype=object), np.asarray(y)
        for size in options.sizes:
            for seed in options.seeds:
                chosen = np.random.default_rng(seed).permutation(len(X))[:size]
                for method in options.methods or methods:
                    if not size and (method != "ULMFiT, phrases" or seed):  # without labels there are no draws
                        continue
                    row = {"task": task, "texts": len(chosen), "method": method, "seed": seed}
                    if not fits.has(**row):
                        predicted, seconds = predictions(methods[method], X[chosen], y[chosen], X_test, seed)
                        figures = {name: round(float(score(y_test, predicted)), 4) for name, score in scores.items()}
                        fits.append(row | {"seconds": seconds, "scores": figures})
        rows = [row for row in fits.rows if row["task"] == task]
        if rows:
            print_table(pd.DataFrame(rows))


def predictions(model, X, y, X_test, seed):
    """What a model predicts, and how many seconds that and its fit took."""
    started = time.perf_counter()
    if "random_state" in model.get_params():
        model.set_params(random_state=seed)
    predicted = model.fit(X, y).predict(X_test)
    return predicted, round(time.perf_counter() - started, 1)


def print_table(rows):
    """Mean and standard deviation over the seeds as Markdown, with the mean seconds."""
    scores = pd.DataFrame(rows["scores"].tolist(), index=rows.index)
    print(f"| task, texts, method | {' | '.join(scores)} | seconds |", "|---" * (scores.shape[1] + 2) + "|", sep="\n")
    for (task, texts, method), group in rows.groupby(["task", "texts", "method"], sort=False):
        of_group = scores.loc[group.index]
        spreads = ["" if np.isnan(std) else f" ± {std:.3f}" for std in of_group.std()]
        cells = [f"{mean:.3f}{spread}" for mean, spread in zip(of_group.mean(), spreads)]
        print(f"| {task}, {texts:,}, {method} | {' | '.join(cells)} | {group['seconds'].mean():.0f} |")


if __name__ == "__main__":
    main()
