"""Small fitted estimators, made once per process."""

import os
from pathlib import Path

import pytest
import torch
from helpers import LABELS, TEXTS, TINY

from skulmfit import LMFineTuner, ULMFiTClassifier

if "PYTEST_XDIST_WORKER" in os.environ:  # the workers share the cores
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_lm():
    return LMFineTuner(**TINY, epochs=2, random_state=0).fit(TEXTS)


@pytest.fixture(scope="session")
def tiny_classifier():
    lm = LMFineTuner(**TINY, epochs=2)
    return ULMFiTClassifier(lm, epochs=20, dropout_multiplier=0.0, learning_rate=0.02, random_state=0).fit(
        TEXTS, LABELS
    )


@pytest.fixture(scope="session")
def data_folder():
    folder = Path(os.environ.get("SKULMFIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("the corpora are not here; set SKULMFIT_DATA to their folder")
    return folder
