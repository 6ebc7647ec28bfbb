"""Accuracy with few and with all labels: ULMFiTClassifier with default parameters beside TF-IDF + logistic regression.

    python docs/benchmarks/accuracy.py --sets trec6 mr --sizes 100 500 all --draws 3

Reads the labelled sets from the folder in SKULMFIT_DATA (default ../shared/data). Draw `d` takes the first documents of
`numpy.random.default_rng(d).permutation(n_train)`, the same ones for every method, and is the classifier's
`random_state`. With --results FILE finished fits are kept, and a second run continues. With --tuning the test set
is not touched: draw `d` takes the permutation of seed 100 + d, and its last 1,000 texts are what is tested on.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skulmfit import LMFineTuner, ULMFiTClassifier


def tfidf(draw):
    """The baseline of the data's README."""
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    )


def main():
    """Fit what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["trec6", "mr"])
    parser.add_argument("--sizes", nargs="+", default=["100", "500", "all"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, help="JSON lines of finished fits")
    parser.add_argument("--methods", nargs="+", default=["tfidf", "ulmfit"], choices=["tfidf", "features", "ulmfit"])
    parser.add_argument("--tuning", action="store_true", help="test on a part of the training set")
    parser.add_argument("--pretrained", default="en")
    parser.add_argument("--set-params", default="{}", help="JSON of parameters of ULMFiTClassifier, lm__ included")
    options = parser.parse_args()

    def features(draw):
        scaled = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        return make_pipeline(LMFineTuner(options.pretrained, epochs=0), scaled)

    def ulmfit(draw):
        lm = LMFineTuner(options.pretrained)
        return ULMFiTClassifier(lm, random_state=draw).set_params(**json.loads(options.set_params))

    methods = [method for method in (tfidf, features, ulmfit) if method.__name__ in options.methods]
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if _exists(options.results) else []
    done = {(row["set"], row["size"], row["method"], row["draw"]) for row in rows}
    for name in options.sets:
        for size in options.sizes:
            for draw in range(options.draws):
                train, test = draw_texts(name, draw, tuning=options.tuning)
                chosen = train.iloc[: len(train) if size == "all" else int(size)]
                for method in methods:
                    if (name, size, method.__name__, draw) in done:
                        continue
                    started = time.perf_counter()
                    model = method(draw).fit(chosen["text"], chosen["label"])
                    accuracy = 100 * model.score(test["text"], test["label"])
                    rows.append({
                        "set": name, "size": size, "method": method.__name__, "draw": draw,
                        "accuracy": round(accuracy, 2), "seconds": round(time.perf_counter() - started, 1),
                    })  # fmt: skip
                    print(rows[-1], flush=True)
                    if options.results:
                        with open(options.results, "a") as file:
                            file.write(json.dumps(rows[-1]) + "\n")
    table = pd.DataFrame(rows).groupby(["set", "size", "method"])[["accuracy", "seconds"]].agg(["mean", "std"])
    print(table.round(1).to_string())


def draw_texts(name, draw, *, tuning):
    """A set's training texts in the order of a draw, and what to test on."""
    train, test = read_set(name)
    train = train.iloc[np.random.default_rng(100 + draw if tuning else draw).permutation(len(train))]
    return (train.iloc[:-1000], train.iloc[-1000:]) if tuning else (train, test)


def read_set(name):
    """Training and test frame of a labelled set."""
    folder = Path(os.environ.get("SKULMFIT_DATA", "../shared/data")) / "sets" / name
    return [pd.read_csv(next(folder.glob(f"{part}.csv.*")), keep_default_na=False) for part in ("train", "test")]


def _exists(path):
    return path is not None and path.exists()


if __name__ == "__main__":
    main()
