"""What differs between supported versions of libraries, in one place."""

from collections.abc import Callable

import torch

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing."""

    def with_callbacks(method: Callable) -> Callable:
        """Leave a method as it is."""
        return method


def cpu_has_bfloat16() -> bool:
    """Whether the processor computes products in bfloat16.

    Torch has no public query; where its private ones are gone, float32 is always right.
    """
    queries = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, query, lambda: False)() for query in queries)


__all__ = ["CallbackSupportMixin", "cpu_has_bfloat16", "with_callbacks"]
