"""Makes the files of `tests/data` that later versions must go on reading: `python tests/golden.py`, once a format.

Each is an estimator, with what it predicted when it was saved.
"""

import json
from pathlib import Path

import numpy as np
from helpers import LABELS, TEXTS, TINY

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

FOLDER = Path(__file__).parent / "data"
GOLDEN_TEXTS = ["A fine film, with fine music.", "Dull!", "", "Nothing to see: boring, boring story"]
OUTPUTS = {"LMFineTuner": "transform", "ULMFiTClassifier": "predict_proba", "ULMFiTRegressor": "predict"}


def output(estimator):
    """What a golden estimator makes of the golden texts."""
    return getattr(estimator, OUTPUTS[type(estimator).__name__])(GOLDEN_TEXTS)


def main():
    """Fit, save, and write down the outputs."""
    sizes = TINY | {"vocab_size": 300}
    lm = LMFineTuner(**sizes, epochs=2, random_state=0)
    options = {"epochs": 5, "random_state": 0}
    estimators = {
        "lm": LMFineTuner(**sizes, epochs=2, pooling="mean", random_state=0).fit(TEXTS),
        "classifier": ULMFiTClassifier(lm, **options).fit(TEXTS, LABELS),
        "regressor": ULMFiTRegressor(LMFineTuner(**sizes, architecture="qrnn"), **options).fit(TEXTS, np.arange(24.0)),
        "directions": ULMFiTClassifier(LMFineTuner(**sizes, direction="both"), **options).fit(TEXTS, LABELS),
    }
    FOLDER.mkdir(exist_ok=True)
    for name, estimator in estimators.items():
        estimator.save(FOLDER / f"{name}-1.npz")
        values = np.round(output(estimator).astype(float), 6).tolist()
        (FOLDER / f"{name}-1.json").write_text(
            json.dumps(values, indent=0)
            .replace(",\n", ", ")
            .replace("[\n", "[")
            .replace("\n]", "]")
            .replace("], [", "],\n[")
            + "\n"
        )


if __name__ == "__main__":
    main()
