"""Batches: BPTT streams for language models, length-bucketed documents for classifiers."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skulmfit.text.corpus import TokenCorpus

_BPTT_DEVIATION = 5  # Merity et al. 2018, section 5: lengths from N(bptt, 5), now and then half as long
_HALF_BPTT_PROBABILITY = 0.05
_MIN_BPTT = 5
_MIN_BATCHES = 4  # per epoch, before a text is cut into more streams
_LENGTH_JITTER = 0.25  # little padding, and batches that differ from epoch to epoch


@dataclass(frozen=True)
class StreamBatch:
    """Consecutive tokens of parallel streams."""

    inputs: np.ndarray  # (B, T)
    targets: np.ndarray  # (B, T): the token after each input


def bptt_lengths(n_tokens: int, bptt: int, rng: np.random.Generator) -> np.ndarray:
    """Lengths of the batches that cut a stream of `n_tokens` targets, around `bptt` and never the same twice."""
    lengths: list[int] = []
    remaining = n_tokens
    while remaining > 0:
        center = bptt if rng.random() >= _HALF_BPTT_PROBABILITY else bptt // 2
        length = max(_MIN_BPTT, round(rng.normal(center, _BPTT_DEVIATION)))
        length = length if remaining - length >= _MIN_BPTT else remaining  # no tail too short to learn from
        lengths.append(length)
        remaining -= length
    return np.array(lengths)


def n_streams(n_tokens: int, batch_size: int, bptt: int) -> int:
    """Number of parallel streams: `batch_size`, but few enough that each is several times `bptt` long."""
    return int(min(batch_size, max(1, n_tokens // (_MIN_BATCHES * bptt))))


def shuffled_stream(corpus: TokenCorpus, rng: np.random.Generator) -> np.ndarray:
    """All documents in random order as one stream of ids."""
    order = rng.permutation(len(corpus))
    return np.concatenate([corpus[index] for index in order])


def stream_batches(stream: np.ndarray, batch_size: int, lengths: np.ndarray) -> Iterator[StreamBatch]:
    """Cut one stream into `batch_size` parallel ones, and those into batches of the given lengths.

    The fewer than `batch_size` tokens that do not fill a row are left out.
    """
    n_columns = (len(stream) - 1) // batch_size
    inputs = stream[: n_columns * batch_size].reshape(batch_size, n_columns)
    targets = stream[1 : n_columns * batch_size + 1].reshape(batch_size, n_columns)
    ends = np.cumsum(lengths)
    for start, end in zip(ends - lengths, ends):
        yield StreamBatch(inputs[:, start:end], targets[:, start:end])


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


def join_single(batches: list[np.ndarray]) -> list[np.ndarray]:
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


def pad(corpus: TokenCorpus, indices: np.ndarray, pad_id: int) -> tuple[np.ndarray, np.ndarray]:
    """Right-padded ids (B, T) and lengths (B,) of some documents."""
    documents = [corpus[index] for index in indices]
    lengths = np.array([len(document) for document in documents])
    padded = np.full((len(documents), lengths.max()), pad_id, dtype=np.int64)
    for row, document in zip(padded, documents):
        row[: len(document)] = document
    return padded, lengths
