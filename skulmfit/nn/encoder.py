"""The encoder: embeddings under a stack of recurrent layers with weight drop, an AWD-LSTM (Merity et al. 2018) or QRNN.

Letters in shapes: B batch, T time, V vocabulary, E embedding, H hidden.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.dropout import Dropouts, embedding_dropout, variational_dropout
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

    def forward(self, ids: Tensor, state: State, *, n_layers: int = 1) -> Encoded:
        """Encode ids (B, T), continuing from a state; the output is that of the `n_layers` top layers."""
        p = self.dropouts
        table = embedding_dropout(self.embedding, p.embedding, self.training)
        x = F.embedding(ids, table) * self.architecture.embedding_scale  # (B, T, E)
        x = variational_dropout(x, p.input, self.training)
        outputs, next_state = [], []
        for index, layer in enumerate(self.layers):
            if index > 0:
                x = variational_dropout(x, p.hidden, self.training)
            x, layer_state = layer(x, state[index], p.weight)
            outputs.append(x)
            next_state.append(layer_state)
        last = variational_dropout(x, p.output, self.training)
        output = torch.cat([*outputs[-n_layers:-1], last], dim=2) if n_layers > 1 else last
        return Encoded(output, x, next_state)


def detach(state: State) -> State:
    """The same state without its history: gradients end here."""
    return [(hidden.detach(), cell.detach()) for hidden, cell in state]
