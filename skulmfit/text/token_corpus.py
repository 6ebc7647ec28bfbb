"""Token corpus: many documents of token ids as one flat array."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

DIRECTIONS = ("forward", "backward")


@dataclass(frozen=True)
class TokenCorpus:
    """Documents as slices of one flat array of token ids.

    Parameters
    ----------
    ids : ndarray of shape (n_tokens,)
        Token ids of all documents, one after another.
    offsets : ndarray of shape (n_documents + 1,)
        Document `i` is `ids[offsets[i]:offsets[i + 1]]`.
    """

    ids: np.ndarray
    offsets: np.ndarray

    @classmethod
    def from_documents(cls, documents: Iterable[Sequence[int] | np.ndarray]) -> "TokenCorpus":
        """Concatenate documents, each a sequence of ids."""
        arrays = [np.asarray(document, dtype=np.int32) for document in documents]
        offsets = np.cumsum([0] + [len(array) for array in arrays], dtype=np.int64)
        return cls(np.concatenate(arrays or [np.empty(0, np.int32)]), offsets)

    @classmethod
    def concatenate(cls, corpora: Sequence["TokenCorpus"]) -> "TokenCorpus":
        """Join corpora, document order kept."""
        starts = np.cumsum([0] + [len(corpus.ids) for corpus in corpora])
        offsets = [corpus.offsets[1:] + start for corpus, start in zip(corpora, starts)]
        return cls(
            np.concatenate([corpus.ids for corpus in corpora]), np.concatenate([np.zeros(1, np.int64), *offsets])
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> np.ndarray:
        return self.ids[self.offsets[index] : self.offsets[index + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Number of tokens of each document, shape (n_documents,)."""
        return np.diff(self.offsets)

    def backward(self) -> "TokenCorpus":
        """Every document turned round, but for its first token, `xxbos`: what a backward language model reads."""
        ids = np.array(self.ids)
        for start, end in itertools.pairwise(self.offsets.tolist()):
            ids[start + 1 : end] = self.ids[start + 1 : end][::-1]
        return TokenCorpus(ids, self.offsets)

    def take(self, indices: np.ndarray) -> "TokenCorpus":
        """The documents at `indices`, in that order."""
        return TokenCorpus.from_documents(self[index] for index in indices)


def check_direction(direction: str) -> None:
    """Raise unless it is one of the two."""
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(map(repr, DIRECTIONS))}, got {direction!r}.")
