"""Identity of a fit: a key of all that its result depends on."""

from typing import Any, Protocol

import joblib

from skulmfit.version import __version__

# Parameters that do not change the result, and so must not change the key.
WITHOUT_EFFECT = ("checkpoint", "device", "features", "memory", "phrases", "pooling", "precision", "verbose")


class Identifiable(Protocol):
    """What an estimator must have for that."""

    def _content(self) -> list[Any]:
        """All that a fit depends on beside its data."""


def fit_identity(estimator: Identifiable, *data: Any) -> str:
    """Key of a fit of an estimator on data."""
    return joblib.hash((__version__, estimator._content(), data))
