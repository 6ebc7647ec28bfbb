"""BPTT streams: documents in random order as parallel rows of ids, cut into batches of varying length."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skulmfit.text.token_corpus import TokenCorpus

_BPTT_DEVIATION = 5  # Merity et al. 2018, section 5: lengths from N(bptt, 5), now and then half as long
_HALF_BPTT_PROBABILITY = 0.05
_MIN_BPTT = 5
_MIN_BATCHES = 4  # per epoch, before a text is cut into more streams


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
