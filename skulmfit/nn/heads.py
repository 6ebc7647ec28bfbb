"""Heads: what stands on the encoder's pooled states."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.features import Features


class BatchNorm(nn.Module):
    """Batch norm with plain sums. The sums of torch's CPU kernel depend on the number of threads."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_features: int, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(n_features))
        self.bias = nn.Parameter(torch.zeros(n_features))
        self.register_buffer("running_mean", torch.zeros(n_features))
        self.register_buffer("running_var", torch.ones(n_features))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each column of x (B, F): in training by its own statistics, else by the running ones."""
        mean, variance = self.running_mean, self.running_var
        if self.training:
            variance, mean = torch.var_mean(x, dim=0, correction=0)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (len(x) / (len(x) - 1)), self.momentum)
        return (x - mean) * torch.rsqrt(variance + self.eps) * self.weight + self.bias


class PoolingHead(nn.Module):
    """Two linear blocks on [last, max, mean] of the hidden states (Howard & Ruder 2018, section 3.3).

    A block is batch norm, dropout and a linear layer, as in the authors' code. ReLU follows the first block.
    """

    n_layers = 1  # of the encoder, from the top, that the head sees

    def __init__(self, input_dim: int, n_outputs: int, head_dim: int = 50, dropouts: tuple[float, float] = (0.4, 0.1)):
        super().__init__()
        self.blocks = nn.Sequential(
            BatchNorm(input_dim),
            nn.Dropout(dropouts[0]),
            nn.Linear(input_dim, head_dim),
            nn.ReLU(),
            BatchNorm(head_dim),
            nn.Dropout(dropouts[1]),
            nn.Linear(head_dim, n_outputs),
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*E) to logits (B, C)."""
        return self.blocks(pooled)


class SolvedHead(nn.Module):
    """A linear layer, which a regression on features of the encoder solves, plus a small network of two layers.

    The small network has ReLU between its layers. It adds something in training only: a solution sets its last weights
    to zero.
    """

    def __init__(self, features: Features, n_outputs: int, head_dim: int, dropouts: tuple[float, float] = (0.4, 0.1)):
        super().__init__()
        self.features, self.dropouts = features, dropouts
        self.linear = nn.Linear(features.n_features, n_outputs)
        self.hidden = nn.Linear(features.n_features, head_dim)
        self.correction = nn.Linear(head_dim, n_outputs)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)

    @property
    def n_layers(self) -> int:
        """How many of the encoder's top layers the head sees."""
        return self.features.n_layers

    def solve(self, weight: Tensor, bias: Tensor) -> None:
        """Take a solution, weight (C, F) and bias (C,) on the features, in place of all that was learnt."""
        with torch.no_grad():
            self.linear.weight.copy_(weight)
            self.linear.bias.copy_(bias)
            self.correction.weight.zero_()
            self.correction.bias.zero_()

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*W) to outputs (B, C)."""
        features = F.dropout(self.features(pooled), self.dropouts[0], self.training)  # (B, F)
        hidden = F.dropout(F.relu(self.hidden(features)), self.dropouts[1], self.training)  # (B, H)
        return self.linear(features) + self.correction(hidden)
