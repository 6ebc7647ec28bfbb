"""Progress of long work: a tqdm bar where tqdm is installed, else a line now and then."""

import math
import sys
import time
from collections.abc import Iterable, Sequence

from torch import Tensor

from skulmfit.training.stages import Stage

_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_LOSSES = 5.0, 0.3

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None


def progress_bar(items: Sequence, description: str, verbose: int) -> Iterable:
    """The items, with a bar on the way through them if there is more than one, tqdm is installed and `verbose`."""
    if not verbose or tqdm is None or len(items) < 2:
        return items
    return tqdm(items, desc=description, unit="batch", dynamic_ncols=True)


class Progress:
    """Reports the updates of one stage after another.

    Parameters
    ----------
    verbose : int
        0 says nothing, 1 shows each stage with its epoch, loss and the time left.
    stages : sequence of Stage
        The plan, so that a stage can be numbered.
    """

    def __init__(self, verbose: int, stages: Sequence[Stage]):
        self.verbose, self.stages = verbose, list(stages)
        self._stage: Stage | None = None
        self._bar = None
        self._started = self._shown = 0.0

    def on_step(self, stage: Stage, step: int, n_steps: int, loss: Tensor) -> None:
        """Show that one more update is done."""
        if not self.verbose:
            return
        if stage is not self._stage:
            self._begin(stage, n_steps)
        if self._bar is not None:
            if step == n_steps or time.monotonic() - self._shown >= _SECONDS_BETWEEN_LOSSES:
                self._shown = time.monotonic()
                epoch, shown = _epoch(stage, step, n_steps), f"{loss.item():.3f}"  # waits for a GPU: not every update
                self._bar.set_postfix(epoch=epoch, loss=shown, refresh=False)
            self._bar.update()
            if step == n_steps:
                self._bar.close()
        elif step == n_steps or time.monotonic() - self._shown >= _SECONDS_BETWEEN_LINES:
            self._print(stage, step, n_steps, loss.item())

    def close(self) -> None:
        """End the bar of a stage that stopped early."""
        if self._bar is not None:
            self._bar.close()

    def _begin(self, stage: Stage, n_steps: int) -> None:
        self.close()
        self._stage, self._started, self._shown = stage, time.monotonic(), time.monotonic()
        self._bar = tqdm(total=n_steps, desc=self._title(stage), unit="update", dynamic_ncols=True) if tqdm else None

    def _print(self, stage: Stage, step: int, n_steps: int, loss: float) -> None:
        self._shown = time.monotonic()
        elapsed = self._shown - self._started
        left = elapsed / step * (n_steps - step)
        report = f"epoch {_epoch(stage, step, n_steps)}, update {step}/{n_steps}, loss {loss:.3f}"
        print(f"{self._title(stage)}: {report}, {elapsed:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)

    def _title(self, stage: Stage) -> str:
        """Name of a stage, numbered if there are several."""
        if len(self.stages) < 2:
            return stage.name
        return f"{self.stages.index(stage) + 1}/{len(self.stages)} {stage.name}"


def _epoch(stage: Stage, step: int, n_steps: int) -> str:
    """Which epoch of how many an update belongs to."""
    return f"{math.ceil(step * stage.epochs / n_steps)}/{stage.epochs}"
