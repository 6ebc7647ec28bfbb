"""A training reads the beginning of a long document once a stage, and pools the same positions as `predict`."""

import numpy as np
import pytest
import torch
from helpers import RECIPE, TINY, Killed, broken_off

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.estimators import fit_checkpoint
from skulmfit.inference import beginnings as module
from skulmfit.inference import passes
from skulmfit.inference.beginnings import Beginnings
from skulmfit.inference.documents import document_outputs
from skulmfit.nn import chunks, pooling
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.heads import PoolingHead
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training import head_fine_tuning

CPU = Runtime(torch.device("cpu"), torch.float32)
LENGTHS = [32, 6, 25, 31, 1, 18, 24, 10] * 2


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_SIZE", 8)
    monkeypatch.setattr(module, "STEP", 8)
    monkeypatch.setattr(chunks, "STEP", 8)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(Architecture(60, 5, 7, n_layers=2))


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    return TokenCorpus.from_documents([rng.integers(2, 60, n) for n in LENGTHS])


def test_a_beginning_is_a_number_of_whole_steps_and_the_end_is_what_gradients_reach(corpus):
    assert Beginnings(corpus, 10, CPU).ends.lengths.tolist() == [8, 6, 9, 7, 1, 10, 8, 10] * 2
    assert Beginnings(corpus, 32, CPU).ends is corpus


def test_documents_in_two_parts_give_what_they_give_in_one(encoder, corpus):
    beginnings = Beginnings(corpus, 10, CPU)
    beginnings.read(encoder, 2)
    whole = document_outputs(encoder, corpus, CPU, n_layers=2)
    np.testing.assert_allclose(beginnings.outputs(encoder, 2), whole, atol=1e-6)


def test_a_training_pools_the_same_positions_and_gradients_reach_the_ends_alone(encoder):
    corpus = TokenCorpus.from_documents([np.arange(2, 34), np.arange(34, 40)])
    beginnings = Beginnings(corpus, 10, CPU)
    beginnings.read(encoder, 1)
    network = DocumentNetwork(encoder.train(), PoolingHead(15, 2)).train()
    network.head = torch.nn.Identity()
    network.head.n_layers = 1
    ids, lengths = torch.zeros(2, 8, dtype=torch.long), torch.tensor([8, 6])
    ids[0], ids[1, :6] = torch.arange(26, 34), torch.arange(34, 40)
    pooled = network(ids, lengths, chunk_size=8, beginning=beginnings.of(np.array([0, 1])))
    np.testing.assert_allclose(pooled.detach().numpy(), document_outputs(encoder, corpus, CPU), atol=1e-6)
    pooled.sum().backward()
    touched = encoder.embedding.grad.abs().sum(dim=1).nonzero()[:, 0].tolist()
    assert touched == [*range(26, 34), *range(34, 40)]


def test_a_bounded_number_of_documents_is_read_at_a_time_and_each_to_its_end(encoder, corpus, shapes, monkeypatch):
    monkeypatch.setattr(passes, "_TOKENS_ON_A_CPU", 96)
    Beginnings(corpus, 10, CPU).read(encoder, 1)
    # Of 24 tokens are 4, of 16 too, of 8 two.
    assert sorted(shapes) == sorted([(4, 8)] * 3 + [(6, 8), (4, 8)])


LONG_TEXTS = [f"{'zebra' if row % 2 else 'plain'} {'and so on it went ' * 6}" for row in range(16)]
WHERE = ["zoo" if row % 2 else "home" for row in range(16)]


def classifier(lm=None, **changes):
    lm = lm or LMFineTuner(**TINY, epochs=1)
    options = {"epochs": 20, "batch_size": 8, "recipe": RECIPE, "learning_rate": 0.02, "random_state": 0}
    return ULMFiTClassifier(lm, **options | changes)


@pytest.fixture
def gradients_reach_ten_tokens(monkeypatch):
    monkeypatch.setattr(head_fine_tuning, "MAX_BACKPROP", 10)


def test_a_word_at_the_start_of_a_long_document_is_learnt(gradients_reach_ten_tokens):
    model = classifier(LMFineTuner(**TINY | {"embedding_dim": 32, "hidden_dim": 48}, epochs=1), batch_size=4)
    assert model.fit(LONG_TEXTS, WHERE).score(LONG_TEXTS, WHERE) == 1.0


@pytest.fixture
def n_read(monkeypatch):
    """Documents whose beginnings have been read, time after time."""
    n_read, read_to_ends = [], module.read_to_ends

    def counting(encoder, ids, lengths, beginning, **options):
        if not beginning.n_read.any():
            n_read.append(len(ids))
        return read_to_ends(encoder, ids, lengths, beginning, **options)

    monkeypatch.setattr(module, "read_to_ends", counting)
    return n_read


@pytest.fixture
def shapes(monkeypatch):
    """Of the ids that an encoder reads."""
    shapes, read_on = [], pooling.read_on

    def noting(encoder, ids, *arguments, **options):
        shapes.append(tuple(ids.shape))
        return read_on(encoder, ids, *arguments, **options)

    monkeypatch.setattr(pooling, "read_on", noting)
    return shapes


def test_beginnings_are_read_once_while_the_encoder_hardly_moves(gradients_reach_ten_tokens, n_read):
    model = classifier(learning_rate=1e-6, gradual_unfreezing=True).fit(LONG_TEXTS, WHERE)
    assert len(model.history_) > 20
    assert sum(n_read) == len(LONG_TEXTS)


def test_they_are_read_again_when_it_has_moved(encoder, corpus, n_read):
    beginnings = Beginnings(corpus, 10, CPU)
    for factor, n_times in [(1.0, 1), (1.01, 1), (1.03, 2), (1.0, 2)]:
        with torch.no_grad():
            for param in encoder.layers.parameters():
                param.mul_(factor)
        beginnings.read(encoder, 1)
        assert sum(n_read) == n_times * sum(length > 10 for length in LENGTHS)
    np.testing.assert_allclose(beginnings.outputs(encoder, 1), document_outputs(encoder, corpus, CPU), atol=1e-6)


def test_a_killed_fit_on_long_documents_goes_on_to_the_same_bits(gradients_reach_ten_tokens, monkeypatch, tmp_path):
    monkeypatch.setattr(fit_checkpoint, "SECONDS_BETWEEN_SAVES", 0.0)
    with broken_off() as updates:
        uncut = classifier().fit(LONG_TEXTS, WHERE)
    with broken_off(at=updates[0] - 4, error=Killed), pytest.raises(Killed):
        classifier(checkpoint=tmp_path).fit(LONG_TEXTS, WHERE)
    with broken_off() as left:
        resumed = classifier(checkpoint=tmp_path).fit(LONG_TEXTS, WHERE)
    assert left[0] < updates[0]
    np.testing.assert_array_equal(resumed.predict_proba(LONG_TEXTS), uncut.predict_proba(LONG_TEXTS))
