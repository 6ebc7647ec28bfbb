import numpy as np
import pytest
import torch

from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.features import FEATURES, Features
from skulmfit.nn.pooling import pool_documents

SIZES = Architecture(11, embedding_dim=4, hidden_dim=6, n_layers=3)
WIDTHS = {"layer0": 6, "layer1": 6, "layer2": 4}
IDS, LENGTHS = torch.tensor([[3, 5, 2, 7, 9], [4, 1, 0, 0, 0]]), torch.tensor([5, 2])
SENTENCE_DIM = 5


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(SIZES).eval()


def features_of(encoder, kind, **options):
    """What the module makes of two documents, and its sentence map."""
    torch.manual_seed(1)
    features = Features(kind, SIZES, SENTENCE_DIM, **options)
    if features.sentence_dim:
        features.load_state_dict({"weight": torch.randn(SENTENCE_DIM, 12), "bias": torch.randn(SENTENCE_DIM)})
    with torch.no_grad():
        pooled = pool_documents(encoder, IDS, LENGTHS, chunk_size=2, n_layers=features.n_layers)
        return features, features(pooled).numpy()


def layer_outputs(encoder, row):
    """Outputs of every layer for one document, read without chunks or padding: {name: (T, H)}."""
    x = encoder.embedding[IDS[row : row + 1, : LENGTHS[row]]] * SIZES.embedding_scale
    outputs = {}
    for name, layer, state in zip(WIDTHS, encoder.layers, encoder.initial_state(1)):
        x, _ = layer(x, state, layer.weight_hh)
        outputs[name] = x[0].detach().numpy()
    return outputs


def by_name(encoder, features, row):
    """Every feature of a document, computed from its name."""
    outputs = layer_outputs(encoder, row)
    pool = {"last": lambda x: x[-1], "max": lambda x: x.max(axis=0), "mean": lambda x: x.mean(axis=0)}
    values = {}
    for layer, width in WIDTHS.items():
        for pooling, function in pool.items():
            for index in range(width):
                values[f"{layer}_{pooling}{index}"] = function(outputs[layer])[index] * features.kind.pooled_scale
                if layer == "layer2":
                    values[f"{pooling}{index}"] = values[f"{layer}_{pooling}{index}"]
    if features.sentence_dim:
        last = np.concatenate([function(outputs["layer2"]) for function in pool.values()])
        vector = features.weight.numpy() @ last + features.bias.numpy()
        vector *= features.kind.sentence_scale / np.sqrt((vector**2).sum())
        values |= {f"sentence{index}": value for index, value in enumerate(vector)}
    return values


@pytest.mark.parametrize("kind", FEATURES)
def test_every_feature_is_what_its_name_says(encoder, kind):
    features, found = features_of(encoder, kind)
    assert found.shape == (2, features.n_features)
    for row in range(2):
        expected = by_name(encoder, features, row)
        np.testing.assert_allclose(found[row], [expected[name] for name in features.names()], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "max", "mean"])
def test_one_pooling_is_a_part_of_all(encoder, pooling):
    everything, found = features_of(encoder, "combined")
    some, part = features_of(encoder, "combined", poolings=(pooling,))
    columns = [everything.names().index(name) for name in some.names()]
    assert {name.rstrip("0123456789") for name in some.names()} == {
        f"layer1_{pooling}", f"layer2_{pooling}", "sentence"
    }  # fmt: skip
    np.testing.assert_allclose(part, found[:, columns], rtol=1e-6)
