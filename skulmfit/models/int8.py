"""Matrices in one byte a number: int8 and one step a row, half the size of float16 at the same use."""

from collections.abc import Mapping

import numpy as np

_STEP = "step/"
_LEVELS = 127


def pack(arrays: Mapping[str, np.ndarray], levels: int = _LEVELS) -> dict[str, np.ndarray]:
    """Matrices as int8 from -levels to levels beside their steps, vectors in float32, by name."""
    packed: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.ndim != 2:
            packed[name] = array.astype(np.float32)
            continue
        step = np.abs(array).max(axis=1, keepdims=True).astype(np.float32) / levels
        packed[name] = np.rint(array / np.where(step == 0, 1, step)).astype(np.int8)
        packed[_STEP + name] = step[:, 0]
    return packed


def unpack(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What `pack` was given, to half a step, in float32; arrays that were not packed in float32 too."""
    unpacked = {name: array.astype(np.float32) for name, array in arrays.items() if not name.startswith(_STEP)}
    for name, step in arrays.items():
        if name.startswith(_STEP):
            unpacked[name.removeprefix(_STEP)] *= step[:, None]
    return unpacked
