"""Passes over a corpus without training: documents in canonical order, by batches, the network without dropout.

Documents run in canonical order and are scattered back, so that nothing about a document's result depends on the
documents beside it or on their order.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from torch import Tensor, nn

from skulmfit.nn.runtime import Runtime, release_free_memory
from skulmfit.text.document_batches import canonical_order, document_batches, pad
from skulmfit.text.token_corpus import TokenCorpus

try:
    from tqdm.auto import tqdm
except ImportError:
    tqdm = None

CHUNK_SIZE = 256  # tokens per chunk of a long document
_TOKENS_PER_BATCH = 1 << 14  # padded: bounds memory, whatever the lengths
_BATCHES_BETWEEN_RELEASES = 10


def batches_in_order(
    corpus: TokenCorpus, runtime: Runtime, verbose: int
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Indices, padded ids (B, T) and lengths (B,) of batches in canonical order."""
    batches = document_batches(corpus.lengths, canonical_order(corpus), len(corpus) or 1, _TOKENS_PER_BATCH)
    for n_done, indices in enumerate(_progress_bar(batches, verbose)):
        if n_done % _BATCHES_BETWEEN_RELEASES == _BATCHES_BETWEEN_RELEASES - 1:
            release_free_memory()
        ids, lengths = pad(corpus, indices)
        yield indices, runtime.tensor(ids), runtime.tensor(lengths)


def _progress_bar(batches: Sequence, verbose: int) -> Iterable:
    """The batches, with a bar on the way through them if there is more than one, tqdm is installed and `verbose`."""
    if not verbose or tqdm is None or len(batches) < 2:
        return batches
    return tqdm(batches, desc="reading texts", unit="batch", dynamic_ncols=True)


@contextmanager
def evaluating(network: nn.Module, runtime: Runtime) -> Iterator[None]:
    """Context in which a network is on the runtime's device and without dropout; it comes back as it was."""
    device = next((param.device for param in network.parameters()), runtime.device)
    was_training = network.training
    network.to(runtime.device).eval()
    try:
        with runtime.without_cudnn_warning():
            yield
    finally:
        network.to(device).train(was_training)
