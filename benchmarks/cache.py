"""What `memory=` saves in a grid search over the head: seconds without and with it, side by side.

    python benchmarks/cache.py TRAIN.csv --texts 200

TRAIN.csv has the columns text and label. Three candidates, three folds and the last fit: 10 classifiers. The searches
run one after the other in one process; the last one finds everything in the cache.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from sklearn.model_selection import GridSearchCV

from skulmfit import LMFineTuner, ULMFiTClassifier


def main():
    """Run the searches and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("csv", type=Path)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--pretrained", default="en")
    options = parser.parse_args()
    data = pd.read_csv(options.csv).sample(options.texts, random_state=0)
    print(f"{torch.get_num_threads()} threads, {options.texts} texts, {torch.__version__}\n")
    print("| | seconds | share | language models | best score |", "|---|---|---|---|---|", sep="\n", flush=True)
    baseline = None
    with tempfile.TemporaryDirectory() as folder:
        for name, memory in (("without `memory`", None), ("with", folder), ("the same again", folder)):
            n_before = n_language_models(folder)
            classifier = ULMFiTClassifier(LMFineTuner(options.pretrained), memory=memory, random_state=0)
            search = GridSearchCV(classifier, {"hidden_dim": [25, 50, 100]}, cv=3)
            started = time.perf_counter()
            search.fit(data["text"], data["label"])
            seconds = time.perf_counter() - started
            baseline = baseline or seconds
            n_fitted = n_language_models(folder) - n_before if memory else 10
            row = (name, f"{seconds:.0f}", f"{seconds / baseline:.2f}", n_fitted, f"{search.best_score_:.4f}")
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


def n_language_models(folder):
    """How many fine-tuned language models a cache holds."""
    return len(list(Path(folder).glob("joblib/skulmfit/estimators/caching/_fit/*/output.pkl")))


if __name__ == "__main__":
    main()
