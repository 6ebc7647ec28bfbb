"""The sentence map: from a language model's pooled states to the vectors of a sentence encoder that taught it."""

from dataclasses import dataclass

import numpy as np
import torch

from skulmfit.nn.encoder import Architecture
from skulmfit.nn.features import FEATURES, Features
from skulmfit.nn.pooling import POOLINGS


@dataclass(frozen=True, eq=False)
class SentenceMap:
    """Linear map from pooled states of the last layer, [last, max, mean], onto the vectors of a sentence encoder.

    Parameters
    ----------
    weight : ndarray of shape (n_dimensions, 3 * embedding_dim), float32
    bias : ndarray of shape (n_dimensions,), float32
    """

    weight: np.ndarray
    bias: np.ndarray


def resolve_kind(kind: str, sentence_map: SentenceMap | None) -> str:
    """The kind of features itself, or what "auto" stands for: "combined" if there is a sentence map."""
    if kind != "auto":
        return kind
    return "last_layer" if sentence_map is None else "combined"


def build_features(
    kind: str, architecture: Architecture, sentence_map: SentenceMap | None, poolings: tuple[str, ...] = POOLINGS
) -> Features:
    """Features of a kind, or of "auto", on an encoder of an architecture.

    Raises
    ------
    ValueError
        If the kind has sentence vectors, but there is no map onto them.
    """
    kind = resolve_kind(kind, sentence_map)
    if not FEATURES[kind].sentence_scale:
        return Features(kind, architecture, poolings=poolings)
    if sentence_map is None:
        raise ValueError(
            f"features={kind!r} needs a language model that was taught by a sentence encoder, such as 'en'; this one "
            "has no sentence vectors. Take 'last_layer', 'last_two_layers' or 'all_layers'."
        )
    features = Features(kind, architecture, len(sentence_map.bias), poolings)
    features.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in vars(sentence_map).items()})
    return features
