"""The training loop: the only one, for language models and classifiers."""

import math
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.training.checkpoint import Checkpoint, OutOfTime
from skulmfit.training.runtime import Runtime, release_free_memory
from skulmfit.training.stages import Stage

_UPDATES_BETWEEN_CARE = 20  # losses looked at, memory released, checkpoint: between them a GPU is never waited for


class StepLoss(NamedTuple):
    """Loss of one batch."""

    objective: Tensor  # what is minimised
    loss: Tensor  # what is reported: the objective without its regularisation
    weight: float  # of this batch in the epoch's mean
    rate_scale: float = 1.0  # factor on the learning rate of this step


class Task(Protocol):
    """Data and loss of a stage, as the loop needs them."""

    def n_batches(self) -> int:
        """Number of updates in an epoch."""

    def batches(self, rng: np.random.Generator) -> Iterable[Any]:
        """Batches of one epoch."""

    def loss(self, batch: Any) -> StepLoss:
        """Loss of the network, in its present state, on a batch."""

    def validation_loss(self) -> float | None:
        """Loss on held-out data, None where there is none."""

    def state(self) -> Any:
        """What the task carries from batch to batch, for a checkpoint."""

    def load_state(self, state: Any) -> None:
        """Carry on with a saved state."""


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam with decoupled weight decay, and clipping of the gradient's norm."""

    betas: tuple[float, float] = (0.7, 0.99)
    weight_decay: float = 0.01
    clip: float | None = None

    def build(self, groups: dict[str, list[nn.Parameter]], stage: Stage) -> torch.optim.Optimizer:
        """An optimiser over the groups that a stage trains; vectors (biases, norms) do not decay."""
        param_groups = []
        for name, rate in stage.learning_rates.items():
            for is_matrix in (True, False):
                params = [param for param in groups[name] if (param.ndim > 1) == is_matrix]
                decay = self.weight_decay if is_matrix else 0.0
                param_groups.append({"params": params, "lr": rate, "peak": rate, "weight_decay": decay})
        return torch.optim.AdamW(param_groups, betas=self.betas, fused=True)


class Observer:
    """What is told of the course of a training. This one does nothing."""

    def stage_begins(self, stage: Stage) -> None:
        """Before the first epoch of a stage."""

    def epoch_begins(self) -> None:
        """Before the first update of an epoch."""

    def epoch_ends(self) -> bool:
        """After the last update of an epoch; True ends the stage."""
        return False

    def stage_ends(self) -> None:
        """After the last epoch of a stage."""


@dataclass
class Monitor:
    """What watches a training: all of it optional."""

    patience: int | None = None  # epochs without improvement of the validation loss before a stage ends
    on_step: Callable[[Stage, int, int, Tensor], None] | None = None  # stage, step, n_steps, loss
    observer: Observer = field(default_factory=Observer)
    history: list[dict] = field(default_factory=list)


def train(
    model: nn.Module,
    groups: dict[str, list[nn.Parameter]],
    plan: Sequence[tuple[Stage, Task]],
    *,
    settings: OptimizerSettings,
    runtime: Runtime,
    rng: np.random.Generator,
    monitor: Monitor,
    checkpoint: Checkpoint | None = None,
) -> bool:
    """Train a model stage by stage, from where the checkpoint stands if there is one.

    Returns
    -------
    bool
        False if the user interrupted or the checkpoint's time is used up; the model keeps the weights it had reached.
    """
    best = _BestWeights(model)
    saved = checkpoint.load() if checkpoint else None
    try:
        for index, (stage, task) in enumerate(plan):
            if saved and index < saved["stage"]:
                continue
            _freeze_all_but(groups, stage.learning_rates)
            optimizer = settings.build(groups, stage)
            run = _StageRun(
                index, stage, model, task, optimizer, settings.clip, runtime, rng, monitor, best, checkpoint
            )
            if saved and index == saved["stage"]:
                run.restore(saved)
            monitor.observer.stage_begins(stage)
            with runtime.without_cudnn_warning():
                run.train()
            monitor.observer.stage_ends()
    except OutOfTime:
        return False
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user; the weights reached so far are kept.", stacklevel=2)
        return False
    finally:
        best.restore()
    return True


@dataclass
class _StageRun:
    """One stage under way: what the loop changes as it goes."""

    index: int
    stage: Stage
    model: nn.Module
    task: Task
    optimizer: torch.optim.Optimizer
    clip: float | None
    runtime: Runtime
    rng: np.random.Generator
    monitor: Monitor
    best: "_BestWeights"
    checkpoint: Checkpoint | None
    epoch: int = 0  # of this stage
    n_done: int = 0  # batches of this epoch
    new_losses: list[Tensor] = field(default_factory=list)  # still on the device
    losses: list[float] = field(default_factory=list)  # of this epoch
    weights: list[float] = field(default_factory=list)
    seconds: float = 0.0  # of this epoch, before a resumption
    epoch_rng: Mapping[str, Any] = field(default_factory=dict)
    task_state: Any = None

    def __post_init__(self):
        self.trained = [param for group in self.optimizer.param_groups for param in group["params"]]
        self.n_batches = self.task.n_batches()

    def train(self) -> None:
        """Run the epochs that are left."""
        while self.epoch < self.stage.epochs:
            self.started = time.perf_counter() - self.seconds
            self.monitor.observer.epoch_begins()
            self._train_epoch()
            loss = float(np.average(self.losses, weights=self.weights))
            row = {"stage": self.stage.name, "epoch": self.epoch + 1, "loss": loss}
            stop = self.best.update(row, self.task, self.monitor.patience, new_stage=self.epoch == 0)
            row["seconds"] = round(time.perf_counter() - self.started, 3)
            self.monitor.history.append(row)
            stop |= self.monitor.observer.epoch_ends()
            self.epoch, self.n_done, self.losses, self.weights, self.seconds = self.epoch + 1, 0, [], [], 0.0
            if stop:
                return

    def _train_epoch(self) -> None:
        self.model.train()
        self.epoch_rng = self.rng.bit_generator.state
        for index, batch in enumerate(self.task.batches(self.rng)):
            if index < self.n_done:
                continue
            if index == self.n_done and self.task_state is not None:
                self.task.load_state(self.task_state)
                self.task_state = None
            self._step(batch)
            self.n_done = index + 1
            if (self.epoch * self.n_batches + self.n_done) % _UPDATES_BETWEEN_CARE == 0:
                self._collect_losses()
                release_free_memory()
                if self.checkpoint is not None:
                    self.checkpoint.after_update(self.state)
        self._collect_losses()
        self.task_state = None

    def _step(self, batch: Any) -> None:
        with self.runtime.autocast():
            result = self.task.loss(batch)
        result.objective.backward()
        if self.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.trained, self.clip)
        step, n_steps = self.epoch * self.n_batches + self.n_done, self.stage.epochs * self.n_batches
        factor = self.stage.schedule.rate(step, n_steps) * result.rate_scale
        momentum = self.stage.schedule.momentum(step, n_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
            if momentum is not None:
                group["betas"] = (momentum, group["betas"][1])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.new_losses.append(result.loss.detach())
        self.weights.append(result.weight)
        if self.monitor.on_step:
            self.monitor.on_step(self.stage, step + 1, n_steps, self.new_losses[-1])

    def _collect_losses(self) -> None:
        if not self.new_losses:
            return
        losses = torch.stack(self.new_losses).tolist()
        self.losses.extend(losses)
        self.new_losses = []
        if not np.isfinite(losses).all():
            raise FloatingPointError(f"The loss of stage {self.stage.name!r} is {losses[-1]}; lower the learning rate.")

    def state(self) -> dict:
        """All that is needed to continue after the last update."""
        return {
            "stage": self.index, "epoch": self.epoch, "n_done": self.n_done,
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "best": self.best.data(),
            "task": self.task.state(), "epoch_rng": self.epoch_rng, "torch_rng": self.runtime.rng_state(),
            "losses": self.losses, "weights": self.weights, "history": self.monitor.history,
            "seconds": time.perf_counter() - self.started,
        }  # fmt: skip

    def restore(self, saved: dict) -> None:
        """Continue from a saved state."""
        self.epoch, self.n_done = saved["epoch"], saved["n_done"]
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.task_state = saved["task"]
        self.rng.bit_generator.state = saved["epoch_rng"]
        self.runtime.set_rng_state(saved["torch_rng"])
        self.best.load(saved["best"])
        self.losses, self.weights, self.seconds = saved["losses"], saved["weights"], saved["seconds"]
        self.monitor.history[:] = saved["history"]


def _freeze_all_but(groups: dict[str, list[nn.Parameter]], trained: Iterable[str]) -> None:
    """Frozen layers need no gradient, and so cost a forward pass only."""
    trained = set(trained)
    for name, params in groups.items():
        for param in params:
            param.requires_grad_(name in trained)


class _BestWeights:
    """The weights with the lowest validation loss of all epochs, if there is one, and how long ago that was."""

    def __init__(self, model: nn.Module):
        self.model = model
        self.loss = math.inf
        self.state: dict[str, Tensor] = {}
        self.stage_best = math.inf
        self.n_worse = 0

    def update(self, row: dict, task: Task, patience: int | None, *, new_stage: bool) -> bool:
        """Record an epoch's validation loss in its history row; say whether the stage has stopped improving."""
        loss = task.validation_loss()
        if loss is None:
            return False
        row["validation_loss"] = loss
        if new_stage:
            self.stage_best, self.n_worse = math.inf, 0
        if loss < self.loss:
            self.loss = loss
            self.state = {name: value.clone() for name, value in self.model.state_dict().items()}
        if loss < self.stage_best:
            self.stage_best, self.n_worse = loss, 0
        else:
            self.n_worse += 1
        return patience is not None and self.n_worse >= patience

    def data(self) -> dict:
        """What a checkpoint keeps of it."""
        return {name: value for name, value in vars(self).items() if name != "model"}

    def load(self, data: dict) -> None:
        """Continue from what a checkpoint has kept."""
        vars(self).update(data)

    def restore(self) -> None:
        """Put the best weights back."""
        if self.state:
            self.model.load_state_dict(self.state)
