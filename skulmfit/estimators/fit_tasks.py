"""A fit as scikit-learn's callbacks see it (new and experimental in 1.9); nothing where there are none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from skulmfit.estimators.compat import begin_callbacks
from skulmfit.training.callback import Callback, TrainingRun


class FitTasks(Callback):
    """A tree of tasks: the stages under the fit, the epochs under each stage.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    X, y : as given to `fit`
    """

    def __init__(self, estimator: BaseEstimator, X: list[str], y: object):
        self._about = {"estimator": estimator, "X": X, "y": y}
        self._open: list[Any] = []  # tasks, from the root to the one under way
        self._network: nn.Module | None = None  # of the training under way
        # Attributes that the estimator would have if its network were fitted as it is now.
        self.attributes: Callable[[nn.Module], dict[str, Any]] | None = None
        root = begin_callbacks(estimator)
        if root is not None:
            self._open.append(root)
            self._tell_begin()

    def on_stage_begin(self, run: TrainingRun) -> None:
        """Begin a task with one for each epoch in it."""
        self._network = run.network
        self._begin(run.stage.name, run.stage.epochs)

    def on_epoch_begin(self, run: TrainingRun) -> None:
        """Begin a task with nothing in it."""
        self._begin("epoch", 0)

    def on_epoch_end(self, run: TrainingRun) -> bool:
        """End it; True if a callback wants the stage to end."""
        return self._end()

    def on_stage_end(self, run: TrainingRun) -> None:
        """End the stage's task."""
        self._end()

    @contextmanager
    def part(self, name: str, sub_estimator: BaseEstimator | None = None) -> Iterator[None]:
        """A part of the fit as one task: a direction, or the whole fit of a `sub_estimator` with its own tasks."""
        if not self._open:
            yield
            return
        depth = len(self._open)
        self._open.append(self._open[-1].subcontext(task_name=name, max_subtasks=None if sub_estimator is None else 0))
        if sub_estimator is None:
            self._tell_begin()
            yield
        else:
            with self._open[-1].propagate_callback_context(sub_estimator):
                self._tell_begin()
                yield
        self._end_down_to(depth)

    def end(self) -> None:
        """End all open tasks, that of the fit included. The estimator is fitted now."""
        self.attributes = None
        self._end_down_to(0, fitted=True)

    def _begin(self, name: str, max_subtasks: int) -> None:
        if self._open:
            self._open.append(self._open[-1].subcontext(task_name=name, max_subtasks=max_subtasks))
            self._tell_begin()

    def _end_down_to(self, depth: int, fitted: bool = False) -> None:
        while len(self._open) > depth:
            self._end(fitted)

    def _tell_begin(self) -> None:
        self._open[-1].call_on_fit_task_begin(**self._about, reconstruction_attributes=self._snapshot())

    def _end(self, fitted: bool = False) -> bool:
        if not self._open:
            return False
        attributes = dict if fitted else self._snapshot()
        return bool(self._open.pop().call_on_fit_task_end(**self._about, reconstruction_attributes=attributes))

    def _snapshot(self) -> Callable[[], dict[str, Any]] | None:
        """Attributes of an estimator with the present network. They are made only if a callback asks for them."""
        attributes, network = self.attributes, self._network
        if attributes is None or network is None:
            return None
        return lambda: attributes(network)
