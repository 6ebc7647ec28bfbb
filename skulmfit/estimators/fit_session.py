"""One call of `fit`: its seed, where it computes, who watches it, and what it keeps on disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
from torch import nn

from skulmfit.estimators.fit_checkpoint import FitCheckpoint
from skulmfit.estimators.fit_tasks import FitTasks
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.progress_bar import ProgressBar


class FitSession:
    """What the trainings of one fit share.

    Parameters
    ----------
    estimator : TextEstimator
    X, y : as given to `fit`
    *data
        All that is learnt from, checked.
    """

    def __init__(self, estimator: Any, X: Any, y: Any, *data: Any):
        self.tasks = FitTasks(estimator, X, y)
        self.checkpoint = FitCheckpoint(estimator.checkpoint, estimator, *data)
        self.seed = self.checkpoint.seed(estimator._draw_seed())
        self.runtime = Runtime.resolve(estimator.device)
        self._verbose = estimator.verbose

    @contextmanager
    def training(self, direction: str | None) -> Iterator[np.random.Generator]:
        """Context of one training, with a random generator of its own; a task of its own where there are two."""
        part = nullcontext() if direction is None else self.tasks.part(direction)
        with part, self.runtime.seeded(self.seed):
            yield np.random.default_rng(self.seed)
        self.tasks.attributes = None

    def callbacks(
        self, name: str, corpus: TokenCorpus, attributes: Callable[[nn.Module], dict[str, Any]]
    ) -> list[Callback]:
        """Those who watch the training of a name on a corpus.

        `attributes` are those that the estimator would have if a network were what the fit ends with.
        """
        self.tasks.attributes = attributes
        return [ProgressBar(self._verbose), self.tasks, *self.checkpoint.of(name, corpus, self.seed)]

    def end(self, *, interrupted: bool) -> None:
        """Close the session of an estimator that is fitted now; an interrupted fit can still be continued."""
        self.tasks.end()
        if not interrupted:
            self.checkpoint.remove()
