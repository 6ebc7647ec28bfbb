"""Passes over a corpus without training: documents in canonical order, by batches, the network without dropout.

Documents run in canonical order and are scattered back, so that nothing about a document's result depends on the
documents beside it or on their order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.runtime import Runtime, release_free_memory
from skulmfit.nn.threads import Item, Result, map_in_threads
from skulmfit.text.document_batches import canonical_order, document_batches, pad
from skulmfit.text.token_corpus import TokenCorpus

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None

CHUNK_SIZE = 256  # tokens per chunk of a long document
_TOKENS_AT_A_TIME = 1 << 14  # of a batch: bounds memory, whatever the lengths
_TOKENS_ON_A_CPU, _DOCUMENTS_ON_A_CPU = 1 << 13, 64  # more fill its caches, and leave less work for other threads
_CHUNKS_PER_BATCH = 32  # its ids lie in memory as a whole
_BATCHES_BETWEEN_RELEASES = 10


def batches_in_order(
    corpus: TokenCorpus, runtime: Runtime, verbose: int
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Indices, padded ids (B, T) and falling lengths (B,) of batches in canonical order, the longest ones first."""
    batches = read_together(corpus.lengths, canonical_order(corpus)[::-1], runtime)
    for n_done, indices in enumerate(_progress_bar(batches, verbose)):
        if n_done % _BATCHES_BETWEEN_RELEASES == _BATCHES_BETWEEN_RELEASES - 1:
            release_free_memory()
        ids, lengths = pad(corpus, indices)
        yield indices, runtime.tensor(ids), runtime.tensor(lengths)


def read_together(lengths: np.ndarray, falling: np.ndarray, runtime: Runtime) -> list[np.ndarray]:
    """Documents with lengths (n_documents,), in an order of falling length, in batches that are read in chunks."""
    most, tokens = max(len(falling), 1), _TOKENS_AT_A_TIME
    if runtime.device.type == "cpu":
        most, tokens = _DOCUMENTS_ON_A_CPU, _TOKENS_ON_A_CPU
    n_at_a_time = np.maximum(np.minimum(lengths, CHUNK_SIZE), lengths // _CHUNKS_PER_BATCH)
    return document_batches(n_at_a_time, falling, most, tokens)


def _progress_bar(batches: Sequence, verbose: int) -> Iterable:
    """The batches, with a progress bar if the user wants one, tqdm is installed and there are several batches."""
    if not verbose or tqdm is None or len(batches) < 2:
        return batches
    return tqdm(batches, desc="reading texts", unit="batch", dynamic_ncols=True)


def read(
    function: Callable[[Tensor, Tensor], np.ndarray], corpus: TokenCorpus, runtime: Runtime, verbose: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of the documents of each batch, and what a function makes of its ids (B, T) and lengths (B,).

    On a CPU batches run side by side; each is computed by one thread, so their number changes no result.
    """

    @torch.no_grad()  # which holds for a thread
    def result(batch: tuple[np.ndarray, Tensor, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        indices, ids, lengths = batch
        return indices, function(ids, lengths)

    batches = batches_in_order(corpus, runtime, verbose)
    return in_parallel(result, batches, runtime)


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item], runtime: Runtime) -> Iterator[Result]:
    """Results of a function for items, in their order; on a CPU they are computed side by side."""
    return map_in_threads(function, items) if runtime.device.type == "cpu" else map(function, items)


@contextmanager
def evaluating(network: nn.Module, runtime: Runtime) -> Iterator[None]:
    """Context with a network on the runtime's device and without dropout. Afterwards it is as it was before."""
    device = next((param.device for param in network.parameters()), runtime.device)
    was_training = network.training
    network.to(runtime.device).eval()
    try:
        with runtime.without_cudnn_warning():
            yield
    finally:
        network.to(device).train(was_training)
