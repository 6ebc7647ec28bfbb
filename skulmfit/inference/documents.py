"""Pooled states of documents, or what features or a head make of them."""

import numpy as np
import torch
from torch import nn

from skulmfit.inference.passes import CHUNK_SIZE, batches_in_order, evaluating
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.features import Features
from skulmfit.nn.heads import PoolingHead, SolvedHead
from skulmfit.nn.pooling import pool_documents
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus


@torch.no_grad()
def document_outputs(
    encoder: Encoder,
    corpus: TokenCorpus,
    runtime: Runtime,
    *,
    head: Features | PoolingHead | SolvedHead | None = None,
    n_layers: int = 1,
    verbose: int = 0,
) -> np.ndarray:
    """What a head makes of every document: float32, one row per document, in their order.

    Without a head, [last, max, mean] of the outputs of the `n_layers` top layers.
    """
    n_layers = n_layers if head is None else head.n_layers
    network = nn.Identity() if head is None else head
    rows = np.empty((len(corpus), 0), np.float32)
    with evaluating(encoder, runtime), evaluating(network, runtime):
        for indices, ids, lengths in batches_in_order(corpus, runtime, verbose):
            outputs = (
                network(pool_documents(encoder, ids, lengths, chunk_size=CHUNK_SIZE, n_layers=n_layers)).cpu().numpy()
            )
            if rows.shape[1] == 0:
                rows = np.empty((len(corpus), outputs.shape[1]), np.float32)
            rows[indices] = outputs
    return rows
