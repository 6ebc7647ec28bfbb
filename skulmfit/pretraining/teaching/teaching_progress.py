"""Progress of a teaching: a line now and then, fit for a log file, with held-out figures as they are taken."""

import time
from collections.abc import Callable
from datetime import timedelta

from skulmfit.pretraining.teaching.losses import PARTS
from skulmfit.pretraining.teaching.teaching_task import TeachingTask
from skulmfit.training.callback import Callback, TrainingRun

_FIRST_LINE, _LONGEST_SILENCE = 5.0, 60.0  # seconds
_FIRST_FIGURES = 60.0  # seconds before held-out figures are taken for the first time
_SHARE_OF_FIGURES = 1 / 30  # of the time that may go into them


class TeachingProgress(Callback):
    """Prints share done, each loss since the line before, speed and time left, and now and then held-out figures.

    Parameters
    ----------
    task : TeachingTask
    n_processes : int
    figures : callable
        Takes the held-out figures.
    """

    def __init__(self, task: TeachingTask, n_processes: int, figures: Callable[[], dict[str, float]]):
        self.task, self.n_processes, self.figures = task, n_processes, figures
        self._started = self._last = time.monotonic()
        self._next_line, self._next_figures = self._started + _FIRST_LINE, self._started + _FIRST_FIGURES
        self._n_pieces: int | None = None  # at the last line
        self._n_new = 0  # updates since then

    def on_update(self, run: TrainingRun) -> None:
        """Count an update; print a line if there has been none for a while."""
        if self._n_pieces is None:
            self._n_pieces, self._last = self.task.n_pieces, time.monotonic()
            self.task.sums.zero_()
            return
        self._n_new += 1
        if time.monotonic() < self._next_line:
            return
        self._print(run.update)
        if time.monotonic() >= self._next_figures:
            before = time.monotonic()
            print("held out: " + ", ".join(f"{name} {value}" for name, value in self.figures().items()), flush=True)
            self._last = time.monotonic()
            self._next_figures = self._last + max(_FIRST_FIGURES, (self._last - before) / _SHARE_OF_FIGURES)

    def _print(self, update: int) -> None:
        task = self.task
        losses = (task.sums / self._n_new).tolist()  # waits for a GPU: once a line
        now = time.monotonic()
        speed = self.n_processes * (task.n_pieces - (self._n_pieces or 0)) / (now - self._last)
        seconds = task.course.elapsed()
        left = timedelta(seconds=round(seconds * (1 - task.course.share) / max(task.course.share, 1e-9)))
        print(
            f"update {update:,}, {task.course.share:.1%}, "
            + ", ".join(f"{name} {value:.3f}" for name, value in zip(PARTS, losses))
            + f", {task.n_pieces * self.n_processes / 1e6:,.1f} million pieces, {speed:,.0f} a second, {left} left",
            flush=True,
        )
        task.sums.zero_()
        self._n_pieces, self._n_new, self._last = task.n_pieces, 0, now
        self._next_line = now + min(max(_FIRST_LINE, seconds / 20), _LONGEST_SILENCE)
