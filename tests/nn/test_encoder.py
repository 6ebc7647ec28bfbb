import copy

import numpy as np
import pytest
import torch
from references import numpy_lstm

from skulmfit.nn.dropout import Dropouts, keep_mask, variational_dropout, weight_drop, word_dropout
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.lstm import LSTMLayer

ARCHITECTURE = Architecture(vocab_size=30, embedding_dim=5, hidden_dim=7, n_layers=3)


def test_encoder_equals_a_numpy_lstm():
    torch.manual_seed(0)
    encoder = Encoder(ARCHITECTURE).eval()
    ids = torch.randint(0, 30, (2, 11))
    output = encoder(ids, encoder.initial_state(2)).output.detach().numpy()
    for row in range(2):
        x = encoder.embedding.detach().double().numpy()[ids[row]] * ARCHITECTURE.embedding_scale
        for layer in encoder.layers:
            x = numpy_lstm(layer, x)
        np.testing.assert_allclose(output[row], x, atol=1e-6)


def test_the_last_layer_is_as_wide_as_the_embeddings():
    assert ARCHITECTURE.layer_sizes() == [(5, 7), (7, 7), (7, 5)]


def test_a_sequence_in_two_parts_equals_the_whole():
    encoder = Encoder(ARCHITECTURE).eval()
    ids = torch.randint(0, 30, (3, 10))
    whole = encoder(ids, encoder.initial_state(3))
    first = encoder(ids[:, :4], encoder.initial_state(3))
    second = encoder(ids[:, 4:], first.state)
    torch.testing.assert_close(torch.cat([first.output, second.output], dim=1), whole.output)


def test_weight_drop_leaves_the_parameters_untouched_and_in_the_graph():
    layer = LSTMLayer(4, 6).train()
    before = layer.weight_hh.detach().clone()
    state = (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6))
    x = torch.randn(2, 5, 4)
    first, _ = layer(x, state, layer.drop_weight(0.5))
    second, _ = layer(x, state, layer.drop_weight(0.5))
    assert not torch.equal(first, second)
    first.sum().backward()
    assert torch.equal(layer.weight_hh, before)
    assert layer.weight_hh.grad.abs().sum() > 0
    assert layer.weight_hh.is_leaf


def test_weight_drop_acts_on_hidden_to_hidden_only():
    layer = LSTMLayer(4, 6).train()
    state = (torch.zeros(1, 2, 6), torch.zeros(1, 2, 6))
    x = torch.randn(2, 1, 4)  # from a zero state the first step does not touch the hidden-to-hidden matrix
    assert torch.equal(layer(x, state, layer.drop_weight(0.9))[0], layer(x, state, layer.weight_hh)[0])


def test_deepcopy_works_after_a_training_step():
    encoder = Encoder(ARCHITECTURE, Dropouts(0.1, 0.1, 0.1, 0.1, 0.5)).train()
    encoder(torch.randint(0, 30, (2, 5)), encoder.initial_state(2)).output.sum().backward()
    copied = copy.deepcopy(encoder)
    assert torch.equal(copied.embedding, encoder.embedding)


def test_variational_dropout_drops_the_same_features_at_every_step():
    dropped = variational_dropout(torch.ones(4, 9, 50), 0.5, training=True)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_embedding_dropout_drops_whole_words_from_the_batch_and_rescales_the_others():
    encoder = Encoder(ARCHITECTURE, Dropouts(embedding=0.2)).train()
    ids = torch.arange(30).repeat(2, 1)
    embedded = encoder._embed(ids, encoder.draw(np.random.default_rng(0)).words)
    scale = (embedded / (encoder.embedding * ARCHITECTURE.embedding_scale)).round(decimals=4)
    assert torch.equal(scale, scale[:1, :, :1].expand_as(scale))
    assert set(scale.unique().tolist()) == {0.0, 1.25}


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_a_mask_drops_as_often_as_its_probability_says_and_keeps_the_mean(rng):
    mask = keep_mask((400, 500), 0.3, torch.empty(0), rng)
    assert set(mask.unique().tolist()) == {0.0, np.float32(1 / 0.7)}
    assert (mask == 0).float().mean() == pytest.approx(0.3, abs=0.005)


@pytest.mark.parametrize("drop", [variational_dropout, weight_drop])
def test_nothing_is_dropped_in_evaluation(drop):
    x = torch.randn(3, 4, 5) if drop is variational_dropout else torch.randn(3, 4)
    assert torch.equal(drop(x, 0.5, False), x)
    assert word_dropout(x, 0.5, False) is None


def test_dropouts_scale_together_and_stay_below_one():
    assert Dropouts(0.1, 0.2, 0.3, 0.4, 0.5) * 0.5 == Dropouts(0.05, 0.1, 0.15, 0.2, 0.25)
    assert (Dropouts(weight=0.5) * 4).weight == 0.95


def test_the_forget_gate_starts_open_and_gates_start_orthogonal():
    layer = LSTMLayer(6, 6)
    assert torch.equal((layer.bias_ih + layer.bias_hh).chunk(4)[1], torch.ones(6))
    for gate in layer.weight_hh.detach().chunk(4):
        torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)
