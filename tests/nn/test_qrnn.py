import copy

import numpy as np
import pytest
import torch
from helpers import LABELS, TEXTS
from references import numpy_qrnn

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.qrnn import QRNNLayer, forget_mult

TINY = {
    "pretrained": None,
    "vocab_size": 320,
    "embedding_dim": 8,
    "hidden_dim": 12,
    "n_layers": 3,
    "architecture": "qrnn",
}


@pytest.mark.parametrize("window", [1, 2])
def test_a_layer_is_its_definition(window):
    torch.manual_seed(0)
    layer, x = QRNNLayer(5, 7, window), torch.randn(3, 11, 5)
    state = (torch.randn(1, 3, 7), torch.randn(1, 3, 5))
    output, (hidden, last) = layer(x, state, layer.weight)
    for row in range(3):
        expected, end = numpy_qrnn(layer, x[row].numpy(), state[0][0, row].numpy(), state[1][0, row].numpy())
        np.testing.assert_allclose(output[row].detach(), expected, atol=1e-6)
        np.testing.assert_allclose(hidden[0, row].detach(), end, atol=1e-6)
    assert torch.equal(last[0], x[:, -1])


def test_the_recurrences_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    f, z, initial = torch.rand(6, 2, 3), torch.randn(6, 2, 3), torch.randn(2, 3)
    inputs = [tensor.double().requires_grad_() for tensor in (f, z, initial)]
    assert torch.autograd.gradcheck(forget_mult, inputs)


def test_a_sequence_in_chunks_gives_what_it_gives_at_once():
    torch.manual_seed(0)
    encoder, ids = Encoder(Architecture(20, 8, 12, 4, kind="qrnn")), torch.randint(0, 20, (2, 17))
    whole = encoder(ids, encoder.initial_state(2)).output
    state, parts = encoder.initial_state(2), []
    for chunk in ids.split(5, dim=1):
        encoded = encoder(chunk, state)
        state = encoded.state
        parts.append(encoded.output)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


def test_in_bfloat16_a_layer_is_nearly_the_same_and_its_state_can_be_carried():
    torch.manual_seed(0)
    encoder, ids = Encoder(Architecture(20, 8, 12, 3, kind="qrnn")), torch.randint(0, 20, (2, 9))
    exact = encoder(ids, encoder.initial_state(2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        first = encoder(ids[:, :5], encoder.initial_state(2))
        second = encoder(ids[:, 5:], first.state)
        second.output.float().sum().backward()
    output = torch.cat([first.output, second.output], dim=1).float()
    torch.testing.assert_close(output, exact.output, atol=0.02, rtol=0.05)
    assert all(param.grad.isfinite().all() for param in encoder.parameters())


def test_dropped_weights_come_back():
    layer = QRNNLayer(5, 7, 2)
    before = layer.weight.clone()
    layer(torch.randn(2, 4, 5), layer.initial_state(2), layer.drop_weight(0.5))[0].sum().backward()
    assert torch.equal(layer.weight, before)
    assert (layer.weight.grad == 0).float().mean() > 0.3
    copy.deepcopy(layer)


def test_a_document_gives_what_it_gives_beside_longer_ones():
    torch.manual_seed(0)
    encoder = Encoder(Architecture(20, 8, 12, 3, kind="qrnn")).eval()
    documents = [torch.randint(2, 20, (n,)) for n in (1, 4, 5, 6, 13)]
    padded = torch.nn.utils.rnn.pad_sequence(documents, batch_first=True, padding_value=1)
    together = pool_documents(encoder, padded, torch.tensor([len(d) for d in documents]), chunk_size=5)
    for row, document in enumerate(documents):
        alone = pool_documents(encoder, document[None], torch.tensor([len(document)]), chunk_size=5)
        torch.testing.assert_close(together[row], alone[0])


def test_language_model_and_classifier_train():
    lm = LMFineTuner(**TINY, epochs=4, random_state=0).fit(TEXTS)
    assert lm.history_[-1]["loss"] < lm.history_[0]["loss"]
    options = {"epochs": 20, "learning_rate": 0.02, "gradual_unfreezing": True, "random_state": 0}
    classifier = ULMFiTClassifier(LMFineTuner(**TINY), **options).fit(TEXTS, LABELS)
    assert [stage.name for stage in classifier.stages_][1] == "from qrnn2"
    assert classifier.score(TEXTS, LABELS) == 1


def test_a_qrnn_is_stored_and_read_back(tmp_path):
    lm = LMFineTuner(**TINY, epochs=1, random_state=0).fit(TEXTS)
    lm.language_model().save(tmp_path / "qrnn.npz", dtype=np.float32)
    stored = LMFineTuner(tmp_path / "qrnn.npz", epochs=0).fit(["-"])
    np.testing.assert_array_equal(stored.transform(TEXTS), lm.transform(TEXTS))


def test_unknown_kinds_and_windows_are_refused():
    with pytest.raises(ValueError, match="architecture='gru' is not one of 'lstm', 'qrnn'"):
        LMFineTuner(architecture="gru").fit(TEXTS)
    with pytest.raises(ValueError, match="window must be 1 or 2, got 3"):
        QRNNLayer(2, 2, 3)


def test_a_qrnn_from_the_weights_of_an_lstm_is_refused():
    with pytest.raises(ValueError, match=r"architecture='qrnn' is for a new network.*Give pretrained=None"):
        LMFineTuner(architecture="qrnn").fit(TEXTS)
