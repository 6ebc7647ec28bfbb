"""Another language, several labels a text, numbers as targets: each through the public API, beside TF-IDF.

    python docs/benchmarks/targets.py german labels numbers

- german: GermEval 2018, offensive or other; macro F1. There is no German language model here: one is trained from
  nothing on the training texts, and the English one is moved onto a vocabulary of them.
- labels: GoEmotions, 28 emotions, several a text; micro and macro F1 at a probability of 0.5. --most texts of it.
- numbers: mean rating in [-4, 4] of snippets of reviews (VADER); R squared and mean absolute error.

TF-IDF takes 1-2 grams, sublinear, with logistic regression (C=10, one for each label) or ridge regression. Reads the
sets from the folder in SKULMFIT_DATA (default ../shared/data).
"""

import argparse
import time

import numpy as np
import torch
from accuracy import read_set
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, mean_absolute_error, r2_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

LOGISTIC = LogisticRegression(C=10, max_iter=1000)


def tfidf(last):
    """1-2 grams, then an estimator."""
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), last)


def german(options):
    """Which tweets are offensive."""
    train, test = read_set("germeval2018_de")
    methods = {
        "TF-IDF": tfidf(LOGISTIC),
        "ULMFiT, language model from nothing": classifier(options, LMFineTuner(None, vocab_size=4_000, epochs=10)),
        "ULMFiT, English model on a German vocabulary": classifier(
            options, LMFineTuner(options.pretrained, tokenizer="train", vocab_size=8_000)
        ),
    }
    scores = {"macro F1": lambda y, predicted: f1_score(y, predicted, average="macro")}
    report(methods, scores, train["text"], train["label"], test["text"], test["label"], options)


def labels(options):
    """Which emotions a comment shows."""
    train, test = read_set("goemotions")
    train = train.iloc[np.random.default_rng(0).permutation(len(train))[: options.most]]
    binarizer = MultiLabelBinarizer().fit(test["labels"].str.split("|"))
    y, y_test = (binarizer.transform(part["labels"].str.split("|")) for part in (train, test))
    methods = {"TF-IDF": tfidf(OneVsRestClassifier(LOGISTIC)), "ULMFiT": classifier(options)}
    scores = {
        name: lambda y, predicted, name=name: f1_score(y, predicted, average=name, zero_division=0)
        for name in ("micro", "macro")
    }
    report(methods, scores, train["text"], y, test["text"], y_test, options)


def numbers(options):
    """How good a snippet of a review is, on the whole."""
    train, test = read_set("vader_amazonReviewSnippets")
    lm = LMFineTuner(options.pretrained)
    methods = {"TF-IDF": tfidf(Ridge()), "ULMFiT": ULMFiTRegressor(lm, random_state=options.seed, verbose=1)}
    scores = {"R squared": r2_score, "mean absolute error": mean_absolute_error}
    report(methods, scores, train["text"], train["label"], test["text"], test["label"], options)


def classifier(options, lm=None):
    """ULMFiT with default parameters."""
    return ULMFiTClassifier(lm or LMFineTuner(options.pretrained), random_state=options.seed, verbose=1)


def report(methods, scores, X, y, X_test, y_test, options):
    """Fit every method and print its row."""
    print(f"\n{len(X):,} texts to train on, {len(X_test):,} to test on, {torch.get_num_threads()} threads\n")
    print(f"| | {' | '.join(scores)} | seconds |", "|---" * (len(scores) + 2) + "|", sep="\n", flush=True)
    for name, model in methods.items():
        started = time.perf_counter()
        predicted = model.fit(X, y).predict(X_test)
        figures = " | ".join(f"{score(y_test, predicted):.3f}" for score in scores.values())
        print(f"| {name} | {figures} | {time.perf_counter() - started:.0f} |", flush=True)


def main():
    """Run the tasks that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+", choices=["german", "labels", "numbers"])
    parser.add_argument("--pretrained", default="en")
    parser.add_argument("--most", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for task in options.tasks:
        {"german": german, "labels": labels, "numbers": numbers}[task](options)


if __name__ == "__main__":
    main()
