"""One call of `fit`: its seed, where it computes, who watches it, and what it keeps on disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Self

import numpy as np
from torch import nn

from skulmfit.estimators.base import TextEstimator
from skulmfit.estimators.fit_checkpoint import FitCheckpoint
from skulmfit.estimators.fit_tasks import FitTasks
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.progress_bar import ProgressBar
from skulmfit.training.projection import FitClock, Projection


class FitSession:
    """What the trainings of one fit share.

    Parameters
    ----------
    estimator : TextEstimator
    X, y : as given to `fit`
    *data
        All that is learnt from, checked.
    clock : FitClock
        What trainings there will be.
    """

    def __init__(self, estimator: TextEstimator, X: list[str], y: object, *data: Any, clock: FitClock):
        self.tasks = FitTasks(estimator, X, y)
        self.checkpoint = FitCheckpoint(estimator.checkpoint, estimator, *data)
        self.seed = self.checkpoint.seed(estimator._draw_seed())
        self.runtime = Runtime.resolve(estimator.device)
        self.clock, self._verbose = clock, estimator.verbose

    @contextmanager
    def training(self, direction: str | None) -> Iterator[np.random.Generator]:
        """Context of one training, with its own random generator. With a `direction` it is a task of its own."""
        part = nullcontext() if direction is None else self.tasks.part(direction)
        with part, self.runtime.seeded(self.seed), one_thread_an_operation():
            yield np.random.default_rng(self.seed)
        self.tasks.attributes = None

    def callbacks(
        self,
        name: str,
        corpus: TokenCorpus,
        attributes: Callable[[nn.Module], dict[str, Any]],
        *,
        saves: bool = True,
    ) -> list[Callback]:
        """Callbacks for a training on a corpus. With `saves` it has a checkpoint of its name.

        `attributes` gives those of an estimator that is fitted as far as a network is.
        """
        self.tasks.attributes = attributes
        checkpoint = self.checkpoint.of(name, corpus, self.seed) if saves else []
        projection = Projection(self.clock, name)
        return [projection, ProgressBar(self._verbose, projection), self.tasks, *checkpoint]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.checkpoint.close()

    def end(self, *, interrupted: bool) -> None:
        """Close the session; the estimator is fitted now. An interrupted fit can still be continued."""
        self.tasks.end()
        if not interrupted:
            self.checkpoint.remove()
