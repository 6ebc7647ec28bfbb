"""The dropouts of AWD-LSTM (Merity et al. 2018, section 4)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
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


def keep_mask(shape: Sequence[int], p: float, like: Tensor, rng: np.random.Generator | None) -> Tensor:
    """A mask that drops with probability p: 0 or 1 / (1 - p), drawn from `rng`, or else from torch's random state.

    On a CPU torch draws a value in 15 ns, NumPy in 2; 16 bits each are as fine as a probability needs to be.
    """
    if rng is None:
        return like.new_empty(shape).bernoulli_(1 - p).div_(1 - p)
    bits = rng.integers(1 << 16, size=shape, dtype=np.uint16)
    keep = torch.from_numpy((bits >= round(p * (1 << 16))).astype(np.float32))
    return keep.mul_(1 / (1 - p)).to(like.device, like.dtype)


def variational_dropout(x: Tensor, p: float, training: bool, rng: np.random.Generator | None = None) -> Tensor:
    """Drop the same features at every time step of a sequence, x of shape (B, T, H)."""
    if not training or p == 0:
        return x
    return x * keep_mask((x.shape[0], 1, x.shape[2]), p, x, rng)


def word_dropout(weight: Tensor, p: float, training: bool, rng: np.random.Generator | None = None) -> Tensor | None:
    """Mask (V, 1) of whole rows of an embedding matrix (V, E), None where nothing is dropped."""
    if not training or p == 0:
        return None
    return keep_mask((weight.shape[0], 1), p, weight, rng)


def weight_drop(weight: Tensor, p: float, training: bool, rng: np.random.Generator | None = None) -> Tensor:
    """DropConnect: a copy of a weight matrix with entries dropped; the parameter itself is never touched."""
    if not training or p == 0:
        return weight
    return weight * keep_mask(weight.shape, p, weight, rng)
