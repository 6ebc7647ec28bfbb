"""Schedules of learning rate and momentum as pure functions of the number of the update."""

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Schedule(Protocol):
    """How rate and momentum change in the course of a stage."""

    def rate(self, update: int, n_updates: int) -> float:
        """Factor on the peak learning rate."""

    def momentum(self, update: int, n_updates: int) -> float | None:
        """Adam's first beta; None leaves the optimiser's own."""


@dataclass(frozen=True)
class SlantedTriangular:
    """A short linear rise of the rate, then a long linear fall; see `slanted_triangular`."""

    cut_frac: float = 0.1
    ratio: float = 32.0

    def rate(self, update: int, n_updates: int) -> float:
        """Factor on the peak learning rate."""
        return slanted_triangular(update, n_updates, cut_frac=self.cut_frac, ratio=self.ratio)

    def momentum(self, update: int, n_updates: int) -> float | None:
        """None: the optimiser keeps its own."""
        return None


@dataclass(frozen=True)
class OneCycle:
    """Rate up and down along cosines, momentum the other way round; see `one_cycle`."""

    rise: float = 0.25
    start_ratio: float = 25.0
    end_ratio: float = 1e5
    momenta: tuple[float, float] = (0.8, 0.7)  # at the ends and at the peak

    def rate(self, update: int, n_updates: int) -> float:
        """Factor on the peak learning rate."""
        return one_cycle(update, n_updates, self.rise, (1 / self.start_ratio, 1.0, 1 / self.end_ratio))

    def momentum(self, update: int, n_updates: int) -> float | None:
        """Adam's first beta."""
        ends, peak = self.momenta
        return one_cycle(update, n_updates, self.rise, (ends, peak, ends))


@dataclass(frozen=True)
class WarmupStableDecay:
    """A linear rise of the rate, a plateau, a linear fall. A run that only falls can end another one early."""

    warmup: float = 0.1  # shares of the updates
    cooldown: float = 0.9
    ratio: float = 32.0

    def rate(self, update: int, n_updates: int) -> float:
        """Factor on the peak learning rate."""
        shares = [1.0]
        if self.warmup:
            shares.append(update / (self.warmup * n_updates))
        if self.cooldown:
            shares.append((1 - update / n_updates) / self.cooldown)
        return (1 + min(shares) * (self.ratio - 1)) / self.ratio

    def momentum(self, update: int, n_updates: int) -> float | None:
        """None: the optimiser keeps its own."""
        return None


@dataclass(frozen=True)
class ExponentialRise:
    """The rate rises from a small share of its peak to the peak, by the same factor each update: a range test.

    L. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3; exponential as in fastai.
    """

    ratio: float = 1e6

    def rate(self, update: int, n_updates: int) -> float:
        """Factor on the peak learning rate."""
        return self.ratio ** (update / max(n_updates - 1, 1) - 1)

    def momentum(self, update: int, n_updates: int) -> float | None:
        """None: the optimiser keeps its own."""
        return None


def slanted_triangular(update: int, n_updates: int, *, cut_frac: float = 0.1, ratio: float = 32.0) -> float:
    """Factor on the peak learning rate: a short linear rise, then a long linear fall.

    Parameters
    ----------
    update : int
        Update about to be made, 0 to `n_updates - 1`.
    n_updates : int
        Number of updates of the whole schedule.
    cut_frac : float, default=0.1
        Share of the updates in which the rate rises. The peak falls on a whole update, at the latest the last one, and
        a schedule too short to rise starts at its peak.
    ratio : float, default=32.0
        How much smaller the lowest rate is than the peak.

    Returns
    -------
    float
        Between `1 / ratio` and 1.

    References
    ----------
    Howard & Ruder 2018, section 3.2, equation 3.

    Examples
    --------
    >>> [round(slanted_triangular(update, 10, cut_frac=0.2), 3) for update in range(10)]
    [0.031, 0.516, 1.0, 0.879, 0.758, 0.637, 0.516, 0.395, 0.273, 0.152]
    """
    cut = min(int(n_updates * cut_frac), n_updates - 1)
    if update < cut:
        share = update / cut
    elif cut == 0:
        share = 1 - update / n_updates
    else:
        share = 1 - (update - cut) / (cut * (1 / cut_frac - 1))
    return (1 + max(share, 0.0) * (ratio - 1)) / ratio


def one_cycle(update: int, n_updates: int, rise: float, values: tuple[float, float, float]) -> float:
    """Value that moves along half-cosines from the first of three values to the second, and on to the third.

    Parameters
    ----------
    update : int
        Update about to be made, 0 to `n_updates - 1`.
    n_updates : int
        Number of updates of the whole schedule.
    rise : float
        Share of the updates until the second value.
    values : tuple of 3 floats
        At the start, after the rise, and at the end.

    References
    ----------
    fastai 2.8, `fit_one_cycle`; L. Smith, "A disciplined approach to neural network hyper-parameters", 2018.

    Examples
    --------
    >>> [round(one_cycle(update, 8, 0.25, (0.04, 1.0, 0.0)), 3) for update in range(8)]
    [0.04, 0.52, 1.0, 0.933, 0.75, 0.5, 0.25, 0.067]
    """
    position = min(update / n_updates, 1.0)
    if position < rise:
        start, end, share = values[0], values[1], position / rise
    else:
        start, end, share = values[1], values[2], (position - rise) / (1 - rise)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
