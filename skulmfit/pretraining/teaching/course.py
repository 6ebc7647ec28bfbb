"""How far a run has come, and so its learning rate: by updates, or by the clock."""

import math
import time
from collections.abc import Callable


class Course:
    """How far a run has come, from 0 to 1, and the factor on its learning rate, which rises, stays and falls to 0.

    Parameters
    ----------
    updates : int
        Length of the run in updates; 0 to go by the clock.
    seconds : float
        Length of the run by the clock.
    warmup, cooldown : float
        Shares of the run in which the rate rises and falls.
    agree : callable
        From the seconds of this process's clock to those of the clock that counts for all processes.
    """

    def __init__(
        self, *, updates: int, seconds: float, warmup: float, cooldown: float,
        agree: Callable[[float], float] = lambda seconds: seconds,
    ):  # fmt: skip
        self.updates, self.seconds, self.warmup, self.cooldown, self.agree = updates, seconds, warmup, cooldown, agree
        self.share = 0.0  # of the run, before the last update
        self._before, self._started = 0.0, math.nan

    def rate(self, update: int) -> float:
        """Factor on the learning rate of an update, counted from 0, that is about to be made."""
        seconds = self.elapsed()
        self.share = update / self.updates if self.updates else min(self.agree(seconds) / self.seconds, 1.0)
        rising = self.share / self.warmup if self.warmup else 1.0
        falling = (1 - self.share) / self.cooldown if self.cooldown else 1.0
        return min(rising, 1.0, falling)

    def is_over(self, n_done: int) -> bool:
        """Whether the run ends after `n_done` updates."""
        return n_done >= self.updates if self.updates else self.share >= 1

    def elapsed(self) -> float:
        """Seconds since the start, those of a process before this one included."""
        if math.isnan(self._started):
            self._started = time.monotonic()
        return self._before + time.monotonic() - self._started

    def resume(self, seconds: float) -> None:
        """Go on from where another process was after so many seconds."""
        self._before, self._started = seconds, time.monotonic()
