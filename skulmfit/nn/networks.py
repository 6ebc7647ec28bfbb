"""Whole networks: the encoder under the tied decoder of a language model, or under a pooling head."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.encoder import Draw, Encoded, Encoder, State
from skulmfit.nn.heads import PoolingHead, SolvedHead
from skulmfit.nn.language_model_losses import linear_cross_entropy
from skulmfit.nn.pooling import Beginning, pool_documents
from skulmfit.nn.shards import Shard, in_shards

_ROWS_PER_LOGITS = 1 << 10  # positions whose logits over the vocabulary exist at one time


class LanguageModelNetwork(nn.Module):
    """Encoder and a decoder that shares the embedding matrix: hidden states to a distribution over the vocabulary."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.decoder_bias = nn.Parameter(torch.zeros(encoder.architecture.vocab_size))

    def forward(self, ids: Tensor, state: State, draw: Draw | None = None) -> Encoded:
        """Encode ids (B, T), continuing from a state."""
        return self.encoder(ids, state, draw=draw)

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


class DocumentNetwork(nn.Module):
    """A language model's whole encoder under a pooling head: documents to the outputs of the head."""

    def __init__(self, encoder: Encoder, head: PoolingHead | SolvedHead):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, ids: Tensor, lengths: Tensor, *, chunk_size: int, beginning: Beginning | None = None) -> Tensor:
        """Outputs (B, C) of right-padded documents, ids (B, T) with lengths (B,); see `pool_documents`."""
        pooled = self.pool(ids, lengths, chunk_size=chunk_size, beginning=beginning)
        with torch.autocast(ids.device.type, enabled=False):
            return self.head(pooled)

    def pool(self, ids: Tensor, lengths: Tensor, *, chunk_size: int, beginning: Beginning | None = None) -> Tensor:
        """What the head sees of documents, pooled states (B, 3*W), float32."""

        def pooled_states(shard: Shard) -> tuple[list[Tensor], None]:
            own = lengths[shard.rows]
            longest = int(own.max()) if ids.device.type == "cpu" else ids.shape[1]  # no waiting for a GPU
            return [pool_documents(
                self.encoder, ids[shard.rows, :longest], own, chunk_size=chunk_size, n_layers=self.head.n_layers,
                draw=shard.draw, beginning=None if beginning is None else beginning.rows(shard.rows),
            )], None  # fmt: skip

        return torch.cat([own for (own,), _ in in_shards(pooled_states, len(ids), self.encoder)]).float()
