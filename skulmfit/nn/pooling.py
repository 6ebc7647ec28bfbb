"""Concat pooling over documents of any length, in chunks with the state carried (BPT3C)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from skulmfit.nn.encoder import Draw, Encoded, Encoder, State

POOLINGS = ("last", "max", "mean")  # in the order of the pooled states


@dataclass
class Pool:
    """Running [last, max, mean] over the valid positions of a batch of documents."""

    last: Tensor  # (B, W)
    max: Tensor  # (B, W)
    sum: Tensor  # (B, W)

    @classmethod
    def empty(cls, batch_size: int, like: Tensor, width: int) -> "Pool":
        """A pool that has seen no position."""
        zeros = like.new_zeros(batch_size, width, dtype=torch.float32)
        return cls(zeros, zeros - torch.inf, zeros)

    def add(self, output: Tensor, n_valid: Tensor) -> "Pool":
        """Take in outputs (B, T, W), of which the first n_valid (B,) positions are text."""
        output = output.float()
        mask = torch.arange(output.shape[1], device=output.device)[None, :, None] < n_valid[:, None, None]  # (B, T, 1)
        last = output.gather(1, (n_valid - 1).clamp(min=0)[:, None, None].expand(-1, 1, output.shape[2]))[:, 0]
        return Pool(
            torch.where(n_valid[:, None] > 0, last, self.last),
            torch.maximum(self.max, output.masked_fill(~mask, -torch.inf).amax(dim=1)),
            self.sum + output.masked_fill(~mask, 0).sum(dim=1),
        )

    def concat(self, lengths: Tensor) -> Tensor:
        """[last, max, mean] of documents with lengths (B,), shape (B, 3*W)."""
        return torch.cat([self.last, self.max, self.sum / lengths[:, None]], dim=1)


def pool_documents(
    encoder: Encoder, ids: Tensor, lengths: Tensor, *, chunk_size: int, max_backprop: int | None = None,
    n_layers: int = 1, draw: Draw | None = None,
) -> Tensor:  # fmt: skip
    """Pool right-padded documents, ids (B, T) with lengths (B,), to (B, 3*W), W the width of the top `n_layers`.

    Documents run in chunks of `chunk_size` tokens; state and gradients pass from chunk to chunk. Every position is
    pooled, but gradients reach only the last `max_backprop` positions of each document, so memory is bounded however
    long a document is. Without a `draw` each chunk draws the dropout of the weights anew.
    """
    state, read = encoder.initial_state(len(ids)), partial(encoder, n_layers=n_layers, draw=draw)
    pool = Pool.empty(len(ids), encoder.embedding, encoder.architecture.output_width(n_layers))
    done = torch.zeros_like(lengths)
    if max_backprop is not None and ids.shape[1] > max_backprop:
        done = ((lengths - max_backprop).clamp(min=0) + chunk_size - 1) // chunk_size * chunk_size  # (B,)
        with torch.no_grad():
            state, pool = _run_prefixes(read, ids, done, state, pool, chunk_size)
        ids = _without_prefixes(ids, done, int((lengths - done).max()))
    for start in range(0, ids.shape[1], chunk_size):
        encoded = read(ids[:, start : start + chunk_size], state)
        state = encoded.state
        pool = pool.add(encoded.output, (lengths - done - start).clamp(0, encoded.output.shape[1]))
    return pool.concat(lengths)


def _run_prefixes(
    read: Callable[[Tensor, State], Encoded], ids: Tensor, prefixes: Tensor, state: State, pool: Pool, chunk_size: int
) -> tuple[State, Pool]:
    """State and pool of each document after its prefix (B,), a multiple of the chunk size."""
    state = [(hidden.clone(), cell.clone()) for hidden, cell in state]
    pool = Pool(pool.last.clone(), pool.max.clone(), pool.sum.clone())
    for start in range(0, int(prefixes.max()), chunk_size):
        rows = (prefixes > start).nonzero()[:, 0]
        encoded = read(
            ids[rows, start : start + chunk_size], [(hidden[:, rows], cell[:, rows]) for hidden, cell in state]
        )
        for (hidden, cell), (next_hidden, next_cell) in zip(state, encoded.state):
            hidden[:, rows], cell[:, rows] = next_hidden.to(hidden.dtype), next_cell.to(cell.dtype)
        part = Pool(pool.last[rows], pool.max[rows], pool.sum[rows]).add(
            encoded.output, torch.full_like(rows, encoded.output.shape[1])
        )
        pool.last[rows], pool.max[rows], pool.sum[rows] = part.last, part.max, part.sum
    return state, pool


def _without_prefixes(ids: Tensor, prefixes: Tensor, n_columns: int) -> Tensor:
    """Documents moved left by their prefixes (B,), the first `n_columns` positions."""
    columns = prefixes[:, None] + torch.arange(n_columns, device=ids.device)  # (B, T)
    return ids.gather(1, columns.clamp(max=ids.shape[1] - 1))
