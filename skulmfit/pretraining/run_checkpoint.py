"""The checkpoint of a run that may be killed: where it is, how often it is written, and what it belongs to."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skulmfit.nn.runtime import Runtime
from skulmfit.pretraining.distributed import Processes, SharedCheckpoint
from skulmfit.training.checkpoint import Checkpoint


@dataclass(frozen=True)
class CheckpointSettings:
    """Where a run keeps its checkpoint, how often, and for how long it may go on before it stops."""

    path: Path
    minutes: float = math.inf
    interval_seconds: float = 120.0
    resume: bool = False

    def __post_init__(self):
        for name in ("minutes", "interval_seconds"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be a number of at least 0, got {getattr(self, name)}.")

    def check(self) -> None:
        """Raise if there is an unfinished training that the run would overwrite.

        Raises
        ------
        FileExistsError
        """
        if self.path.exists() and not self.resume:
            raise FileExistsError(
                f"{self.path} is the checkpoint of an unfinished training: continue it with --resume, or remove it."
            )

    def callback(self, identity: dict[str, Any], processes: Processes, runtime: Runtime) -> Checkpoint:
        """The callback that writes it; a run continues only with the same `identity`, processes and kind of device."""
        identity = identity | {"processes": processes.world_size, "device": runtime.device.type}
        kind = Checkpoint if processes.world_size == 1 else SharedCheckpoint
        return kind(self.path, self.interval_seconds, identity, max_seconds=60 * self.minutes)
