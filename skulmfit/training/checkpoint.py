"""Checkpoints of a training under way, from which it continues bit for bit."""

import math
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch

from skulmfit.models.writing import remove_remains, written_atomically
from skulmfit.training.callback import Callback, TrainingRun


class OutOfTime(Exception):
    """The time given to a training is used up; its state has been saved."""


@dataclass
class Checkpoint(Callback):
    """A file with the state of a training, renewed every few minutes. A training that finds it continues from it.

    It is written beside its place and then moved there. So a kill at any time leaves the old file or the new one.

    Parameters
    ----------
    path : path
    interval_seconds : float, default=120.0
        Time between two saves.
    identity : dict
        What the training depends on: a checkpoint of another one is refused.
    max_seconds : float, default=inf
        Time after which the training ends, its state saved.
    saves_end : bool, default=False
        Whether to save the end of the training too: one that finds it is over at once.
    """

    path: Path
    interval_seconds: float = 120.0
    identity: dict = field(default_factory=dict)
    max_seconds: float = math.inf
    saves_end: bool = False
    _started: float = field(default_factory=time.monotonic)
    _last_saved: float = field(default_factory=time.monotonic)

    def on_train_begin(self, run: TrainingRun) -> None:
        """Continue from the state last saved, if there is one."""
        state = self.load()
        if state is not None:
            run.restore(state)

    def on_pause(self, run: TrainingRun) -> None:
        """Save the state if the interval has passed, and for a last time when the time is used up.

        Raises
        ------
        OutOfTime
            After `max_seconds`.
        """
        now = time.monotonic()
        is_over = now - self._started >= self.max_seconds
        is_due, is_over = self._agree(is_over or now - self._last_saved >= self.interval_seconds, is_over)
        if is_due:
            self.save(run.state())
            self._last_saved = time.monotonic()
        if is_over:
            raise OutOfTime

    def on_train_end(self, run: TrainingRun) -> None:
        """Save the end of a training that has come to it."""
        if self.saves_end and run.is_finished:
            self.save(run.state())

    def _agree(self, is_due: bool, is_over: bool) -> tuple[bool, bool]:
        """One decision for all processes that share the checkpoint."""
        return is_due, is_over

    def save(self, state: dict) -> None:
        """Write a state atomically.

        Raises
        ------
        OSError
            If it cannot be written; the file before it stays.
        """
        with written_atomically(self.path) as file:
            try:
                torch.save({"identity": self.identity, "state": state}, file)
            except RuntimeError as error:  # of torch's writer
                raise OSError(str(error)) from error

    def load(self) -> dict | None:
        """The state last saved, if there is one.

        Raises
        ------
        ValueError
            If the file is of a training with other settings or data.
        """
        remove_remains(self.path)
        if not self.path.exists():
            return None
        identity, state = self.read()
        if identity != self.identity:
            changed = {name: (identity.get(name), value) for name, value in self.identity.items()
                       if identity.get(name) != value}  # fmt: skip
            raise ValueError(
                f"{self.path} is the checkpoint of another training; (its, yours): {changed}. Give its settings and "
                "data to continue it, or remove it to start anew."
            )
        return state

    def read(self) -> tuple[dict, dict]:
        """Identity and state in the file, whatever training they are of.

        Raises
        ------
        ValueError
            If the file is not a checkpoint, or is damaged.
        """
        try:
            with zipfile.ZipFile(self.path) as file:  # torch does not look at the checksums
                damaged = file.testzip()
            if damaged is not None:
                raise ValueError(f"the checksum of {damaged} is another")
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            return saved["identity"], saved["state"]
        except Exception as error:  # whatever it is that torch's reader stumbles over
            raise ValueError(
                f"{self.path} is not a checkpoint of a training, or is damaged: {error}. Remove it to start anew."
            ) from error
