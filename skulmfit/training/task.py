"""Task: what the loop asks of the data and the loss of a stage."""

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
from torch import Tensor


class BatchLoss(NamedTuple):
    """Loss of one batch."""

    objective: Tensor  # what is minimised
    loss: Tensor  # what is reported: the objective without its regularisation
    weight: float  # of this batch in the epoch's mean
    rate_scale: float = 1.0  # factor on the learning rate of this update


class Task(Protocol):
    """Data and loss of a stage, as the loop needs them."""

    def n_batches(self) -> int:
        """Number of batches in an epoch, each of them one update."""

    def batches(self, rng: np.random.Generator) -> Iterable[Any]:
        """Batches of one epoch."""

    def loss(self, batch: Any) -> BatchLoss:
        """Loss of the network, in its present state, on a batch."""

    def validate(self) -> dict[str, float]:
        """Figures on the validation data, `validation_loss` among them; nothing where there are none."""

    def state(self) -> Any:
        """What the task carries from batch to batch, for a checkpoint."""

    def load_state(self, state: Any) -> None:
        """Carry on with a saved state."""
