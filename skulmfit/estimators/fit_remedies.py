"""What makes a long fit shorter, as far as it applies."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import torch
from sklearn.frozen import FrozenEstimator

from skulmfit.nn.runtime import Runtime
from skulmfit.training.projection import FitClock
from skulmfit.training.recipe import Recipe

_QUICK = "quick"


class Fitting(Protocol):
    """What must be known of the estimator."""

    recipe: str | Recipe
    device: str
    _named_recipes: Mapping[str, Recipe]


def new_clock(estimator: Fitting, titles: Mapping[str, str], head_passes: float = 0.0) -> FitClock:
    """The clock of a fit."""
    return FitClock(titles, head_passes, partial(remedies, estimator))


def remedies(estimator: Fitting) -> list[str]:
    """Remedies, the one that saves most first."""
    found = []
    if _QUICK in estimator._named_recipes and estimator.recipe != _QUICK:
        found.append(f'recipe="{_QUICK}".')
    lm: Any = getattr(estimator, "lm", estimator)
    if hasattr(estimator, "lm") and not isinstance(lm, FrozenEstimator):
        found.append(
            "Fine-tune the language model once, and use it for all fits: lm=FrozenEstimator(LMFineTuner().fit(texts)). "
            "LMFineTuner(epochs=0) takes it as it is."
        )
    if not isinstance(lm, FrozenEstimator):
        found.append("Fewer texts for the language model.")
    runtime = Runtime.resolve(estimator.device)
    if runtime.device.type == "cpu":
        has_gpu = torch.cuda.is_available()
        found.append('The GPU of this machine: device="auto".' if has_gpu else "A GPU, which this machine has not.")
        if _is_busy():
            found.append(
                f"Fewer threads: other programs keep this machine busy, and {torch.get_num_threads()} threads wait for "
                "each other. torch.set_num_threads(1) sets them."
            )
    return found


def _is_busy() -> bool:
    """Whether more wants to run than there are cores, and torch uses several threads."""
    has_load = hasattr(os, "getloadavg")  # not on Windows
    return has_load and torch.get_num_threads() > 1 and os.getloadavg()[0] > (os.cpu_count() or 1) + 1
