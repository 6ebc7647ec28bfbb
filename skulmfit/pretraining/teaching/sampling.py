"""Which segments are read when: epochs in proportion to weights, batches of similar length."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_TEXTS_PER_SORT = 100_000  # among so many, texts of similar length come together
_LENGTH_JITTER = 4.0  # pieces: so neighbours in length change from epoch to epoch
_MIN_ROWS = 2  # of a batch: similarities are between two segments


class RowBatches(NamedTuple):
    """Rows to read, in order of their length, and how they are cut into batches."""

    rows: np.ndarray
    batches: list[tuple[int, int, int]]  # start and end in `rows`, length of the longest


def read_in_turn(
    lengths: np.ndarray, rows: np.ndarray, weights: np.ndarray, rng: np.random.Generator,
    *, caseless: float, max_pieces: int, max_rows: int,
) -> Iterator[RowBatches]:  # fmt: skip
    """Batches of segments, epoch after epoch, without end.

    Parameters
    ----------
    lengths : ndarray of shape (2 * n_segments,)
        In pieces: of all segments, then of the same segments without case markers.
    rows : ndarray of ints
        The segments to read.
    weights : ndarray of shape (len(rows),)
        How often an epoch reads each, on average.
    caseless : float
        Share of the readings without case markers.
    max_pieces : int
        Of a batch, padding included.
    max_rows : int
        Segments of a batch.
    """
    n_segments = len(lengths) // 2
    while True:
        order = rng.permutation(np.repeat(rows, _rounded(weights, rng)))
        order += n_segments * (rng.random(len(order)) < caseless)
        for start in range(0, len(order), _TEXTS_PER_SORT):
            part = order[start : start + _TEXTS_PER_SORT]
            part = part[np.argsort(lengths[part] + _LENGTH_JITTER * rng.random(len(part)), kind="stable")]
            batches = cut_into_batches(lengths[part], max_pieces, max_rows)
            yield RowBatches(part, [batches[index] for index in rng.permutation(len(batches))])


def cut_into_batches(lengths: np.ndarray, max_pieces: int, max_rows: int) -> list[tuple[int, int, int]]:
    """Start, end and longest length of batches of texts that stand about in order of length.

    Examples
    --------
    >>> cut_into_batches(np.array([3, 3, 4, 5, 6, 6]), max_pieces=12, max_rows=3)
    [(0, 3, 4), (3, 6, 6)]
    """
    batches = []
    start = 0
    while start < len(lengths):
        end = start + min(max_rows, max(_MIN_ROWS, max_pieces // int(lengths[start])))
        longest = int(lengths[start:end].max())
        end = min(end, start + max(_MIN_ROWS, max_pieces // longest))
        end = end if len(lengths) - end >= _MIN_ROWS else len(lengths)  # the last ones join those before
        if end - start >= _MIN_ROWS:
            batches.append((start, end, int(lengths[start:end].max())))
        start = end
    return batches


def _rounded(weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers whose expectations are the weights."""
    return np.floor(weights + rng.random(len(weights))).astype(np.int64)
