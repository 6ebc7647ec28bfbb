import numpy as np
import pytest

from skulmfit.training.generation import sample

LOGITS = np.log(np.array([0.15, 0.5, 0.05, 0.3]))


def draws(n=2000, **options):
    rng = np.random.default_rng(0)
    options = {"temperature": 1.0, "top_k": None, "top_p": None} | options
    return np.bincount([sample(LOGITS, rng, **options) for _ in range(n)], minlength=4) / n


def test_pieces_are_drawn_by_their_probability():
    np.testing.assert_allclose(draws(), np.exp(LOGITS), atol=0.04)


@pytest.mark.parametrize(
    ("options", "kept"),
    [({"top_k": 2}, [1, 3]), ({"top_p": 0.7}, [1, 3]), ({"top_p": 0.4}, [1]), ({"top_p": 1.0}, [0, 1, 2, 3])],
)
def test_only_the_most_probable_are_drawn(options, kept):
    np.testing.assert_array_equal(np.flatnonzero(draws(**options)), kept)


def test_a_low_temperature_sharpens():
    sharp = np.exp(LOGITS / 0.5)
    np.testing.assert_allclose(draws(temperature=0.5), sharp / sharp.sum(), atol=0.04)
    assert draws(temperature=0)[1] == 1
