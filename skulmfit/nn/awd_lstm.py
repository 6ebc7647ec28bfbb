"""AWD-LSTM encoder (Merity et al. 2018), or AWD-QRNN: embeddings and a stack of recurrent layers with weight drop.

Letters in shapes: B batch, T time, V vocabulary, E embedding, H hidden.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.dropout import Dropouts, embedding_dropout, variational_dropout, weight_drop
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

    def build_layers(self) -> list[nn.Module]:
        """New layers; the first one of a QRNN sees two inputs at a time, as in MultiFiT."""
        if self.kind == "lstm":
            return [LSTMLayer(*sizes) for sizes in self.layer_sizes()]
        return [QRNNLayer(*sizes, window=1 if index else 2) for index, sizes in enumerate(self.layer_sizes())]


class Encoded(NamedTuple):
    """Output of the encoder."""

    output: Tensor  # (B, T, E), after output dropout
    raw_output: Tensor  # (B, T, E), before it
    state: State


class LSTMLayer(nn.Module):
    """One LSTM layer whose hidden-to-hidden matrix may be dropped, its state an argument and a result."""

    def __init__(self, input_dim: int, hidden_dim: int):
        super().__init__()
        self.hidden_dim = hidden_dim
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_dim, input_dim))  # gates in torch's order i, f, g, o
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_dim, hidden_dim))
        self.bias_ih = nn.Parameter(torch.zeros(4 * hidden_dim))
        self.bias_hh = nn.Parameter(torch.zeros(4 * hidden_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Orthogonal matrices gate by gate, and a forget gate that starts open."""
        with torch.no_grad():
            for weight in (self.weight_ih, self.weight_hh):
                for gate in weight.chunk(4):
                    nn.init.orthogonal_(gate)
            self.bias_ih.chunk(4)[1].fill_(1.0)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Zeros: hidden state and cell, (1, B, H)."""
        zero = self.weight_hh.new_zeros((1, batch_size, self.hidden_dim))
        return zero, zero

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], weight_p: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x (B, T, input) and state to outputs (B, T, H) and the next state."""
        weight_hh = weight_drop(self.weight_hh, weight_p, self.training)
        dtype = _recurrent_dtype(x)
        weights = [weight.to(dtype) for weight in (self.weight_ih, weight_hh, self.bias_ih, self.bias_hh)]
        state = (state[0].to(dtype), state[1].to(dtype))
        with torch.autocast(x.device.type, enabled=False):
            output, hidden, cell = torch.lstm(x.to(dtype), state, weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden, cell)


def _recurrent_dtype(x: Tensor) -> torch.dtype:
    """Precision of a layer on x, to be cast to here: autocast would take float16 for every cuDNN kernel.

    Where cuDNN has no bfloat16, torch's own kernels, a launch for every step, are slower than cuDNN's in float32.
    """
    device = x.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
    if device == "cuda" and dtype == torch.bfloat16 and not _cudnn_has_bfloat16(x):
        return torch.float32
    return dtype


def _cudnn_has_bfloat16(x: Tensor) -> bool:
    """Whether torch computes recurrent layers in bfloat16 with cuDNN where x is; an old one never does."""
    is_acceptable = torch.cudnn_is_acceptable(x.new_empty(1, dtype=torch.bfloat16))  # type: ignore[attr-defined]
    return is_acceptable and (torch.backends.cudnn.version() or 0) >= 91300


class AWDLSTM(nn.Module):
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

    def forward(self, ids: Tensor, state: State) -> Encoded:
        """Encode ids (B, T), continuing from a state."""
        p = self.dropouts
        table = embedding_dropout(self.embedding, p.embedding, self.training)
        x = F.embedding(ids, table) * self.architecture.embedding_scale  # (B, T, E)
        x = variational_dropout(x, p.input, self.training)
        next_state = []
        for index, layer in enumerate(self.layers):
            if index > 0:
                x = variational_dropout(x, p.hidden, self.training)
            x, layer_state = layer(x, state[index], p.weight)
            next_state.append(layer_state)
        return Encoded(variational_dropout(x, p.output, self.training), x, next_state)


def detach(state: State) -> State:
    """The same state without its history: gradients end here."""
    return [(hidden.detach(), cell.detach()) for hidden, cell in state]
