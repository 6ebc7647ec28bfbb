"""Log-likelihoods of documents under a language model."""

from functools import partial

import numpy as np
import torch
from torch import Tensor

from skulmfit.inference.passes import CHUNK_SIZE, evaluating, read
from skulmfit.nn.chunks import chunks
from skulmfit.nn.encoder import rows_of
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus


def log_likelihoods(
    model: LanguageModelNetwork, corpus: TokenCorpus, runtime: Runtime, *, verbose: int = 0
) -> np.ndarray:
    """Log-likelihood in nats of every document given its first token, float64 of shape (n_documents,)."""
    sums = np.zeros(len(corpus))
    with evaluating(model, runtime):
        for indices, scores in read(partial(_document_log_likelihoods, model), corpus, runtime, verbose):
            sums[indices] = scores
    return sums


def _document_log_likelihoods(model: LanguageModelNetwork, ids: Tensor, lengths: Tensor) -> np.ndarray:
    """Sums over the targets of each document, ids (B, T) to (B,)."""
    state = model.encoder.initial_state(len(ids))
    total = torch.zeros(len(ids), dtype=torch.float64, device=ids.device)
    for start, end, n_rows in chunks((lengths - 1).tolist(), CHUNK_SIZE):
        encoded = model(ids[:n_rows, start:end], rows_of(state, slice(0, n_rows)))
        state = encoded.state
        is_target = torch.arange(start + 1, end + 1, device=ids.device) < lengths[:n_rows, None]  # (B, T)
        scores = model.log_likelihoods(encoded.output, ids[:n_rows, start + 1 : end + 1])
        total[:n_rows] += scores.masked_fill(~is_target, 0).sum(dim=1, dtype=torch.float64)
    return total.cpu().numpy()
