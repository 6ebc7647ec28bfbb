"""QRNN layer (Bradbury et al. 2017): gates from a convolution over time, and a recurrence without matrix products."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.dropout import weight_drop


class QRNNLayer(nn.Module):
    """One QRNN layer with fo-pooling whose weights may be dropped, its state an argument and a result.

    The gates at a step see its input, and with a window of 2 the one before it too.
    """

    def __init__(self, input_dim: int, hidden_dim: int, window: int):
        super().__init__()
        if window not in (1, 2):
            raise ValueError(f"window must be 1 or 2, got {window}.")
        self.input_dim, self.hidden_dim, self.window = input_dim, hidden_dim, window
        # Rows z, f, o; columns x_t, x_{t-1}: the order of MultiFiT's checkpoints.
        self.weight = nn.Parameter(torch.empty(3 * hidden_dim, window * input_dim))
        self.bias = nn.Parameter(torch.zeros(3 * hidden_dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier gate by gate."""
        with torch.no_grad():
            for gate in self.weight.chunk(3):
                nn.init.xavier_uniform_(gate)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Zeros: the hidden state (1, B, H), before its output gate, and the last input (1, B, input)."""
        return (
            self.weight.new_zeros((1, batch_size, self.hidden_dim)),
            self.weight.new_zeros((1, batch_size, self.input_dim)),
        )

    def drop_weight(self, p: float, rng: np.random.Generator | None = None) -> Tensor:
        """The weights of the gates after dropout."""
        return weight_drop(self.weight, p, self.training, rng)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor], weight: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map x (B, T, input) and state to outputs (B, T, H) and the next state, with what `drop_weight` gave."""
        hidden, last = state
        inputs = x.transpose(0, 1)  # (T, B, input): steps of the recurrence lie one after the other
        if self.window == 2:
            inputs = torch.cat([inputs, torch.cat([last.to(x.dtype), inputs[:-1]])], dim=2)  # (T, B, 2*input)
        gates = F.linear(inputs, weight, self.bias)  # (T, B, 3*H)
        z, f, o = gates.float().chunk(3, dim=2)
        f = torch.sigmoid(f)
        states = forget_mult(f, torch.tanh(z), hidden[0].float())  # (T, B, H)
        output = (torch.sigmoid(o) * states).to(gates.dtype).transpose(0, 1)
        return output, (states[-1:], x[:, -1:].transpose(0, 1))


class _ForgetMult(torch.autograd.Function):
    """h_t = f_t z_t + (1 - f_t) h_{t-1}, step by step, of f, z (T, B, H) and h_0 (B, H)."""

    @staticmethod
    def forward(ctx: Any, f: Tensor, z: Tensor, initial: Tensor) -> Tensor:
        """The states (T, B, H)."""
        states, keep, before = f * z, 1 - f, initial
        for t in range(len(f)):
            before = states[t].addcmul_(keep[t], before)
        ctx.save_for_backward(f, z, initial, states)
        return states

    @staticmethod
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # type: ignore[override]
        """Gradients run through the same recurrence, from the end."""
        f, z, initial, states = ctx.saved_tensors
        grad, keep = grad_states.clone(memory_format=torch.contiguous_format), 1 - f
        for t in range(len(f) - 1, 0, -1):
            grad[t - 1].addcmul_(keep[t], grad[t])
        before = torch.cat([initial[None], states[:-1]])
        return grad * (z - before), grad * f, keep[0] * grad[0]


def forget_mult(f: Tensor, z: Tensor, initial: Tensor) -> Tensor:
    """States (T, B, H) of h_t = f_t z_t + (1 - f_t) h_{t-1}, for f, z (T, B, H) and h_0 (B, H)."""
    return _ForgetMult.apply(f, z, initial)
