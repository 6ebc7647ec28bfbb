"""Concat pooling over documents of any length, in chunks with the state carried (BPT3C)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from skulmfit.nn.awd_lstm import AWDLSTM


@dataclass
class Pool:
    """Running [last, max, mean] over the valid positions of a batch of documents."""

    last: Tensor  # (B, E)
    max: Tensor  # (B, E)
    sum: Tensor  # (B, E)

    @classmethod
    def empty(cls, batch_size: int, like: Tensor, width: int) -> "Pool":
        """A pool that has seen no position."""
        zeros = like.new_zeros(batch_size, width, dtype=torch.float32)
        return cls(zeros, zeros - torch.inf, zeros)

    def add(self, output: Tensor, n_valid: Tensor) -> "Pool":
        """Take in outputs (B, T, E), of which the first n_valid (B,) positions are text."""
        output = output.float()
        mask = torch.arange(output.shape[1], device=output.device)[None, :, None] < n_valid[:, None, None]  # (B, T, 1)
        last = output.gather(1, (n_valid - 1).clamp(min=0)[:, None, None].expand(-1, 1, output.shape[2]))[:, 0]
        return Pool(
            torch.where(n_valid[:, None] > 0, last, self.last),
            torch.maximum(self.max, output.masked_fill(~mask, -torch.inf).amax(dim=1)),
            self.sum + output.masked_fill(~mask, 0).sum(dim=1),
        )

    def concat(self, lengths: Tensor) -> Tensor:
        """[last, max, mean] of documents with lengths (B,), shape (B, 3*E)."""
        return torch.cat([self.last, self.max, self.sum / lengths[:, None]], dim=1)


def pool_documents(
    encoder: AWDLSTM, ids: Tensor, lengths: Tensor, *, chunk_size: int, max_backprop: int | None = None
) -> Tensor:
    """Pool right-padded documents, ids (B, T) with lengths (B,), to (B, 3*E).

    Documents run in chunks of `chunk_size` tokens; state and gradients pass from chunk to chunk. Every position is
    pooled, but only the last `max_backprop` positions of the batch keep their graph, so memory is bounded however
    long a document is.
    """
    n_tokens = ids.shape[1]
    graph_start = 0 if max_backprop is None else max(0, n_tokens - max_backprop)
    state = encoder.initial_state(len(ids))
    pool = Pool.empty(len(ids), encoder.embedding, encoder.architecture.embedding_dim)
    for start, end in _chunks(n_tokens, chunk_size, graph_start):
        with torch.set_grad_enabled(torch.is_grad_enabled() and start >= graph_start):
            encoded = encoder(ids[:, start:end], state)
            state = encoded.state
            pool = pool.add(encoded.output, (lengths - start).clamp(0, end - start))
    return pool.concat(lengths)


def _chunks(n_tokens: int, chunk_size: int, graph_start: int) -> list[tuple[int, int]]:
    """Chunk boundaries, with one at the position where the graph starts."""
    edges = sorted({*range(0, graph_start, chunk_size), *range(graph_start, n_tokens, chunk_size), n_tokens})
    return list(zip(edges, edges[1:]))
