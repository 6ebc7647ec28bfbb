"""Progress of a training: a tqdm bar where tqdm is installed, else a line that is written anew."""

import math
import sys
import time
import warnings
from typing import Any

from skulmfit.training.callback import Callback, TrainingRun
from skulmfit.training.projection import Projection, duration

_SECONDS_BETWEEN_LOSSES = 0.3
_SECONDS_BETWEEN_LINES = (5.0, 60.0)  # of a log file: at first, and later on

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # in a notebook without ipywidgets tqdm falls back to text
        from tqdm.auto import tqdm
except ImportError:
    tqdm = None


class ProgressBar(Callback):
    """Shows each stage with its epoch, its loss, and the time left of the whole fit.

    Parameters
    ----------
    verbose : int
        0 says nothing.
    projection : Projection
        Knows what is under way and how long it takes.
    """

    def __init__(self, verbose: int, projection: Projection):
        self.verbose, self.projection = verbose, projection
        self._bar: Any = None
        self._started = self._shown = self._next = 0.0
        self._width = 0  # of the line that stands there

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Begin a bar."""
        if not self.verbose:
            return
        self._started = self._shown = time.monotonic()
        self._next = self._started + _SECONDS_BETWEEN_LINES[0]
        if tqdm:
            options = {"total": run.n_updates, "initial": run.update, "unit": "update", "dynamic_ncols": True}
            self._bar = tqdm(desc=self.projection.title(run), **options)

    def on_update(self, run: TrainingRun) -> None:
        """Show that one more update is done."""
        if not self.verbose:
            return
        is_last, now = run.update == run.n_updates, time.monotonic()
        if self._bar is not None:
            if is_last or now - self._shown >= _SECONDS_BETWEEN_LOSSES:
                self._shown = now
                self._bar.set_postfix_str(f"epoch {_epoch(run)}, loss {_loss(run):.3f}{self._left(run)}", refresh=False)
            self._bar.update()
        elif _can_rewrite(sys.stderr):
            if is_last or now - self._shown >= _SECONDS_BETWEEN_LOSSES:
                self._shown = now
                self._rewrite(self._line(run, now))
        elif is_last or now >= self._next:
            first, last = _SECONDS_BETWEEN_LINES
            self._next = now + min(max(first, (now - self._started) / 5), last)
            print(self._line(run, now), file=sys.stderr, flush=True)

    def on_train_end(self, run: TrainingRun) -> None:
        """Close the bar of a stage that was cut short."""
        self.on_stage_end(run)

    def on_stage_end(self, run: TrainingRun) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._width:
            print(file=sys.stderr, flush=True)
            self._width = 0

    def _left(self, run: TrainingRun) -> str:
        left = self.projection.seconds_left(run)
        return "" if left is None else f", {duration(left)} left of all"

    def _line(self, run: TrainingRun, now: float) -> str:
        progress = f"epoch {_epoch(run)}, update {run.update}/{run.n_updates}, loss {_loss(run):.3f}"
        return f"{self.projection.title(run)}: {progress}, {duration(now - self._started)}{self._left(run)}"

    def _rewrite(self, line: str) -> None:
        """Write a line over the one that stands there."""
        print(f"\r{line.ljust(self._width)}", end="", file=sys.stderr, flush=True)
        self._width = len(line)


def _can_rewrite(stream: Any) -> bool:
    """Whether a line on a stream can be written over: on a terminal and in a notebook, not in a file."""
    return stream.isatty() or type(stream).__module__.startswith("ipykernel")


def _loss(run: TrainingRun) -> float:
    """Loss of the last batch. Reading it waits for a GPU, so not at every update."""
    return run.last_loss.item()


def _epoch(run: TrainingRun) -> str:
    """Which epoch of how many an update belongs to."""
    return f"{math.ceil(run.update * run.stage.epochs / run.n_updates)}/{run.stage.epochs}"
