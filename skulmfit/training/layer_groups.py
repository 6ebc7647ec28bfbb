"""Layer groups: the parameters that are frozen, unfrozen and given a learning rate together, lowest first."""

from torch import nn

from skulmfit.nn.encoder import Encoder
from skulmfit.nn.networks import DocumentNetwork, LanguageModelNetwork

LayerGroups = dict[str, list[nn.Parameter]]
HEAD, EMBEDDING = "head", "embedding"


def layer_names(n_layers: int, kind: str = "lstm") -> list[str]:
    """Names of the recurrent layers' groups, first to last."""
    return [f"{kind}{index}" for index in range(n_layers)]


def language_model_groups(network: LanguageModelNetwork) -> LayerGroups:
    """Layer groups of a language model; the embeddings are its decoder too, and so form the last one."""
    return _recurrent_groups(network.encoder) | {EMBEDDING: [network.encoder.embedding, network.decoder_bias]}


def document_network_groups(network: DocumentNetwork) -> LayerGroups:
    """Layer groups of an encoder under a head."""
    encoder = network.encoder
    return {EMBEDDING: [encoder.embedding]} | _recurrent_groups(encoder) | {HEAD: list(network.head.parameters())}


def _recurrent_groups(encoder: Encoder) -> LayerGroups:
    names = layer_names(len(encoder.layers), encoder.architecture.kind)
    return {name: list(layer.parameters()) for name, layer in zip(names, encoder.layers)}
