"""History: a row for every epoch."""

import time
from typing import Any

from skulmfit.training.callback import Callback, TrainingRun


class History(Callback):
    """Collects a row for every epoch: stage, epoch, loss, what other callbacks have added, and seconds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._seconds = 0.0  # of the epoch under way, before a resumption
        self._started = time.perf_counter()

    def on_epoch_begin(self, run: TrainingRun) -> None:
        """Start the clock."""
        self._started, self._seconds = time.perf_counter() - self._seconds, 0.0

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """Keep the row."""
        self.rows.append(run.row | {"seconds": round(time.perf_counter() - self._started, 3)})
        return False

    def state(self) -> dict[str, Any]:
        """The rows, and the seconds of the epoch under way."""
        return {"rows": self.rows, "seconds": time.perf_counter() - self._started}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on after the saved rows."""
        self.rows[:], self._seconds = state["rows"], state["seconds"]
