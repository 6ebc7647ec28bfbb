"""What stands on the encoder: the tied decoder of a language model, the pooling head of a classifier."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.awd_lstm import AWDLSTM, Encoded, State
from skulmfit.nn.losses import linear_cross_entropy

_ROWS_PER_LOGITS = 1 << 10  # positions whose logits over the vocabulary exist at one time


class LanguageModel(nn.Module):
    """Encoder and a decoder that shares the embedding matrix: hidden states to a distribution over the vocabulary."""

    def __init__(self, encoder: AWDLSTM):
        super().__init__()
        self.encoder = encoder
        self.decoder_bias = nn.Parameter(torch.zeros(encoder.architecture.vocab_size))

    def forward(self, ids: Tensor, state: State) -> Encoded:
        """Encode ids (B, T), continuing from a state."""
        return self.encoder(ids, state)

    def cross_entropy(self, output: Tensor, targets: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
        """Mean negative log-likelihood in nats of targets (B, T), given outputs (B, T, E); products in `dtype`."""
        hidden = output.flatten(0, 1).float() * self.encoder.architecture.output_scale  # (B*T, E)
        return linear_cross_entropy(hidden, self.encoder.embedding, self.decoder_bias, targets.flatten(), dtype=dtype)

    def log_likelihoods(self, output: Tensor, targets: Tensor) -> Tensor:
        """Log-likelihood of every target, (B, T), given outputs (B, T, E)."""
        hidden = output.flatten(0, 1).float() * self.encoder.architecture.output_scale  # (B*T, E)
        parts = zip(hidden.split(_ROWS_PER_LOGITS), targets.flatten().split(_ROWS_PER_LOGITS))
        scores = [
            -F.cross_entropy(F.linear(part, self.encoder.embedding, self.decoder_bias), target, reduction="none")
            for part, target in parts
        ]
        return torch.cat(scores).view(targets.shape)


class BatchNorm(nn.Module):
    """Batch norm of plain sums: those of torch's kernel for the CPU depend on the number of threads."""

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

    A block is batch norm, dropout and a linear layer, as in the authors' code; ReLU after the first.
    """

    def __init__(
        self, input_dim: int, n_outputs: int, hidden_dim: int = 50, dropouts: tuple[float, float] = (0.4, 0.1)
    ):
        super().__init__()
        self.blocks = nn.Sequential(
            BatchNorm(input_dim),
            nn.Dropout(dropouts[0]),
            nn.Linear(input_dim, hidden_dim),
            nn.ReLU(),
            BatchNorm(hidden_dim),
            nn.Dropout(dropouts[1]),
            nn.Linear(hidden_dim, n_outputs),
        )

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states (B, 3*E) to logits (B, C)."""
        return self.blocks(pooled)


class TextClassifier(nn.Module):
    """A language model's whole encoder under a pooling head."""

    def __init__(self, encoder: AWDLSTM, head: PoolingHead):
        super().__init__()
        self.encoder = encoder
        self.head = head
