import numpy as np
import pytest

from skulmfit.nn import chunks as module
from skulmfit.nn.chunks import Chunk, chunks


@pytest.fixture(autouse=True)
def short_steps(monkeypatch):
    monkeypatch.setattr(module, "STEP", 4)


def test_a_chunk_ends_soon_after_the_shortest_row_which_the_next_one_does_without():
    assert list(chunks([11, 5, 3], 100)) == [Chunk(0, 4, 3), Chunk(4, 8, 2), Chunk(8, 11, 1)]


def test_rows_of_one_length_are_read_in_the_largest_chunks():
    assert list(chunks([20, 20], 8)) == [Chunk(0, 8, 2), Chunk(8, 16, 2), Chunk(16, 20, 2)]
    assert list(chunks([3, 3], 8)) == [Chunk(0, 3, 2)]


def test_rows_without_anything_to_read_are_left_out():
    assert list(chunks([2, 0], 8)) == [Chunk(0, 2, 1)]
    assert list(chunks([0, 0], 8)) == []


def test_every_position_is_read_once_and_few_beyond_an_end():
    lengths = np.sort(np.random.default_rng(0).integers(1, 90, 20))[::-1].tolist()
    read = np.zeros((20, 90), int)
    for start, end, n_rows in chunks(lengths, 16):
        assert end - start <= 16
        read[:n_rows, start:end] += 1
    for row, length in zip(read, lengths):
        assert (row[:length] == 1).all()
        assert row.sum() - length < 4
