"""Stages: which layers train when, and how fast. Plain data and pure functions."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skulmfit.tables import as_html, short
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

    def __repr__(self) -> str:
        epochs = "1 epoch" if self.epochs == 1 else f"{self.epochs} epochs"
        return f"<Stage {self.name!r}: {epochs}, learning rate {self._rates()}>"

    def _rates(self) -> str:
        """The lowest and the highest rate."""
        lowest, highest = (short(choose(self.learning_rates.values())) for choose in (min, max))
        return highest if lowest == highest else f"{lowest} to {highest}"

    def row(self) -> dict[str, Any]:
        """The stage in a table."""
        return {
            "stage": self.name, "epochs": self.epochs, "learning rate": self._rates(),
            "trained": ", ".join(self.learning_rates),
        }  # fmt: skip

    def _repr_html_(self) -> str:
        rates = [{"layers": name, "learning rate": rate} for name, rate in self.learning_rates.items()]
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{as_html(rates)}"


def discriminative_rates(names: Sequence[str], learning_rate: float, decay: float) -> dict[str, float]:
    """Rate of each layer group, lowest first. The last gets `learning_rate`, each one below it `decay` times less.

    Howard & Ruder 2018, section 3.2.

    Examples
    --------
    >>> discriminative_rates(["lstm0", "lstm1", "head"], 0.01, decay=2)
    {'lstm0': 0.0025, 'lstm1': 0.005, 'head': 0.01}
    """
    return {name: learning_rate / decay ** (len(names) - 1 - index) for index, name in enumerate(names)}
