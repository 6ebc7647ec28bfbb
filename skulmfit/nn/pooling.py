"""Concat pooling over documents of any length, in chunks with the state carried (BPT3C)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from skulmfit.nn.chunks import chunks
from skulmfit.nn.encoder import Draw, Encoder, State, join

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


@dataclass
class Beginning:
    """What an encoder has made of the beginnings of documents: its state, the pool so far, and the positions read."""

    state: State
    pool: Pool
    n_read: Tensor  # (B,)

    @classmethod
    def of_nothing(cls, encoder: Encoder, n_documents: int, n_layers: int) -> "Beginning":
        """Where documents begin."""
        pool = Pool.empty(n_documents, encoder.embedding, encoder.architecture.output_width(n_layers))
        n_read = torch.zeros(n_documents, dtype=torch.int64, device=encoder.embedding.device)
        return cls(encoder.initial_state(n_documents), pool, n_read)

    def rows(self, rows: slice | Tensor) -> "Beginning":
        """Those of some of the documents."""
        state = [(hidden[:, rows], cell[:, rows]) for hidden, cell in self.state]
        return Beginning(state, Pool(self.pool.last[rows], self.pool.max[rows], self.pool.sum[rows]), self.n_read[rows])


def read_on(
    encoder: Encoder, ids: Tensor, lengths: Tensor, beginning: Beginning, *, chunk_size: int, n_layers: int = 1,
    draw: Draw | None = None,
) -> Beginning:  # fmt: skip
    """Read the next positions of documents, right-padded ids (B, T) with lengths (B,), in chunks of `chunk_size`.

    The state is that after the last column, and so of use only where nothing is padded. Without a `draw` each chunk
    draws the dropout of the weights anew.
    """
    state, pool = beginning.state, beginning.pool
    for start in range(0, ids.shape[1], chunk_size):
        encoded = encoder(ids[:, start : start + chunk_size], state, n_layers=n_layers, draw=draw)
        state = encoded.state
        pool = pool.add(encoded.output, (lengths - start).clamp(0, encoded.output.shape[1]))
    return Beginning(state, pool, beginning.n_read + lengths)


def read_to_ends(
    encoder: Encoder, ids: Tensor, lengths: Tensor, beginning: Beginning, *, chunk_size: int, n_layers: int = 1
) -> Beginning:
    """Read what is left of documents of falling lengths (B,), right-padded ids (B, T), each hardly beyond its end.

    The state of a document is of use where its length is a multiple of `nn.chunks.STEP`.
    """
    reading, ended = beginning, []
    for start, end, n_rows in chunks(lengths.tolist(), chunk_size):
        if n_rows < len(reading.n_read):
            ended.append(reading.rows(slice(n_rows, None)))
            reading = reading.rows(slice(0, n_rows))
        own = (lengths[:n_rows] - start).clamp(max=end - start)
        reading = read_on(
            encoder, ids[:n_rows, start:end], own, reading, chunk_size=chunk_size, n_layers=n_layers
        )  # fmt: skip
    return join_beginnings([reading, *ended[::-1]])


def join_beginnings(parts: Sequence[Beginning]) -> Beginning:
    """Those of some documents after those of others."""
    pools = [(part.pool.last, part.pool.max, part.pool.sum) for part in parts]
    state = join([part.state for part in parts])
    return Beginning(state, Pool(*map(torch.cat, zip(*pools))), torch.cat([part.n_read for part in parts]))


def pool_documents(
    encoder: Encoder, ids: Tensor, lengths: Tensor, *, chunk_size: int, n_layers: int = 1, draw: Draw | None = None,
    beginning: Beginning | None = None,
) -> Tensor:  # fmt: skip
    """Pool right-padded documents, ids (B, T) with lengths (B,), to (B, 3*W), W the width of the top `n_layers`.

    Documents run in chunks of `chunk_size` tokens; state and gradients pass from chunk to chunk. With a `beginning`,
    ids are what comes after it, and both are pooled.
    """
    if beginning is None:
        beginning = Beginning.of_nothing(encoder, len(ids), n_layers)
    whole = read_on(encoder, ids, lengths, beginning, chunk_size=chunk_size, n_layers=n_layers, draw=draw)
    return whole.pool.concat(whole.n_read)
