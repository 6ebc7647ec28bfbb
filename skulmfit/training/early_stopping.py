"""Early stopping: a stage ends when the validation loss stops falling, and the best weights are kept."""

import math
from typing import Any

from torch import Tensor

from skulmfit.training.callback import Callback, TrainingRun


class EarlyStopping(Callback):
    """Ends a stage after `patience` epochs without improvement; does nothing where there are no validation data.

    Parameters
    ----------
    patience : int
    """

    def __init__(self, patience: int):
        self.patience = patience
        self._best_loss = self._best_loss_of_stage = math.inf
        self._best_weights: dict[str, Tensor] = {}
        self._n_worse = 0

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Every stage has patience of its own; the best weights are those of all stages."""
        if run.update == 0:
            self._best_loss_of_stage, self._n_worse = math.inf, 0

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """Measure the validation data, note it in the history, keep the weights if they are the best."""
        figures = run.task.validate()
        if not figures:
            return False
        run.row |= figures
        loss = figures["validation_loss"]
        if loss < self._best_loss:
            self._best_loss = loss
            self._best_weights = {name: value.clone() for name, value in run.network.state_dict().items()}
        if loss < self._best_loss_of_stage:
            self._best_loss_of_stage, self._n_worse = loss, 0
        else:
            self._n_worse += 1
        return self._n_worse >= self.patience

    def on_train_end(self, run: TrainingRun) -> None:
        """Put the best weights back."""
        if self._best_weights:
            run.network.load_state_dict(self._best_weights)

    def state(self) -> dict[str, Any]:
        """Best losses and weights."""
        return dict(vars(self))

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from the saved best."""
        vars(self).update(state)
