"""The dropouts of AWD-LSTM (Merity et al. 2018, section 4)."""

from dataclasses import dataclass, fields

import torch.nn.functional as F
from torch import Tensor

MAX_DROPOUT = 0.95  # what a multiplier can reach


@dataclass(frozen=True)
class Dropouts:
    """Probability of each of AWD-LSTM's dropouts."""

    embedding: float = 0.0  # whole rows of the embedding matrix: a word is gone from the whole batch
    input: float = 0.0  # embedded inputs
    hidden: float = 0.0  # between LSTM layers
    output: float = 0.0  # after the last layer
    weight: float = 0.0  # hidden-to-hidden matrices (DropConnect)

    def __mul__(self, multiplier: float) -> "Dropouts":
        return Dropouts(
            **{field.name: min(getattr(self, field.name) * multiplier, MAX_DROPOUT) for field in fields(self)}
        )


# For a multiplier of 1: those of Howard & Ruder 2018, section 4.1, and of fastai's awd_lstm_lm_config.
PAPER_DROPOUTS = Dropouts(embedding=0.05, input=0.4, hidden=0.3, output=0.4, weight=0.5)
LM_DROPOUTS = Dropouts(embedding=0.02, input=0.25, hidden=0.15, output=0.1, weight=0.2)


def variational_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Drop the same features at every time step of a sequence, x of shape (B, T, H)."""
    if not training or p == 0:
        return x
    keep = x.new_empty(x.shape[0], 1, x.shape[2]).bernoulli_(1 - p).div_(1 - p)  # (B, 1, H)
    return x * keep


def embedding_dropout(weight: Tensor, p: float, training: bool) -> Tensor:
    """Drop whole rows of an embedding matrix of shape (V, E) and rescale the others."""
    if not training or p == 0:
        return weight
    keep = weight.new_empty(weight.shape[0], 1).bernoulli_(1 - p).div_(1 - p)  # (V, 1)
    return weight * keep


def weight_drop(weight: Tensor, p: float, training: bool) -> Tensor:
    """DropConnect: a copy of a weight matrix with entries dropped; the parameter itself is never touched."""
    return F.dropout(weight, p, training)
