"""Several processes that train one model, as `torchrun` starts them."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from skulmfit.nn.runtime import Runtime, check_device
from skulmfit.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class Processes:
    """One process among those that train one model."""

    rank: int = 0
    world_size: int = 1

    def wrap(self, loss: nn.Module) -> nn.Module:
        """A loss whose gradients are the mean over all processes."""
        return loss if self.world_size == 1 else nn.parallel.DistributedDataParallel(loss)


def is_first_process() -> bool:
    """Whether this process speaks and writes for all."""
    return not dist.is_torchelastic_launched() or os.environ["RANK"] == "0"


@contextmanager
def join_processes(device: str) -> Iterator[tuple[Processes, Runtime]]:
    """Join the processes that torchrun has started, if it has started any. With GPUs, each gets one of its own."""
    check_device(device)
    if not dist.is_torchelastic_launched():
        yield Processes(), Runtime.resolve(device)
        return
    runtime = Runtime.resolve(device)
    if runtime.device.type == "cuda":
        runtime = Runtime.resolve(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(runtime.device)
    # The processes agree on clocks and decisions over the CPU, so that nothing waits for a GPU.
    dist.init_process_group("cpu:gloo,cuda:nccl" if runtime.device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size()), runtime
        dist.barrier()
    finally:
        # Reference cycles may still hold the group's threads, which would abort the process at its end.
        gc.collect()
        dist.destroy_process_group()


class SharedCheckpoint(Checkpoint):
    """One file for all processes: the model once, and what differs from process to process for each of them."""

    _OWN = ("task", "torch_rng")

    def _agree(self, is_due: bool, is_over: bool) -> tuple[bool, bool]:
        """The decision of the first process, whose clock counts."""
        decision = [(is_due, is_over)]
        dist.broadcast_object_list(decision)
        return decision[0]

    def save(self, state: dict) -> None:
        """Collect the processes' own states; the first one writes."""
        own = {name: state[name] for name in self._OWN}
        collected = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
        dist.gather_object(own, collected)
        if collected is not None:
            super().save(state | {"processes": collected})

    def load(self) -> dict | None:
        """The state last saved, with this process's own part of it."""
        state = super().load()
        return state and state | state["processes"][dist.get_rank()]
