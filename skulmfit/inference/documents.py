"""Pooled states of documents, or what a head makes of them."""

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
    """[last, max, mean] of every document, or a head's outputs: float32, one row per document, in their order."""
    head = nn.Identity() if head is None else head
    rows = np.empty((len(corpus), 0), np.float32)
    with evaluating(encoder, runtime), evaluating(head, runtime):
        for indices, ids, lengths in batches_in_order(corpus, runtime, verbose):
            outputs = head(pool_documents(encoder, ids, lengths, chunk_size=CHUNK_SIZE)).cpu().numpy()
            if rows.shape[1] == 0:
                rows = np.empty((len(corpus), outputs.shape[1]), np.float32)
            rows[indices] = outputs
    return rows
