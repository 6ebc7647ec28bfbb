"""What differs between supported versions of libraries, in one place."""

from collections.abc import Callable
from typing import Any

import torch

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Callable) -> Callable:
        """Leave a method as it is."""
        return method


def begin_callbacks(estimator: Any) -> Any:
    """The root of a fit's tree of tasks, None where there are no callbacks."""
    begin = getattr(estimator, "_init_callback_context", lambda max_subtasks: None)
    return begin(max_subtasks=None)


def without_callbacks(estimator: Any) -> Any:
    """An estimator whose callbacks will come from the one that fits it."""
    return estimator.set_callbacks() if hasattr(estimator, "set_callbacks") else estimator


def cpu_has_bfloat16() -> bool:
    """Whether the processor computes products in bfloat16.

    Torch has no public query; where its private ones are gone, float32 is always right.
    """
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, lambda: False)() for query in queries)


__all__ = ["CallbackSupportMixin", "begin_callbacks", "cpu_has_bfloat16", "with_callbacks", "without_callbacks"]
