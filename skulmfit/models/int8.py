"""Matrices in one byte a number: int8 and one step a row, half the size of float16 at the same use."""

from collections.abc import Mapping

import numpy as np

from skulmfit.models.archive import Archive

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


def read(archive: Archive, name: str) -> np.ndarray:
    """What `pack` was given, to half a step, in float32; an array that was not packed in float32 too.

    Raises
    ------
    ValueError
        If it holds no numbers, or steps are missing or too many.
    """
    array, has_steps = archive[name], _STEP + name in archive.names
    if array.dtype.kind not in "fi" or (array.dtype.kind == "i") != has_steps:
        raise ValueError(f"{name} is of type {array.dtype}, {'with' if has_steps else 'without'} steps")
    with np.errstate(over="ignore"):  # of float64; what is not finite is refused by `Model.check`
        unpacked = array.astype(np.float32)
    if has_steps:
        step = archive[_STEP + name]
        if step.dtype != np.float32 or step.shape != array.shape[:1]:
            raise ValueError(f"{name} has steps of shape {step.shape} and type {step.dtype}")
        unpacked *= step[:, None]
    return unpacked
