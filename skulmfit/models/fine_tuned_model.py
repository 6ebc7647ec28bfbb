"""A fine-tuned model as plain data: a language model's encoder under a pooling head."""

from dataclasses import dataclass, replace

from skulmfit.models.language_model import LanguageModel
from skulmfit.models.model import Model
from skulmfit.models.weights import to_numpy
from skulmfit.nn.dropout import MAX_DROPOUT, Dropouts
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.heads import PoolingHead
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.pooling import POOLINGS

_SECOND_HEAD_DROPOUT = 0.1  # of the authors' code, for a multiplier of 1


@dataclass(frozen=True, eq=False)
class FineTunedModel(Model):
    """A language model's encoder under a head of its own, both fine-tuned on targets.

    Parameters
    ----------
    architecture, tokenizer, weights
        As in `Model`; the weights are those of `skulmfit.nn.networks.DocumentNetwork`.
    n_outputs : int
        Outputs of the head.
    head_dim : int
        Width of the head's hidden layer.
    """

    n_outputs: int
    head_dim: int

    @classmethod
    def from_network(cls, network: DocumentNetwork, start: LanguageModel, n_outputs: int, head_dim: int):
        """Copy the weights of a network that began as the language model `start`."""
        return cls(start.architecture, start.tokenizer, to_numpy(network), n_outputs, head_dim)

    def new_network(self) -> DocumentNetwork:
        """A network of the architecture, its weights still to be loaded."""
        return new_document_network(self.architecture, self.n_outputs, self.head_dim)


def new_document_network(
    architecture: Architecture,
    n_outputs: int,
    head_dim: int,
    dropouts: Dropouts = Dropouts(),
    dropout_multiplier: float = 0.0,
) -> DocumentNetwork:
    """A new encoder under a new head; the dropout of the output is the head's first one, as in the authors' code."""
    dropouts = dropouts * dropout_multiplier
    head_dropouts = (dropouts.output, min(_SECOND_HEAD_DROPOUT * dropout_multiplier, MAX_DROPOUT))
    head = PoolingHead(len(POOLINGS) * architecture.embedding_dim, n_outputs, head_dim, head_dropouts)
    return DocumentNetwork(Encoder(architecture, replace(dropouts, output=0.0)), head)
