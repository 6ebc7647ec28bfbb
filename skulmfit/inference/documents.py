"""Pooled states of documents, or what features or a head make of them."""

import numpy as np
import torch
from torch import nn

from skulmfit.inference.passes import CHUNK_SIZE, batches_in_order, evaluating
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus


@torch.no_grad()
def document_outputs(
    encoder: Encoder,
    corpus: TokenCorpus,
    runtime: Runtime,
    *,
    head: nn.Module | None = None,
    verbose: int = 0,
) -> np.ndarray:
    """[last, max, mean] of every document, or what a head makes of it: float32, one row per document, in their order.

    A head that takes the states of more than the last layer says so by its `n_layers`.
    """
    n_layers = getattr(head, "n_layers", 1)
    network = nn.Identity() if head is None else head
    rows = np.empty((len(corpus), 0), np.float32)
    with evaluating(encoder, runtime), evaluating(network, runtime):
        for indices, ids, lengths in batches_in_order(corpus, runtime, verbose):
            pooled = pool_documents(encoder, ids, lengths, chunk_size=CHUNK_SIZE, n_layers=n_layers)
            outputs = network(pooled).cpu().numpy()
            if rows.shape[1] == 0:
                rows = np.empty((len(corpus), outputs.shape[1]), np.float32)
            rows[indices] = outputs
    return rows
