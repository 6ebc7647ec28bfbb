import numpy as np
import pytest

from skulmfit.text.document_batches import (
    bucketed_order,
    canonical_order,
    document_batches,
    merge_single_documents,
    pad,
)
from skulmfit.text.streams import bptt_lengths, n_streams, shuffled_stream, stream_batches
from skulmfit.text.token_corpus import TokenCorpus


@pytest.mark.parametrize("n_tokens", [0, 1, 4, 5, 69, 70, 71, 1000])
def test_bptt_lengths_cover_the_stream_exactly(n_tokens):
    lengths = bptt_lengths(n_tokens, 70, np.random.default_rng(0))
    assert lengths.sum() == n_tokens
    assert (lengths >= min(5, n_tokens)).all()


def test_bptt_lengths_vary_around_bptt_with_some_halves():
    lengths = bptt_lengths(700_000, 70, np.random.default_rng(0))
    assert abs(np.median(lengths) - 70) <= 1
    assert 0.03 < (lengths < 50).mean() < 0.07


def test_targets_are_the_next_tokens_and_rows_continue_between_batches():
    stream = np.arange(100)
    batches = list(stream_batches(stream, 4, np.array([10, 14])))
    inputs = np.concatenate([batch.inputs for batch in batches], axis=1)
    targets = np.concatenate([batch.targets for batch in batches], axis=1)
    assert inputs.shape == (4, 24)
    np.testing.assert_array_equal(targets, inputs + 1)
    np.testing.assert_array_equal(np.diff(inputs, axis=1), 1)


def test_a_shuffled_stream_holds_every_document_whole():
    corpus = TokenCorpus.from_documents([[1, 2, 3], [4], [5, 6]])
    stream = shuffled_stream(corpus, np.random.default_rng(0)).tolist()
    assert sorted(stream) == [1, 2, 3, 4, 5, 6]
    assert "123" in "".join(map(str, stream))


def test_document_batches_respect_both_bounds_and_lose_nothing():
    lengths = np.random.default_rng(0).integers(1, 100, 200)
    order = np.argsort(lengths)
    batches = document_batches(lengths, order, 16, 500)
    assert np.concatenate(batches).tolist() == order.tolist()
    assert all(len(batch) <= 16 and len(batch) * lengths[batch].max() <= 500 for batch in batches)


def test_a_document_over_the_token_bound_is_a_batch_of_its_own():
    batches = document_batches(np.array([5, 900, 5]), np.arange(3), 16, 100)
    assert [batch.tolist() for batch in batches] == [[0], [1], [2]]


def test_single_documents_are_joined_to_a_batch():
    batches = merge_single_documents([np.array([0]), np.array([1]), np.array([2, 3]), np.array([4])])
    assert all(len(batch) > 1 for batch in batches)
    assert np.concatenate(batches).tolist() == [0, 1, 2, 3, 4]


def test_canonical_order_does_not_depend_on_the_order_given():
    documents = [[3, 1], [2], [1, 9], [2, 2, 2], [1]]
    corpus = TokenCorpus.from_documents(documents)
    shuffled = TokenCorpus.from_documents(documents[::-1])
    ordered = [corpus[index].tolist() for index in canonical_order(corpus)]
    assert ordered == [shuffled[index].tolist() for index in canonical_order(shuffled)]
    assert [len(document) for document in ordered] == sorted(map(len, documents))


def test_a_bucketed_order_is_a_permutation_of_neighbours_of_similar_length():
    lengths = np.arange(200, 1200)
    order = bucketed_order(lengths, np.random.default_rng(1))
    assert sorted(order) == list(range(1000))
    ends = [lengths[order[start : start + 10]] for start in range(0, 1000, 10)]
    assert all(batch.max() <= 1.8 * batch.min() for batch in ends)


def test_batches_of_few_documents_differ_from_epoch_to_epoch():
    lengths, rng = np.arange(10, 60), np.random.default_rng(0)
    first, second = (set(bucketed_order(lengths, rng)[:10].tolist()) for _ in range(2))
    assert first != second


def test_padding_stands_on_the_right():
    ids, lengths = pad(TokenCorpus.from_documents([[7, 8], [9]]), np.array([1, 0]))
    assert ids.tolist() == [[9, 0], [7, 8]]
    assert lengths.tolist() == [1, 2]


@pytest.mark.parametrize(("n_tokens", "expected"), [(10, 1), (2_800, 10), (1_000_000, 64)])
def test_little_text_is_cut_into_few_streams(n_tokens, expected):
    assert n_streams(n_tokens, 64, 70) == expected
