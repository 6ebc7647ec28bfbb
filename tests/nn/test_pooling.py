import numpy as np
import pytest
import torch

from skulmfit.inference import documents as inference
from skulmfit.inference import passes
from skulmfit.inference.documents import document_outputs
from skulmfit.nn import chunks
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.heads import PoolingHead
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus

CHUNK = 8


@pytest.fixture(scope="module")
def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Encoder(Architecture(vocab_size=40, embedding_dim=4, hidden_dim=6, n_layers=2)).eval()


def document(length):
    return np.random.default_rng(length).integers(2, 40, length)


def reference(encoder, ids):
    """[last, max, mean] of one unpadded document in one piece."""
    with torch.no_grad():
        hidden = encoder(torch.from_numpy(ids)[None], encoder.initial_state(1)).output[0].numpy()
    return np.concatenate([hidden[-1], hidden.max(axis=0), hidden.mean(axis=0)])


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 15, 16, 17, 24, 25])
def test_pooling_in_chunks_equals_pooling_the_whole(encoder, length):
    ids = document(length)
    with torch.no_grad():
        pooled = pool_documents(encoder, torch.from_numpy(ids)[None], torch.tensor([length]), chunk_size=CHUNK)
    np.testing.assert_allclose(pooled[0].numpy(), reference(encoder, ids), atol=1e-6)


def test_a_document_is_pooled_as_if_it_were_alone(encoder, monkeypatch):
    monkeypatch.setattr(inference, "CHUNK_SIZE", CHUNK)
    monkeypatch.setattr(passes, "_TOKENS_ON_A_CPU", 40)
    monkeypatch.setattr(chunks, "STEP", 4)
    corpus = [document(length) for length in (25, 1, 8, 9, 16, 7, 40, 17, 2, 8)]
    runtime = Runtime(torch.device("cpu"), torch.float32)
    together = document_outputs(encoder, TokenCorpus.from_documents(corpus), runtime)
    for row, ids in zip(together, corpus):
        np.testing.assert_allclose(row, reference(encoder, ids), atol=1e-6)
        alone = document_outputs(encoder, TokenCorpus.from_documents([ids]), runtime)[0]
        np.testing.assert_allclose(row, alone, atol=1e-6)


def test_a_hundred_short_documents_are_work_for_two_threads():
    corpus = TokenCorpus.from_documents([document(3)] * 100)
    batches = passes.batches_in_order(corpus, Runtime(torch.device("cpu"), torch.float32), verbose=0)
    assert [len(indices) for indices, _, _ in batches] == [64, 36]


def test_the_padding_symbol_does_not_matter(encoder):
    lengths, padded = torch.tensor([3, 20]), torch.from_numpy(np.stack([document(20), document(20)]))
    with torch.no_grad():
        first = pool_documents(encoder, padded, lengths, chunk_size=CHUNK)
        padded[0, 3:] = 33
        second = pool_documents(encoder, padded, lengths, chunk_size=CHUNK)
    assert torch.equal(first, second)


def test_gradients_reach_every_chunk_that_may_have_them(encoder):
    ids, lengths = torch.from_numpy(np.stack([np.arange(2, 34), np.arange(8, 40)])), torch.tensor([32, 32])
    encoder.zero_grad()
    pool_documents(encoder, ids, lengths, chunk_size=CHUNK).sum().backward()
    assert (encoder.embedding.grad[2:40].abs().sum(dim=1) > 0).all()


def test_the_head_is_two_blocks_of_batch_norm_dropout_and_linear():
    head = PoolingHead(12, 3, head_dim=5).eval()
    x = torch.randn(4, 12)
    first, second = [module for module in head.blocks if isinstance(module, torch.nn.Linear)]
    scale = 1 / np.sqrt(1 + 1e-5)  # a fresh batch norm in evaluation
    hidden = torch.relu(x * scale @ first.weight.T + first.bias)
    torch.testing.assert_close(head(x), hidden * scale @ second.weight.T + second.bias)
