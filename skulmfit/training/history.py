"""History: a row for every epoch."""

import time
from typing import Any

import torch
from torch import Tensor

from skulmfit.training.callback import Callback, TrainingRun


class History(Callback):
    """Collects a row for every epoch: stage, epoch, loss, what other callbacks have added, updates and seconds.

    It keeps the loss of every update too.
    """

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.losses: list[float] = []
        self._unread: list[Tensor] = []  # losses, still on the device
        self._seconds = 0.0  # of the epoch under way, before a resumption
        self._started = time.perf_counter()

    def on_epoch_begin(self, run: TrainingRun) -> None:
        """Start the clock."""
        self._started, self._seconds = time.perf_counter() - self._seconds, 0.0

    def on_update(self, run: TrainingRun) -> None:
        """Keep the loss, which is not read yet: that would wait for the device."""
        self._unread.append(run.last_loss)

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """Keep the row."""
        seconds = round(time.perf_counter() - self._started, 3)
        self.rows.append(run.row | {"updates": run.n_done, "seconds": seconds})
        self._read_losses()
        return False

    def on_train_end(self, run: TrainingRun) -> None:
        """Read the losses of an epoch that was cut short."""
        self._read_losses()

    def _read_losses(self) -> None:
        if self._unread:
            self.losses += torch.stack(self._unread).tolist()
            self._unread = []

    def state(self) -> dict[str, Any]:
        """The rows and losses, and the seconds of the epoch under way."""
        self._read_losses()
        return {"rows": self.rows, "losses": self.losses, "seconds": time.perf_counter() - self._started}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on after the saved rows."""
        self.rows[:], self.losses[:], self._seconds = state["rows"], state["losses"], state["seconds"]
