"""Stages: which layers train when, and how fast. Plain data and pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from skulmfit.training.schedules import Schedule, SlantedTriangular


@dataclass(frozen=True)
class Stage:
    """One run of a schedule over the data.

    Parameters
    ----------
    name : str
    learning_rates : dict of str to float
        Peak rate of each layer group that trains; groups that are not named are frozen.
    epochs : int
    schedule : Schedule
        How the rates rise and fall.
    """

    name: str
    learning_rates: dict[str, float]
    epochs: int
    schedule: Schedule = field(default_factory=SlantedTriangular)


def discriminative_rates(names: Sequence[str], learning_rate: float, decay: float) -> dict[str, float]:
    """Rate of each layer group, lowest first: the last gets `learning_rate`, each one below `decay` times less.

    Howard & Ruder 2018, section 3.2.

    Examples
    --------
    >>> discriminative_rates(["lstm0", "lstm1", "head"], 0.01, decay=2)
    {'lstm0': 0.0025, 'lstm1': 0.005, 'head': 0.01}
    """
    return {name: learning_rate / decay ** (len(names) - 1 - index) for index, name in enumerate(names)}
