"""`checkpoint=`: what a fit keeps on disk while it runs, so that the same fit goes on after a kill."""

import json
import os
import shutil
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from skulmfit.estimators.identity import Identifiable, fit_identity
from skulmfit.models.writing import locked, written_atomically
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.checkpoint import Checkpoint

SECONDS_BETWEEN_SAVES = 120.0
_FIT, _LOCK = "fit.json", "fit.lock"


class FitCheckpoint:
    """The folder of one fit inside the folder that the user names; without effect if the user names none.

    It has a file for each training that has begun, and is removed when the fit is finished. The fit of a language-model
    stage has its folder inside that of the whole fit. It stays there when the stage is finished, since the whole fit
    must find it if it is killed later.

    Parameters
    ----------
    folder : str, path or None
        As given to the estimator.
    estimator : estimator
    *data
        All that is given to `fit`.

    Raises
    ------
    BlockingIOError
        If another process, or another thread, runs the same fit.
    """

    def __init__(self, folder: str | os.PathLike | None, estimator: Identifiable, *data: Any):
        self._path = None if folder is None else Path(folder) / fit_identity(estimator, *data)
        self._is_inner = folder is not None and (Path(folder) / _FIT).exists()
        self._lock = ExitStack()
        if self._path is not None:
            self._lock.enter_context(
                locked(self._path / _LOCK, f"The checkpoint of this fit in {os.fspath(self._path.parent)!r}")
            )

    @property
    def path(self) -> Path | None:
        """The folder of this fit."""
        return self._path

    def seed(self, drawn: int) -> int:
        """The seed of the fit: the one that is drawn now, or that of a fit to be continued."""
        if self._path is None:
            return drawn
        file = self._path / _FIT
        if file.exists():
            return int(json.loads(file.read_text())["seed"])
        self._path.mkdir(parents=True, exist_ok=True)
        with written_atomically(file) as stream:
            stream.write(json.dumps({"seed": drawn}).encode())
        return drawn

    def of(self, name: str, corpus: TokenCorpus, seed: int) -> list[Callback]:
        """The callback that saves one of the fit's trainings and continues it, if the user names a folder."""
        if self._path is None:
            return []
        identity = {"corpus": zlib.crc32(corpus.ids.data), "seed": seed}
        return [Checkpoint(self._path / f"{name}.checkpoint", SECONDS_BETWEEN_SAVES, identity, saves_end=True)]

    def remove(self) -> None:
        """Remove the folder of a finished fit."""
        if self._path is not None and not self._is_inner:
            shutil.rmtree(self._path, ignore_errors=True)

    def close(self) -> None:
        """Let another process continue the fit."""
        self._lock.close()
