"""Batches of documents: neighbours of similar length, bounded in documents and in tokens."""

import numpy as np

from skulmfit.text.token_corpus import TokenCorpus

_LENGTH_JITTER = 0.25  # little padding, and batches that differ from epoch to epoch


def document_batches(lengths: np.ndarray, order: np.ndarray, batch_size: int, max_tokens: int) -> list[np.ndarray]:
    """Split documents, taken in `order`, into batches of at most `batch_size` documents and `max_tokens` with padding.

    Parameters
    ----------
    lengths : ndarray of shape (n_documents,)
    order : ndarray of ints
    batch_size : int
    max_tokens : int
        A single longer document is a batch of its own.

    Returns
    -------
    list of ndarray of ints
        Indices of the documents of each batch.
    """
    batches: list[list[int]] = []
    longest = 0
    for index in order:
        longest = max(longest, int(lengths[index])) if batches else int(lengths[index])
        if not batches or len(batches[-1]) == batch_size or (len(batches[-1]) + 1) * longest > max_tokens:
            batches.append([])
            longest = int(lengths[index])
        batches[-1].append(index)
    return [np.array(batch) for batch in batches]


def merge_single_documents(batches: list[np.ndarray]) -> list[np.ndarray]:
    """Join a batch of one document with another: batch norm needs two."""
    joined: list[np.ndarray] = []
    for batch in batches:
        if joined and (len(batch) == 1 or len(joined[-1]) == 1):
            joined[-1] = np.concatenate([joined[-1], batch])
        else:
            joined.append(batch)
    return joined


def canonical_order(corpus: TokenCorpus) -> np.ndarray:
    """Indices of documents by length, then ids: an order that does not depend on the one they came in."""
    return np.array(sorted(range(len(corpus)), key=lambda index: (len(corpus[index]), corpus[index].tobytes())), int)


def bucketed_order(lengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices by roughly falling length: neighbours are of similar length, and others in every epoch."""
    return np.argsort(-lengths * rng.uniform(1 - _LENGTH_JITTER, 1 + _LENGTH_JITTER, len(lengths)))


def pad(corpus: TokenCorpus, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Right-padded ids (B, T) and lengths (B,) of some documents; padding is masked later, so any id will do."""
    documents = [corpus[index] for index in indices]
    lengths = np.array([len(document) for document in documents])
    padded = np.zeros((len(documents), lengths.max()), dtype=np.int64)
    for row, document in zip(padded, documents):
        row[: len(document)] = document
    return padded, lengths
