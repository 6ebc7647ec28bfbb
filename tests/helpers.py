"""Small texts, and the sizes of small models: what most tests are made of."""

import math
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np

from skulmfit import CLASSIFIER_RECIPES, LANGUAGE_MODEL_RECIPES, LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.training.schedules import SlantedTriangular

TEXTS = [
    "A fine film with fine acting.",
    "A dull film, and dull acting too!",
    "The BEST story I have seen in years; I laughed and laughed.",
    "Boring, boring, boring story... I left.",
    "Fine music",
    "What a dull evening it was, with nothing to see and nothing to hear, and no end in sight at all.",
] * 4
LABELS = ["good", "bad", "good", "bad", "good", "bad"] * 4
NUMBERS = np.array([4.5, 1.0, 5.0, 2.0, 3.5, 1.5] * 4)

TINY = {"pretrained": None, "vocab_size": 320, "embedding_dim": 8, "hidden_dim": 12, "n_layers": 2}


def small_lm(**changes):
    """A language model that takes no time."""
    return LMFineTuner(**TINY | {"epochs": 1} | changes)


def small_classifier(lm=None, **changes):
    """A classifier that takes no time."""
    return ULMFiTClassifier(lm or small_lm(), **{"epochs": 1, "random_state": 0} | changes)


def small_regressor(lm=None, **changes):
    """A regressor that takes no time."""
    return ULMFiTRegressor(lm or small_lm(), **{"epochs": 1, "random_state": 0} | changes)


class Breaking(SlantedTriangular):
    """A schedule that breaks off the training at an update, as Ctrl-C or a kill would."""

    updates_left: ClassVar[float] = math.inf
    error: ClassVar[type[BaseException]] = KeyboardInterrupt

    def rate(self, update, n_updates):
        Breaking.updates_left -= 1
        if Breaking.updates_left == 0:
            raise Breaking.error
        return super().rate(update, n_updates)


class Killed(BaseException):
    """What nothing catches."""


LM_RECIPE, RECIPE = (
    replace(named["skulmfit"], schedule=Breaking()) for named in (LANGUAGE_MODEL_RECIPES, CLASSIFIER_RECIPES)
)


@contextmanager
def broken_off(at, error=KeyboardInterrupt):
    """Break off the training of `LM_RECIPE` or `RECIPE` at an update from now."""
    Breaking.updates_left, Breaking.error = at, error
    try:
        yield
    finally:
        Breaking.updates_left = math.inf
