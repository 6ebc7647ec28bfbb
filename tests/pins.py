"""Outputs of small estimators, every parameter written out, which a change of structure must not move.

`python tests/pins.py` writes them anew: only where a change of the method is what is wanted.
"""

import json
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from helpers import LABELS, TEXTS
from sklearn.frozen import FrozenEstimator

from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier, ULMFiTRegressor

PATH = Path(__file__).parent / "data" / "pins.json"
NEW_TEXTS = ["A fine film, with fine music.", "Dull!", "", "Nothing to see: boring, boring story"]
INDICATORS = np.array([[label == "good", len(text) > 30, True] for text, label in zip(TEXTS, LABELS)], dtype=int)
NUMBERS = np.array([4.5, 1.0, 5.0, 2.0, 3.5, 1.5] * 4)

LANGUAGE_MODEL = {
    "pretrained": None, "tokenizer": None, "direction": "forward", "recipe": "skulmfit", "epochs": 2,
    "learning_rate": 4e-3, "lr_decay": 2.6, "batch_size": 8, "bptt": 20, "dropout_multiplier": 0.5,
    "weight_decay": 0.01, "early_stopping": False, "validation_fraction": 0.25, "n_iter_no_change": 2,
    "pooling": "concat", "vocab_size": 320, "architecture": "lstm", "embedding_dim": 8, "hidden_dim": 12, "n_layers": 2,
    "device": "cpu", "random_state": 0, "verbose": 0,
}  # fmt: skip
WITH_THE_PAPERS_HEAD = replace(CLASSIFIER_RECIPES["skulmfit"], features=None)
HEAD = {
    "recipe": WITH_THE_PAPERS_HEAD, "epochs": 3, "learning_rate": 0.01, "lr_decay": 1.6, "batch_size": 8,
    "gradual_unfreezing": False, "dropout_multiplier": 0.2, "weight_decay": 0.01, "hidden_dim": 7,
    "early_stopping": False, "validation_fraction": 0.25, "n_iter_no_change": 2, "memory": None, "device": "cpu",
    "random_state": 0, "verbose": 0,
}  # fmt: skip
LABELLED = HEAD | {"label_smoothing": 0.0, "class_weight": None}


def language_model(**changes):
    return LMFineTuner(**LANGUAGE_MODEL | changes)


def classifier(lm=None, **changes):
    return ULMFiTClassifier(lm or language_model(), **LABELLED | changes)


def regressor(lm=None, **changes):
    return ULMFiTRegressor(lm or language_model(), **HEAD | changes)


def own_vocabulary():
    with tempfile.TemporaryDirectory() as folder:
        language_model().fit(TEXTS).language_model().save(f"{folder}/lm.npz")
        return language_model(pretrained=f"{folder}/lm.npz", tokenizer="train", vocab_size=300).fit(TEXTS)


BOTH = {"direction": "both"}
CASES = {
    "language model": lambda: language_model().fit(TEXTS),
    "backward QRNN, means": lambda: language_model(direction="backward", architecture="qrnn", pooling="mean").fit(
        TEXTS
    ),
    "both directions, watched": lambda: language_model(**BOTH, early_stopping=True, recipe="fastai").fit(TEXTS),
    "words": lambda: language_model(tokenizer=str.split, recipe="paper").fit(TEXTS, X_val=NEW_TEXTS),
    "own vocabulary": own_vocabulary,
    "labels": lambda: classifier(gradual_unfreezing=True).fit(TEXTS, LABELS),
    "three weighted labels": lambda: classifier(class_weight="balanced", label_smoothing=0.1, recipe="multifit").fit(
        TEXTS, np.arange(24) % 3, sample_weight=np.arange(24.0)
    ),
    "labels of both directions": lambda: classifier(language_model(**BOTH)).fit(TEXTS, LABELS),
    "watched labels": lambda: classifier(early_stopping=True, epochs=6, recipe="fastai").fit(TEXTS, LABELS),
    "indicators": lambda: classifier(class_weight="balanced", recipe="paper").fit(
        TEXTS, INDICATORS, X_val=NEW_TEXTS, y_val=INDICATORS[:4]
    ),
    "indicators of both directions": lambda: classifier(language_model(**BOTH), class_weight={1: 3.0}).fit(
        TEXTS, INDICATORS
    ),
    "numbers": lambda: regressor(early_stopping=True).fit(TEXTS, NUMBERS, sample_weight=NUMBERS),
    "pairs of numbers of both directions": lambda: regressor(language_model(**BOTH)).fit(
        TEXTS, np.column_stack([NUMBERS, -10 * NUMBERS])
    ),
    "frozen": lambda: classifier(FrozenEstimator(language_model(**BOTH, random_state=3).fit(TEXTS))).fit(TEXTS, LABELS),
}


@contextmanager
def one_way_to_compute():
    """One thread, and float32 also where the processor has bfloat16."""
    n_threads, torch_cpu = torch.get_num_threads(), "torch.cpu"
    torch.set_num_threads(1)
    try:
        with (
            patch(f"{torch_cpu}._is_avx512_bf16_supported", return_value=False, create=True),
            patch(f"{torch_cpu}._is_amx_tile_supported", return_value=False, create=True),
        ):
            yield
    finally:
        torch.set_num_threads(n_threads)


def outputs(estimator):
    """Everything that a fitted estimator says, as JSON."""
    said = {
        "transform": estimator.transform(NEW_TEXTS)[:2, ::3],
        "names": estimator.get_feature_names_out()[::10],
        "loss": [row["loss"] for row in estimator.history_],
        "validation_loss": [row["validation_loss"] for row in estimator.history_ if "validation_loss" in row],
        "rows": [f"{row.get('direction', '')} {row['stage']} {row['epoch']}" for row in estimator.history_],
        "stages": [[stage.name, stage.learning_rates, stage.epochs] for stage in estimator.stages_],
        "sizes": [estimator.vocab_size_, estimator.n_iter_],
        "vocab_transfer": getattr(estimator, "vocab_transfer_", None),
    }
    methods = ("predict", "predict_proba", "decision_function", "score_samples", "perplexity")
    said |= {name: getattr(estimator, name)(NEW_TEXTS) for name in methods if hasattr(estimator, name)}
    if hasattr(estimator, "generate") and estimator.direction != "backward":
        said["generate"] = estimator.generate("A fine", n_tokens=5, temperature=0)
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in said.items()}


if __name__ == "__main__":
    with one_way_to_compute():
        pinned = {name: outputs(case()) for name, case in CASES.items()}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in pinned.items()]
    PATH.write_text("{" + ",\n".join(lines) + "}\n")
