"""Progress of a training: a tqdm bar where tqdm is installed, else a line now and then."""

import math
import sys
import time
from typing import Any

from skulmfit.training.callback import Callback, TrainingRun

_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_LOSSES = 5.0, 0.3

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None


class ProgressBar(Callback):
    """Shows each stage with its epoch, its loss and the time left.

    Parameters
    ----------
    verbose : int
        0 says nothing.
    """

    def __init__(self, verbose: int):
        self.verbose = verbose
        self._bar: Any = None
        self._begun_at = 0  # update at which this process has begun the stage
        self._started = self._shown = 0.0

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Begin a bar."""
        if not self.verbose:
            return
        self._started = self._shown = time.monotonic()
        self._begun_at = run.update
        if tqdm:
            options = {"total": run.n_updates, "initial": run.update, "unit": "update", "dynamic_ncols": True}
            self._bar = tqdm(desc=_title(run), **options)

    def on_update(self, run: TrainingRun) -> None:
        """Show that one more update is done."""
        if not self.verbose:
            return
        is_last, now = run.update == run.n_updates, time.monotonic()
        if self._bar is not None:
            if is_last or now - self._shown >= _SECONDS_BETWEEN_LOSSES:
                self._shown = now
                self._bar.set_postfix(epoch=_epoch(run), loss=f"{_loss(run):.3f}", refresh=False)
            self._bar.update()
        elif is_last or now - self._shown >= _SECONDS_BETWEEN_LINES:
            self._shown = now
            self._print(run)

    def on_train_end(self, run: TrainingRun) -> None:
        """Close the bar of a stage that was cut short."""
        self.on_stage_end(run)

    def on_stage_end(self, run: TrainingRun) -> None:
        """Close the bar."""
        if self._bar is not None:
            self._bar.close()

    def _print(self, run: TrainingRun) -> None:
        elapsed = self._shown - self._started
        left = elapsed / (run.update - self._begun_at) * (run.n_updates - run.update)
        report = f"epoch {_epoch(run)}, update {run.update}/{run.n_updates}, loss {_loss(run):.3f}"
        print(f"{_title(run)}: {report}, {elapsed:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)


def _loss(run: TrainingRun) -> float:
    """Loss of the last batch, which a GPU is waited for: not to be asked for at every update."""
    return run.last_loss.item()


def _title(run: TrainingRun) -> str:
    """Name of a stage, numbered if there are several."""
    return run.stage.name if len(run.plan) < 2 else f"{run.stage_index + 1}/{len(run.plan)} {run.stage.name}"


def _epoch(run: TrainingRun) -> str:
    """Which epoch of how many an update belongs to."""
    return f"{math.ceil(run.update * run.stage.epochs / run.n_updates)}/{run.stage.epochs}"
