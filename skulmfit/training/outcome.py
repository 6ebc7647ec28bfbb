"""The outcome of a training, apart from the model."""

from dataclasses import dataclass, field
from typing import Any

from skulmfit.training.stages import Stage


@dataclass(frozen=True)
class Outcome:
    """How a model came to be.

    Parameters
    ----------
    stages : list of Stage
        The plan.
    history : list of dict
        A row for every epoch.
    interrupted : bool
        Whether the user ended the training.
    losses : list of float
        The loss of every update.
    """

    stages: list[Stage] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    losses: list[float] = field(default_factory=list)
