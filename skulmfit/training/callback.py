"""Callback: how a training is watched. Progress bars, history, early stopping and checkpoints all are callbacks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from skulmfit.training.stages import Stage
from skulmfit.training.task import Task


@dataclass
class TrainingRun:
    """A training under way, as its callbacks see it."""

    network: nn.Module
    plan: Sequence[tuple[Stage, Task]]
    stage_index: int = 0
    epoch: int = 0  # of the stage, from 0
    n_done: int = 0  # updates of the epoch
    n_batches: int = 0  # of an epoch
    row: dict[str, Any] = field(default_factory=dict)  # of the history, at the end of an epoch
    last_loss: Tensor = field(default_factory=lambda: torch.tensor(torch.nan))  # of the last batch, on its device

    @property
    def stage(self) -> Stage:
        """The stage under way."""
        return self.plan[self.stage_index][0]

    @property
    def task(self) -> Task:
        """The task of the stage under way."""
        return self.plan[self.stage_index][1]

    @property
    def is_finished(self) -> bool:
        """Whether every stage has come to its end."""
        return self.stage_index == len(self.plan)

    @property
    def update(self) -> int:
        """Updates made in this stage."""
        return self.epoch * self.n_batches + self.n_done

    @property
    def n_updates(self) -> int:
        """Updates of the whole stage."""
        return self.stage.epochs * self.n_batches

    def state(self) -> dict[str, Any]:
        """All that is needed to continue after the last update."""
        raise NotImplementedError

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        raise NotImplementedError


class Callback:
    """Watches a training. This one does nothing. A subclass fills in the methods that it needs."""

    def on_train_begin(self, run: TrainingRun) -> None:
        """Before the first stage. A checkpoint restores its state here."""

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Before the first epoch of a stage."""

    def on_epoch_begin(self, run: TrainingRun) -> None:
        """Before the first update of an epoch."""

    def on_update(self, run: TrainingRun) -> None:
        """After every update. Do not read `last_loss` each time, since that waits for the device."""

    def on_pause(self, run: TrainingRun) -> None:
        """Every 20 updates, when the losses so far have been read and found finite."""

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """After the last update of an epoch, whose history is in `run.row`; True ends the stage."""
        return False

    def on_stage_end(self, run: TrainingRun) -> None:
        """After the last epoch of a stage."""

    def on_train_end(self, run: TrainingRun) -> None:
        """After the last stage, or when the training ends early for whatever reason."""

    def state(self) -> Any:
        """What a checkpoint must keep of this callback."""

    def load_state(self, state: Any) -> None:
        """Go on from what a checkpoint has kept."""
