"""A fit as scikit-learn's callbacks see it (new and experimental in 1.9); nothing where there are none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from skulmfit.compat import begin_callbacks
from skulmfit.training.loop import Observer
from skulmfit.training.stages import Stage


class FitTasks(Observer):
    """A fit as callbacks see it: a tree of tasks, the stages under the fit, the epochs under each stage.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    X, y : as given to `fit`
    """

    def __init__(self, estimator: Any, X: Any, y: Any):
        self.about = {"estimator": estimator, "X": X, "y": y}
        self.tasks: list[Any] = []  # from the root to the one under way
        self.snapshot: Callable[[], dict[str, Any]] | None = None  # attributes that make the estimator a fitted one
        root = begin_callbacks(estimator)
        if root is not None:
            self.tasks.append(root)
            self._tell_begin()

    def stage_begins(self, stage: Stage) -> None:
        """Begin a task with one for each epoch in it."""
        self._begin(stage.name, stage.epochs)

    def epoch_begins(self) -> None:
        """Begin a task with nothing in it."""
        self._begin("epoch", 0)

    def epoch_ends(self) -> bool:
        """End it; True if a callback wants the stage to end."""
        return self._end()

    def stage_ends(self) -> None:
        """End the stage's task."""
        self._end()

    def end(self) -> None:
        """End the fit's own task, and those that an interruption has left open."""
        while self.tasks:
            self._end()

    @contextmanager
    def of(self, sub_estimator: Any, name: str) -> Iterator[None]:
        """Put the tasks of another estimator's fit, such as the language-model stage, in the place of one task here."""
        if not self.tasks:
            yield
            return
        self.tasks.append(self.tasks[-1].subcontext(task_name=name, max_subtasks=0))
        with self.tasks[-1].propagate_callback_context(sub_estimator):
            self._tell_begin()
            yield
            self._end()

    def _begin(self, name: str, max_subtasks: int) -> None:
        if self.tasks:
            self.tasks.append(self.tasks[-1].subcontext(task_name=name, max_subtasks=max_subtasks))
            self._tell_begin()

    def _tell_begin(self) -> None:
        self.tasks[-1].call_on_fit_task_begin(**self.about, reconstruction_attributes=self.snapshot)

    def _end(self) -> bool:
        if not self.tasks:
            return False
        return bool(self.tasks.pop().call_on_fit_task_end(**self.about, reconstruction_attributes=self.snapshot))
