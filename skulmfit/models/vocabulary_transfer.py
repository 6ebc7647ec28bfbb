"""Moving embeddings to another vocabulary, piece by piece."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from skulmfit.text.rules import BOS, MARKERS, PAD, UNK
from skulmfit.text.tokenizer import BOUNDARY
from skulmfit.text.words import SYNONYMS


class Vocabulary(Protocol):
    """What is asked of a tokenizer here."""

    @property
    def pieces(self) -> list[str]:
        """Every piece, by id."""

    def spell(self, piece: str) -> list[int]:
        """Ids that spell a piece of another vocabulary."""


@dataclass(frozen=True)
class Transfer:
    """Where the rows of a new vocabulary came from.

    Parameters
    ----------
    kept : ndarray of bool, (n_pieces,)
        Pieces that the old vocabulary has too; their rows are its own.
    spelled : ndarray of bool, (n_pieces,)
        Pieces that old pieces spell; their rows are the means of those.
    """

    kept: np.ndarray
    spelled: np.ndarray

    def report(self, ids: np.ndarray) -> dict[str, float]:
        """Number of pieces kept, spelled by old ones and new, and the share of tokens that are kept ones."""
        is_new = ~(self.kept | self.spelled)
        return {
            "kept": int(self.kept.sum()),
            "spelled": int(self.spelled.sum()),
            "new": int(is_new.sum()),
            "coverage": float(self.kept[ids].mean()) if len(ids) else 1.0,
        }


def transfer(
    old: Vocabulary, new: Vocabulary, embedding: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Transfer]:
    """Rows of an embedding matrix (V, E) and of the decoder's bias (V,) for another vocabulary.

    A piece that both vocabularies have keeps its row. One that old pieces spell gets the mean of theirs, and any other
    the mean of all rows but those of padding and unknown words (ULMFiT's fallback).

    Returns
    -------
    embedding : ndarray of shape (n_pieces, E)
    bias : ndarray of shape (n_pieces,)
    transfer : Transfer
    """
    index: dict[str, int] = {}
    for row, piece in enumerate(old.pieces):  # padding of a vocabulary repeats pieces: the first one counts
        index.setdefault(piece, row)
    for row, piece in enumerate(old.pieces):  # a special token may have another name, if none has the very name
        index.setdefault(_special(piece), row)
    ordinary = np.setdiff1d(np.arange(len(old.pieces)), [index.get(UNK, -1), index.get(PAD, -1)])
    pieces = [piece if piece in index else _special(piece) for piece in new.pieces]
    sources = [[index[piece]] if piece in index else old.spell(piece) for piece in pieces]
    means = [embedding[ordinary].mean(axis=0), bias[ordinary].mean(axis=0)]
    rows = [[array[source].mean(axis=0) if source else mean for source in sources]
            for array, mean in zip((embedding, bias), means)]  # fmt: skip
    kept = np.array([piece in index for piece in pieces])
    spelled = np.array([bool(source) for source in sources]) & ~kept
    new_embedding, new_bias = (np.array(part, dtype=np.float32) for part in rows)
    return new_embedding, new_bias, Transfer(kept, spelled)


def _special(piece: str) -> str:
    """The name here of a special token, whatever a library calls it; any other piece as it is."""
    bare = piece.removeprefix(BOUNDARY)
    name = SYNONYMS.get(bare, bare)
    return name if name in (UNK, PAD, BOS) else BOUNDARY + name if name in MARKERS else piece
