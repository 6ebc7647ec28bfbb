"""Checkpoints of a training under way, from which it continues bit for bit."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch


@dataclass
class Checkpoint:
    """A file that holds the state of a training, renewed every few minutes.

    It is written beside its place and then moved there: a kill at any time leaves the old file or the new one.
    """

    path: Path
    interval_seconds: float = 120.0
    identity: dict = field(default_factory=dict)  # what the training depends on: a checkpoint of another is refused
    _last_saved: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Whether the interval has passed since the last one."""
        return time.monotonic() - self._last_saved >= self.interval_seconds

    def save(self, state: dict) -> None:
        """Write a state atomically."""
        temporary = self.path.with_name(self.path.name + ".part")
        with open(temporary, "wb") as file:
            torch.save({"identity": self.identity, "state": state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.path)
        self._last_saved = time.monotonic()

    def load(self) -> dict | None:
        """The state last saved, if there is one.

        Raises
        ------
        ValueError
            If the file is of a training with other settings or data.
        """
        if not self.path.exists():
            return None
        saved = torch.load(self.path, map_location="cpu", weights_only=True)
        if saved["identity"] != self.identity:
            raise ValueError(
                f"{self.path} is the checkpoint of another training, of {saved['identity']}, not of {self.identity}. "
                "Give its settings to continue it, or remove it to start anew."
            )
        return saved["state"]
