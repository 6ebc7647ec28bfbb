"""Checkpoints of a training under way, from which it continues bit for bit."""

import glob
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from skulmfit.archive import written_atomically


class OutOfTime(Exception):
    """The time given to a training is used up; its state has been saved."""


@dataclass
class Checkpoint:
    """A file that holds the state of a training, renewed every few minutes.

    It is written beside its place and then moved there: a kill at any time leaves the old file or the new one.
    """

    path: Path
    interval_seconds: float = 120.0
    identity: dict = field(default_factory=dict)  # what the training depends on: a checkpoint of another is refused
    max_seconds: float = math.inf
    _started: float = field(default_factory=time.monotonic)
    _last_saved: float = field(default_factory=time.monotonic)

    def after_update(self, state: Callable[[], dict]) -> None:
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
            self.save(state())
            self._last_saved = time.monotonic()
        if is_over:
            raise OutOfTime

    def _agree(self, is_due: bool, is_over: bool) -> tuple[bool, bool]:
        """One decision for all that share the checkpoint."""
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
        for cut_short in self.path.parent.glob(f"{glob.escape(self.path.name)}.*.part"):  # by a kill
            cut_short.unlink(missing_ok=True)
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
            saved = torch.load(self.path, map_location="cpu", weights_only=True)
            return saved["identity"], saved["state"]
        except Exception as error:  # whatever it is that torch's reader stumbles over
            raise ValueError(f"{self.path} is not a checkpoint of a training, or is damaged: {error}") from error
