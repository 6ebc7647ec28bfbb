"""A fine-tuned model as plain data: a language model's encoder under a head."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from skulmfit.models.language_model import LanguageModel
from skulmfit.models.model import Model
from skulmfit.models.sentence_map import SentenceMap, build_features
from skulmfit.models.weights import to_numpy
from skulmfit.nn.dropout import MAX_DROPOUT, Dropouts
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.features import Features
from skulmfit.nn.heads import PoolingHead, SolvedHead
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.pooling import POOLINGS

_SECOND_HEAD_DROPOUT = 0.1  # of the authors' code, for a multiplier of 1


@dataclass(frozen=True)
class HeadShape:
    """Shape of a head: all that is needed to rebuild it before its weights are loaded.

    Parameters
    ----------
    n_outputs : int
    head_dim : int
        Width of the hidden layer.
    features : str, optional
        What a solved head sees of the encoder, one of `skulmfit.nn.features.FEATURES`; None for the paper's head.
    sentence_dim : int, default=0
        Width of the sentence vectors among the features.
    """

    n_outputs: int
    head_dim: int
    features: str | None = None
    sentence_dim: int = 0

    def build(self, architecture: Architecture, dropouts: tuple[float, float]) -> PoolingHead | SolvedHead:
        """A new head with the dropouts of its two blocks."""
        if self.features is None:
            return PoolingHead(len(POOLINGS) * architecture.embedding_dim, self.n_outputs, self.head_dim, dropouts)
        features = Features(self.features, architecture, self.sentence_dim)
        return SolvedHead(features, self.n_outputs, self.head_dim, dropouts)


@dataclass(frozen=True, eq=False)
class FineTunedModel(Model[DocumentNetwork]):
    """A language model's encoder under a head of its own, both fine-tuned on targets.

    Parameters
    ----------
    architecture, tokenizer, weights
        As in `Model`; the weights are those of `skulmfit.nn.networks.DocumentNetwork`.
    head : HeadShape
    """

    head: HeadShape

    @classmethod
    def from_network(cls, network: DocumentNetwork, start: LanguageModel, head: HeadShape) -> Self:
        """Copy the weights of a network that began as the language model `start`."""
        return cls(start.architecture, start.tokenizer, to_numpy(network), head)

    def new_network(self) -> DocumentNetwork:
        """A network of the architecture, its weights still to be loaded."""
        return new_document_network(self.architecture, self.head)

    def check(self, source: str) -> None:
        """Raise unless vocabulary and weights fit the architecture, and the head sees what there is.

        Raises
        ------
        ValueError
        """
        super().check(source)
        build_features(self.head.features or "last_layer", self.architecture, self.sentence_map)

    @property
    def sentence_map(self) -> SentenceMap | None:
        """The sentence map of the language model that it began as, where its head sees sentence vectors."""
        if not self.head.sentence_dim:
            return None
        weight, bias = (np.asarray(self.weights[f"head.features.{name}"]) for name in ("weight", "bias"))
        return SentenceMap(weight, bias)


def new_document_network(
    architecture: Architecture, head: HeadShape, dropouts: Dropouts = Dropouts(), dropout_multiplier: float = 0.0
) -> DocumentNetwork:
    """A new encoder under a new head. The output's dropout is the head's first one, as in the authors' code."""
    dropouts = dropouts * dropout_multiplier
    head_dropouts = (dropouts.output, min(_SECOND_HEAD_DROPOUT * dropout_multiplier, MAX_DROPOUT))
    new_head = head.build(architecture, head_dropouts)
    return DocumentNetwork(Encoder(architecture, replace(dropouts, output=0.0)), new_head)
