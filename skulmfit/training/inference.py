"""Passes over documents without training: pooled states, logits, log-likelihoods.

Documents run in canonical order and are scattered back, so that nothing about a document's result depends on the
documents beside it or on their order.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.awd_lstm import AWDLSTM
from skulmfit.nn.heads import LanguageModel
from skulmfit.nn.pooling import pool_documents
from skulmfit.text.batches import canonical_order, document_batches, pad
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.progress import progress_bar
from skulmfit.training.runtime import Runtime, release_free_memory

CHUNK_SIZE = 256  # tokens per chunk of a long document
_TOKENS_PER_BATCH = 1 << 14  # padded: bounds memory, whatever the lengths
_BATCHES_BETWEEN_RELEASES = 10


@torch.no_grad()
def document_outputs(
    encoder: AWDLSTM,
    corpus: TokenCorpus,
    runtime: Runtime,
    *,
    pad_id: int,
    head: nn.Module | None = None,
    verbose: int = 0,
) -> np.ndarray:
    """[last, max, mean] of every document, or a head's outputs: float32, one row per document, in their order."""
    head = nn.Identity() if head is None else head
    rows = np.empty((len(corpus), 0), np.float32)
    with evaluating(encoder, runtime), evaluating(head, runtime):
        for indices, ids, lengths in _batches(corpus, runtime, pad_id, verbose):
            outputs = head(pool_documents(encoder, ids, lengths, chunk_size=CHUNK_SIZE)).cpu().numpy()
            if rows.shape[1] == 0:
                rows = np.empty((len(corpus), outputs.shape[1]), np.float32)
            rows[indices] = outputs
    return rows


@torch.no_grad()
def log_likelihoods(
    model: LanguageModel, corpus: TokenCorpus, runtime: Runtime, *, pad_id: int, verbose: int = 0
) -> np.ndarray:
    """Log-likelihood in nats of every document given its first token, float64 of shape (n_documents,)."""
    sums = np.zeros(len(corpus))
    with evaluating(model, runtime):
        for indices, ids, lengths in _batches(corpus, runtime, pad_id, verbose):
            sums[indices] = _document_log_likelihoods(model, ids, lengths).cpu().numpy()
    return sums


def _document_log_likelihoods(model: LanguageModel, ids: Tensor, lengths: Tensor) -> Tensor:
    """Sums over the targets of each document, ids (B, T) to (B,)."""
    state = model.encoder.initial_state(len(ids))
    total = torch.zeros(len(ids), dtype=torch.float64, device=ids.device)
    for start in range(0, ids.shape[1] - 1, CHUNK_SIZE):
        end = min(start + CHUNK_SIZE, ids.shape[1] - 1)
        encoded = model(ids[:, start:end], state)
        state = encoded.state
        is_target = torch.arange(start + 1, end + 1, device=ids.device) < lengths[:, None]  # (B, T)
        scores = model.log_likelihoods(encoded.output, ids[:, start + 1 : end + 1])
        total += scores.masked_fill(~is_target, 0).sum(dim=1, dtype=torch.float64)
    return total


def _batches(
    corpus: TokenCorpus, runtime: Runtime, pad_id: int, verbose: int
) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
    """Indices, padded ids (B, T) and lengths (B,) of batches in canonical order."""
    batches = document_batches(corpus.lengths, canonical_order(corpus), len(corpus) or 1, _TOKENS_PER_BATCH)
    for n_done, indices in enumerate(progress_bar(batches, "reading texts", verbose)):
        if n_done % _BATCHES_BETWEEN_RELEASES == _BATCHES_BETWEEN_RELEASES - 1:
            release_free_memory()
        ids, lengths = pad(corpus, indices, pad_id)
        yield indices, runtime.tensor(ids), runtime.tensor(lengths)


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
