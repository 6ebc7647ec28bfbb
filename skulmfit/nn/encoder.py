"""The encoder: embeddings under a stack of recurrent layers with weight drop, an AWD-LSTM (Merity et al. 2018) or QRNN.

Letters in shapes: B batch, T time, V vocabulary, E embedding, H hidden.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.dropout import Dropouts, variational_dropout, word_dropout
from skulmfit.nn.lstm import LSTMLayer
from skulmfit.nn.qrnn import QRNNLayer

State = list[tuple[Tensor, Tensor]]  # of each layer, (1, B, ...): hidden and cell, or a QRNN's hidden and last input
KINDS = ("lstm", "qrnn")


@dataclass(frozen=True)
class Architecture:
    """Shape of the network: all that is needed to rebuild it before its weights are loaded.

    With tied embeddings drawn from U(-0.1, 0.1) the signal is too faint at the input and too weak at the softmax for
    Adam to leave the unigram plateau; the two scales mend that. They are 1 in checkpoints of other libraries.
    """

    vocab_size: int
    embedding_dim: int = 256
    hidden_dim: int = 640
    n_layers: int = 3
    embedding_scale: float = 16.0
    output_scale: float = 8.0
    kind: str = "lstm"

    def __post_init__(self) -> None:
        for name in ("vocab_size", "embedding_dim", "hidden_dim", "n_layers"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} of an architecture must be an int of at least 1, got {value!r}.")
            object.__setattr__(self, name, int(value))
        for name in ("embedding_scale", "output_scale"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or value is True or not 0 < value < math.inf:
                raise ValueError(f"{name} of an architecture must be a finite number above 0, got {value!r}.")
        if self.kind not in KINDS:
            raise ValueError(f"kind of an architecture must be one of {', '.join(KINDS)}, got {self.kind!r}.")

    def layer_sizes(self) -> list[tuple[int, int]]:
        """Input and output width of each layer; the last one returns to the width of the embeddings."""
        widths = [self.embedding_dim] + [self.hidden_dim] * (self.n_layers - 1) + [self.embedding_dim]
        return list(zip(widths, widths[1:]))

    def output_width(self, n_layers: int) -> int:
        """Width of the outputs of the `n_layers` top layers side by side."""
        return sum(width for _, width in self.layer_sizes()[-n_layers:])

    def build_layers(self) -> list[nn.Module]:
        """New layers; the first one of a QRNN sees two inputs at a time, as in MultiFiT."""
        if self.kind == "lstm":
            return [LSTMLayer(*sizes) for sizes in self.layer_sizes()]
        return [QRNNLayer(*sizes, window=1 if index else 2) for index, sizes in enumerate(self.layer_sizes())]


class Encoded(NamedTuple):
    """Output of the encoder."""

    output: Tensor  # (B, T, W), of the top layers side by side, the last one's after output dropout; W = E for one
    raw_output: Tensor  # (B, T, E), before it
    state: State


class Draw(NamedTuple):
    """What dropout leaves of an encoder's weights, for a whole batch, and what the dropout of its rows draws from."""

    words: Tensor | None  # (V, 1), the mask of the embeddings
    recurrent: Sequence[Tensor]  # of each layer the matrix that DropConnect thins
    rng: np.random.Generator | None = None  # None for torch's random state


class Encoder(nn.Module):
    """Embeddings and recurrent layers: token ids (B, T) to hidden states (B, T, E)."""

    def __init__(self, architecture: Architecture, dropouts: Dropouts = Dropouts()):
        super().__init__()
        self.architecture = architecture
        self.dropouts = dropouts
        self.embedding = nn.Parameter(torch.empty(architecture.vocab_size, architecture.embedding_dim))
        nn.init.uniform_(self.embedding, -0.1, 0.1)
        self.layers = nn.ModuleList(architecture.build_layers())

    def initial_state(self, batch_size: int) -> State:
        """Zeros for every layer."""
        return [layer.initial_state(batch_size) for layer in self.layers]  # type: ignore[operator]

    def draw(self, rng: np.random.Generator | None = None) -> Draw:
        """Draw the dropout of the weights, from `rng` or else from torch's random state."""
        p = self.dropouts
        words = word_dropout(self.embedding, p.embedding, self.training, rng)
        rngs = [None] * len(self.layers) if rng is None else rng.spawn(len(self.layers))
        return Draw(words, [layer.drop_weight(p.weight, own) for layer, own in zip(self.layers, rngs)], rng)  # type: ignore[operator]

    def forward(self, ids: Tensor, state: State, *, n_layers: int = 1, draw: Draw | None = None) -> Encoded:
        """Encode ids (B, T), continuing from a state; the output is that of the `n_layers` top layers.

        Without a `draw` the dropout of the weights is drawn here.
        """
        p = self.dropouts
        draw = draw or self.draw()
        x = self._embed(ids, draw.words)  # (B, T, E)
        x = variational_dropout(x, p.input, self.training, draw.rng)
        outputs, next_state = [], []
        for index, layer in enumerate(self.layers):
            if index > 0:
                x = variational_dropout(x, p.hidden, self.training, draw.rng)
            x, layer_state = layer(x, state[index], draw.recurrent[index])
            outputs.append(x)
            next_state.append(layer_state)
        last = variational_dropout(x, p.output, self.training, draw.rng)
        output = torch.cat([*outputs[-n_layers:-1], last], dim=2) if n_layers > 1 else last
        return Encoded(output, x, next_state)

    def _embed(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Embeddings (B, T, E) of ids (B, T)."""
        x = F.embedding(ids, self.embedding)
        scale = self.architecture.embedding_scale
        return x * scale if mask is None else x * (F.embedding(ids, mask) * scale)


def detach(state: State) -> State:
    """The same state without its history: gradients end here."""
    return [(hidden.detach(), cell.detach()) for hidden, cell in state]


def rows_of(state: State, rows: slice) -> State:
    """The state of some rows of a batch."""
    return [(hidden[:, rows], cell[:, rows]) for hidden, cell in state]


def join(states: Sequence[State]) -> State:
    """The states of some rows of a batch, one after the other, as one."""
    return [
        (torch.cat(hidden, dim=1), torch.cat(cell, dim=1)) for hidden, cell in (zip(*layer) for layer in zip(*states))
    ]
