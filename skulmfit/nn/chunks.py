"""How documents of different lengths are read together, a chunk of positions at a time, each to its end."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

STEP = 64  # a chunk ends at a multiple of it: shorter ones cost more than the padding that they spare


class Chunk(NamedTuple):
    """Some columns of a batch, and how many of its rows, the first ones, have not ended before them."""

    start: int
    end: int
    n_rows: int


def chunks(lengths: Sequence[int], size: int) -> Iterator[Chunk]:
    """Chunks of at most `size` columns for rows of falling lengths.

    A chunk ends soon after a row does, which the next one does without. So little padding is read, and no row that
    ends at a multiple of `STEP` is read beyond its end.
    """
    start, n_rows = 0, len(lengths)
    while start < lengths[0]:
        while lengths[n_rows - 1] <= start:
            n_rows -= 1
        after_shortest = -(-lengths[n_rows - 1] // STEP) * STEP
        end = min(start + size, after_shortest, lengths[0])
        yield Chunk(start, end, n_rows)
        start = end
