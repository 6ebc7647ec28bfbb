"""The training loop: the only one, for language models, classifiers and regressors."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.runtime import Runtime, release_free_memory
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.training.callback import Callback, TrainingRun
from skulmfit.training.checkpoint import OutOfTime
from skulmfit.training.interruption import undivided
from skulmfit.training.layer_groups import LayerGroups
from skulmfit.training.stages import Stage
from skulmfit.training.task import Task

_LARGEST_WEIGHT = 1e9  # products of three of them are still within float32
_UPDATES_BETWEEN_PAUSES = 20  # between them a GPU is never waited for


@dataclass(frozen=True)
class OptimizerSettings:
    """Adam with decoupled weight decay, and clipping of the gradient's norm."""

    betas: tuple[float, float] = (0.7, 0.99)
    weight_decay: float = 0.01
    clip: float | None = None

    def build(self, groups: LayerGroups, stage: Stage) -> torch.optim.Optimizer:
        """An optimiser over the layer groups that a stage trains; vectors (biases, norms) do not decay."""
        param_groups = []
        for name, rate in stage.learning_rates.items():
            for is_matrix in (True, False):
                params = [param for param in groups[name] if (param.ndim > 1) == is_matrix]
                decay = self.weight_decay if is_matrix else 0.0
                param_groups.append({"params": params, "lr": rate, "peak": rate, "weight_decay": decay})
        return torch.optim.AdamW(param_groups, betas=self.betas, fused=True)


def train(
    network: nn.Module,
    groups: LayerGroups,
    plan: Sequence[tuple[Stage, Task]],
    *,
    settings: OptimizerSettings,
    runtime: Runtime,
    rng: np.random.Generator,
    callbacks: Sequence[Callback] = (),
) -> bool:
    """Train a network stage by stage.

    The order of the callbacks counts: those that change the row of an epoch come before those that keep it, and a
    checkpoint comes last.

    Returns
    -------
    bool
        False if the user interrupted or the time is used up; the network keeps the weights it had reached.
    """
    return _Loop(network, groups, plan, settings, runtime, rng, callbacks).train()


class _Loop(TrainingRun):
    """What the loop changes as it goes."""

    def __init__(
        self,
        network: nn.Module,
        groups: LayerGroups,
        plan: Sequence[tuple[Stage, Task]],
        settings: OptimizerSettings,
        runtime: Runtime,
        rng: np.random.Generator,
        callbacks: Sequence[Callback],
    ):
        super().__init__(network, plan)
        self.groups, self.settings, self.runtime, self.rng, self.callbacks = groups, settings, runtime, rng, callbacks
        self._unread: list[Tensor] = []  # losses, still on the device
        self._losses: list[float] = []  # of this epoch
        self._weights: list[float] = []
        self._epoch_rng: Mapping[str, Any] = {}
        self._saved: dict[str, Any] | None = None  # of the stage to continue in

    def train(self) -> bool:
        """Run the stages that are left."""
        for callback in self.callbacks:
            callback.on_train_begin(self)
        try:
            with one_thread_an_operation():
                while not self.is_finished:
                    self._train_stage()
                    self.stage_index, self.epoch = self.stage_index + 1, 0
        except OutOfTime:
            pass
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user; the weights reached so far are kept.", stacklevel=3)
        finally:
            for callback in self.callbacks:
                callback.on_train_end(self)
        self._check_end()
        return self.is_finished

    def _check_end(self) -> None:
        """Raise if the last update has ruined the network: the losses that were read are those before it."""
        is_sound = [bool((value.abs() < _LARGEST_WEIGHT).all()) for value in self.network.state_dict().values()]
        if not all(is_sound):
            raise FloatingPointError("The last update has left weights beyond 1e9 or NaN; lower the learning rate.")

    def _train_stage(self) -> None:
        _freeze_all_but(self.groups, self.stage.learning_rates)
        self.optimizer = self.settings.build(self.groups, self.stage)
        self.trained = [param for group in self.optimizer.param_groups for param in group["params"]]
        self.n_batches = self.task.n_batches()
        if self._saved is not None:
            self._restore_stage(self._saved)
        for callback in self.callbacks:
            callback.on_stage_begin(self)
        with self.runtime.without_cudnn_warning():
            is_over = False
            while self.epoch < self.stage.epochs and not is_over:
                is_over = self._train_epoch()
        for callback in self.callbacks:
            callback.on_stage_end(self)

    def _train_epoch(self) -> bool:
        """Run what is left of an epoch; True if a callback wants the stage to end."""
        for callback in self.callbacks:
            callback.on_epoch_begin(self)
        self.network.train()
        self._epoch_rng = self.rng.bit_generator.state
        for index, batch in enumerate(self.task.batches(self.rng)):
            if index < self.n_done:
                continue
            self._load_task()
            with undivided():
                self._update(batch)
        self._load_task()  # where the epoch was at its end
        self._read_losses()
        loss = float(np.average(self._losses, weights=self._weights))
        self.row = {"stage": self.stage.name, "epoch": self.epoch + 1, "loss": loss}
        is_over = [callback.on_epoch_end(self) for callback in self.callbacks]
        self.epoch, self.n_done, self._losses, self._weights = self.epoch + 1, 0, [], []
        return any(is_over)

    def _load_task(self) -> None:
        """Give the task the state that it had when the training was cut."""
        if self._saved is not None:
            self.task.load_state(self._saved["task"])
            self._saved = None

    def _update(self, batch: Any) -> None:
        with self.runtime.autocast():
            result = self.task.loss(batch)
        result.objective.backward()
        if self.settings.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.trained, self.settings.clip)
        self._set_rates(result.rate_scale)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.last_loss = result.loss.detach()
        self._unread.append(self.last_loss)
        self._weights.append(result.weight)
        self.n_done += 1
        for callback in self.callbacks:
            callback.on_update(self)
        if self.update % _UPDATES_BETWEEN_PAUSES == 0:
            self._read_losses()
            release_free_memory()
            for callback in self.callbacks:
                callback.on_pause(self)

    def _set_rates(self, scale: float) -> None:
        """Rate and momentum of the update about to be made."""
        factor = self.stage.schedule.rate(self.update, self.n_updates) * scale
        momentum = self.stage.schedule.momentum(self.update, self.n_updates)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * factor
            if momentum is not None:
                group["betas"] = (momentum, group["betas"][1])

    def _read_losses(self) -> None:
        if not self._unread:
            return
        losses = torch.stack(self._unread).tolist()
        self._losses.extend(losses)
        self._unread = []
        if not np.isfinite(losses).all():
            raise FloatingPointError(f"The loss of stage {self.stage.name!r} is {losses[-1]}; lower the learning rate.")

    def state(self) -> dict[str, Any]:
        """All that is needed to continue after the last update."""
        whole = {
            "stage": self.stage_index, "model": self.network.state_dict(),
            "callbacks": {type(callback).__name__: callback.state() for callback in self.callbacks},
        }  # fmt: skip
        if self.is_finished:
            return whole
        return whole | {
            "epoch": self.epoch, "n_done": self.n_done, "losses": self._losses, "weights": self._weights,
            "optimizer": self.optimizer.state_dict(), "task": self.task.state(), "epoch_rng": self._epoch_rng,
            "torch_rng": self.runtime.rng_state(),
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        self.stage_index = state["stage"]
        self.network.load_state_dict(state["model"])
        for callback in self.callbacks:
            saved = state["callbacks"].get(type(callback).__name__)
            if saved is not None:
                callback.load_state(saved)
        self._saved = None if self.is_finished else state

    def _restore_stage(self, saved: dict[str, Any]) -> None:
        self.epoch, self.n_done = saved["epoch"], saved["n_done"]
        self._losses, self._weights = saved["losses"], saved["weights"]
        self.optimizer.load_state_dict(saved["optimizer"])
        self.rng.bit_generator.state = saved["epoch_rng"]
        self.runtime.set_rng_state(saved["torch_rng"])


def _freeze_all_but(groups: LayerGroups, trained: Iterable[str]) -> None:
    """Frozen layers need no gradient, and so cost a forward pass only."""
    trained = set(trained)
    for name, params in groups.items():
        for param in params:
            param.requires_grad_(name in trained)
