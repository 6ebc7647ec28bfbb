"""Progress of a training of hours: a line now and then, fit for a log file."""

import time
from datetime import timedelta

from torch import Tensor

from skulmfit.training.callback import Callback, TrainingRun

_FIRST_LINE, _LONGEST_SILENCE = 5.0, 60.0  # seconds


class PretrainingProgress(Callback):
    """Prints share done, mean loss since the line before, speed and time left.

    Parameters
    ----------
    tokens_per_update : float
        Of all processes together.
    """

    def __init__(self, tokens_per_update: float):
        self.tokens_per_update = tokens_per_update
        self._n_new = 0  # updates since the last line
        self._n_here = 0  # updates since the start of this process
        self._sum: Tensor | float = 0.0

    def on_update(self, run: TrainingRun) -> None:
        """Count an update; print a line if there has been none for a while."""
        now = time.monotonic()
        if self._n_here == 0:
            self._started, self._next = now, now + _FIRST_LINE
        self._n_here += 1
        self._n_new += 1
        self._sum = self._sum + run.last_loss  # stays on the device: it is looked at once a line
        if now < self._next and run.update < run.n_updates:
            return
        elapsed = max(now - self._started, 1e-9)
        seconds_per_update = elapsed / max(self._n_here - 1, 1)
        left = timedelta(seconds=round((run.n_updates - run.update) * seconds_per_update))
        print(
            f"{run.stage.name}: update {run.update:,} of {run.n_updates:,}, loss {float(self._sum) / self._n_new:.3f}, "
            f"{self.tokens_per_update / seconds_per_update:,.0f} tokens/s, {left} left",
            flush=True,
        )
        self._n_new, self._sum = 0, 0.0
        self._next = now + min(max(_FIRST_LINE, elapsed / 10), _LONGEST_SILENCE)
