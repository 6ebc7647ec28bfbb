import multiprocessing
import sys
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import LABELS, RECIPE, TEXTS, Killed, broken_off, small_classifier, small_lm

from skulmfit.nn.dropout import Dropouts
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.heads import PoolingHead
from skulmfit.nn.networks import DocumentNetwork, LanguageModelNetwork
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.shards import in_shards, n_shards
from skulmfit.training.language_model_task import LanguageModelLoss

ARCHITECTURE = Architecture(vocab_size=40, embedding_dim=6, hidden_dim=9, n_layers=2)
ALL_DROPOUTS = Dropouts(0.1, 0.1, 0.1, 0.1, 0.3)


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def new_encoder(dropouts=Dropouts()):
    torch.manual_seed(0)
    return Encoder(ARCHITECTURE, dropouts).train()


def test_shards_and_their_rows_grow_with_the_batch():
    assert [n_shards(n) for n in (1, 8, 15, 16, 32, 63, 64, 128, 256, 1024)] == [1, 1, 1, 2, 2, 2, 4, 4, 8, 16]


def test_gradients_of_a_language_model_are_those_of_the_whole_batch():
    network = LanguageModelNetwork(new_encoder())
    inputs, targets = torch.randint(0, 40, (2, 67, 7))
    state = [(torch.randn(1, 67, n), torch.randn(1, 67, n)) for n in (9, 6)]
    objective, loss, after = LanguageModelLoss(network, alpha=2.0, beta=1.0, dtype=torch.float32)(
        inputs, targets, state
    )
    found = torch.autograd.grad(objective, list(network.parameters()))

    whole = network(inputs, state)
    logits = F.linear(whole.output * ARCHITECTURE.output_scale, network.encoder.embedding, network.decoder_bias)
    cross_entropy = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    regularisation = 2 * whole.output.square().mean() + whole.output.diff(dim=1).square().mean()
    expected = torch.autograd.grad(cross_entropy + regularisation, list(network.parameters()))
    torch.testing.assert_close((loss, *found), (cross_entropy, *expected))
    for (hidden, cell), (whole_hidden, whole_cell) in zip(after, whole.state):
        torch.testing.assert_close((hidden, cell), (whole_hidden, whole_cell))


def test_gradients_under_a_head_are_those_of_the_whole_batch():
    encoder = new_encoder()
    network = DocumentNetwork(encoder, PoolingHead(3 * 6, 3, dropouts=(0.0, 0.0))).train()
    ids, lengths = torch.randint(0, 40, (17, 8)), torch.arange(17, 0, -1).clamp(max=8)
    outputs = network(ids, lengths, chunk_size=3)
    found = torch.autograd.grad(outputs.square().sum(), list(network.parameters()))
    expected_outputs = network.head(pool_documents(encoder, ids, lengths, chunk_size=3))
    expected = torch.autograd.grad(expected_outputs.square().sum(), list(network.parameters()))
    torch.testing.assert_close((outputs, *found), (expected_outputs, *expected))


def test_frozen_layers_get_no_gradient():
    encoder = new_encoder(ALL_DROPOUTS)
    encoder.embedding.requires_grad_(False)
    encoder.layers[0].requires_grad_(False)
    network = DocumentNetwork(encoder, PoolingHead(3 * 6, 3)).train()
    network(torch.randint(0, 40, (16, 5)), torch.full((16,), 5), chunk_size=9).sum().backward()
    assert all(param.grad is None for param in (encoder.embedding, *encoder.layers[0].parameters()))
    assert all(param.grad.abs().sum() > 0 for param in encoder.layers[1].parameters())


def test_a_batch_shares_the_dropout_of_weights_and_each_shard_draws_that_of_its_rows():
    def read(shard):
        ids = torch.zeros(16, 3, dtype=torch.long)
        encoded = encoder(ids, encoder.initial_state(16), draw=shard.draw)
        return [encoded.output], (shard.rows, shard.draw.recurrent, encoded.output.detach() == 0)

    encoder = new_encoder(ALL_DROPOUTS)
    shards = [extra for _, extra in in_shards(read, 64, encoder)]
    assert [rows for rows, *_ in shards] == [slice(0, 16), slice(16, 32), slice(32, 48), slice(48, 64)]
    assert all(matrices is shards[0][1] for _, matrices, _ in shards)
    assert not torch.equal(shards[0][2], shards[1][2])


def test_masks_follow_from_torchs_seed():
    encoder, ids = new_encoder(ALL_DROPOUTS), torch.randint(0, 40, (16, 5))
    network = DocumentNetwork(encoder, PoolingHead(3 * 6, 3))
    outputs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outputs.append(network(ids, torch.full((16,), 5), chunk_size=9))
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[0], outputs[2])


@pytest.mark.parametrize(
    "size",
    [{}, {"embedding_dim": 64, "hidden_dim": 128, "n_layers": 3}, {"architecture": "qrnn", "hidden_dim": 64}],
    ids=["tiny", "64/128", "qrnn"],
)
def test_a_fit_gives_the_same_bits_on_any_number_of_threads(size, threads):
    found = []
    for n in (1, 2, 16):
        threads(n)
        model = small_classifier(small_lm(bptt=5, batch_size=16, **size), batch_size=16).fit(TEXTS, LABELS)
        found.append(model.predict_proba(TEXTS[:6]))
        assert torch.get_num_threads() == n
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("error", [KeyboardInterrupt, Killed])
def test_torchs_setting_is_put_back_when_a_fit_breaks_off(error, threads):
    threads(3)
    with broken_off(at=1, error=error), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that it was interrupted
        with pytest.raises(Killed) if error is Killed else nullcontext():
            small_classifier(recipe=RECIPE).fit(TEXTS, LABELS)
    assert torch.get_num_threads() == 3


def test_an_error_in_a_shard_comes_through(threads):
    def fail(shard):
        raise ZeroDivisionError(str(shard.rows.start))

    threads(2)
    with pytest.raises(ZeroDivisionError, match=r"^0$"):
        in_shards(fail, 16, new_encoder())
    assert torch.get_num_threads() == 2


def _fit_in_a_child(queue):
    queue.put(small_classifier(batch_size=16).fit(TEXTS, LABELS).predict_proba(TEXTS[:2]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_trains_as_its_parent_does(threads):
    threads(2)
    here = small_classifier(batch_size=16).fit(TEXTS, LABELS).predict_proba(TEXTS[:2])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_a_child, args=(queue,))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), here)
    child.join()
