"""Texts and vectors that lie on the device and are gathered there, so that an update never waits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from skulmfit.text.token_corpus import TokenCorpus

_ROWS_PER_COPY = 1 << 16


@dataclass(frozen=True)
class TextsOnDevice:
    """Texts as slices of one flat tensor of ids. Backward, the first id stays first and the others are reversed."""

    ids: Tensor  # (n_pieces,), int32
    starts: Tensor  # (n_texts,)
    lengths: Tensor  # (n_texts,)
    direction: str

    @classmethod
    def from_corpus(cls, corpus: TokenCorpus, device: torch.device, direction: str) -> "TextsOnDevice":
        """Copy a corpus, which is in the order of reading forward, to the device."""
        offsets = torch.from_numpy(corpus.offsets.astype(np.int64)).to(device)
        return cls(torch.from_numpy(corpus.ids.astype(np.int32)).to(device), offsets[:-1], offsets.diff(), direction)

    def without(self, pieces: Sequence[int]) -> "TextsOnDevice":
        """The same texts without some pieces."""
        keep = torch.ones_like(self.ids, dtype=torch.bool)
        for piece in pieces:
            keep &= self.ids != piece
        n_kept = torch.cat([keep.new_zeros(1, dtype=torch.int64), keep.cumsum(0)])  # before each position
        starts = n_kept[self.starts]
        lengths = n_kept[self.starts + self.lengths] - starts
        return TextsOnDevice(self.ids[keep], starts, lengths, self.direction)

    def followed_by(self, other: "TextsOnDevice") -> "TextsOnDevice":
        """These texts, then the others."""
        starts = torch.cat([self.starts, other.starts + len(self.ids)])
        lengths = torch.cat([self.lengths, other.lengths])
        return TextsOnDevice(torch.cat([self.ids, other.ids]), starts, lengths, self.direction)

    def padded(self, rows: Tensor, n_columns: int) -> tuple[Tensor, Tensor]:
        """Right-padded ids (B, T) and lengths (B,) of the texts `rows` (B,), none longer than T."""
        lengths = self.lengths[rows]
        columns = torch.arange(n_columns, device=rows.device)[None]  # (1, T)
        positions = self._positions(self.starts[rows][:, None], lengths[:, None], columns)
        ids = self.ids[positions.clamp(0, len(self.ids) - 1)].long()
        return ids.masked_fill(columns >= lengths[:, None], 0), lengths

    def joined(self, rows: Tensor, n_pieces: int) -> Tensor:
        """The texts `rows`, which have n_pieces ids together, one after another: (n_pieces,)."""
        lengths = self.lengths[rows]
        owners = torch.repeat_interleave(lengths, output_size=n_pieces)  # (n_pieces,), of 0 to len(rows) - 1
        columns = torch.arange(n_pieces, device=rows.device) - (lengths.cumsum(0) - lengths)[owners]
        return self.ids[self._positions(self.starts[rows][owners], lengths[owners], columns)]

    def _positions(self, starts: Tensor, lengths: Tensor, columns: Tensor) -> Tensor:
        """Where the ids stand that are read in the given columns of texts."""
        if self.direction == "forward":
            return starts + columns
        return starts + torch.where(columns == 0, columns, lengths - columns)


def unit_vectors_on_device(parts: Iterable[np.ndarray], n_rows: int, device: torch.device) -> Tensor:
    """Vectors, given in parts (n, D), at length 1: float16 of shape (n_rows, D).

    Raises
    ------
    ValueError
        If one of them is 0, or not finite, and so has no direction.
    """
    copies = [part[start : start + _ROWS_PER_COPY] for part in parts for start in range(0, len(part), _ROWS_PER_COPY)]
    vectors = torch.empty(n_rows, copies[0].shape[1], dtype=torch.float16, device=device)
    is_bad = torch.empty(n_rows, dtype=torch.bool, device=device)
    start = 0
    for copy in copies:
        rows = slice(start, start := start + len(copy))
        values = torch.from_numpy(np.array(copy)).to(device).float()
        norms = torch.linalg.vector_norm(values, dim=1)
        vectors[rows] = values / norms[:, None]
        is_bad[rows] = ~(norms.isfinite() & (norms > 0))
    bad = is_bad.nonzero()[:, 0].tolist()
    if bad:
        raise ValueError(
            f"{len(bad):,} of {n_rows:,} vectors are 0, NaN or infinite, the first in row {bad[0]:,}. Leave out these "
            "segments, or embed them again."
        )
    return vectors
