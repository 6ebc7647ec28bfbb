"""LSTM layer with weight drop on its hidden-to-hidden matrix (Merity et al. 2018)."""

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.dropout import weight_drop


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

    def drop_weight(self, p: float, rng: np.random.Generator | None = None) -> Tensor:
        """The hidden-to-hidden matrix (4*H, H) after dropout."""
        return weight_drop(self.weight_hh, p, self.training, rng)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor], weight_hh: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x (B, T, input) and state to outputs (B, T, H) and the next state, with what `drop_weight` gave."""
        dtype = _recurrent_dtype(x)
        weights = [weight.to(dtype) for weight in (self.weight_ih, weight_hh, self.bias_ih, self.bias_hh)]
        state = (state[0].to(dtype), state[1].to(dtype))
        with torch.autocast(x.device.type, enabled=False):
            output, hidden, cell = torch.lstm(x.to(dtype), state, weights, True, 1, 0.0, self.training, False, True)
        return output, (hidden, cell)


def _recurrent_dtype(x: Tensor) -> torch.dtype:
    """Precision in which a layer computes on x. It is cast here: autocast would take float16 for every cuDNN kernel.

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
