"""Pooled states of documents, or what features or a head make of them."""

import numpy as np
from torch import Tensor, nn

from skulmfit.inference.passes import CHUNK_SIZE, evaluating, read
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.pooling import Beginning, read_to_ends
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus


def document_outputs(
    encoder: Encoder,
    corpus: TokenCorpus,
    runtime: Runtime,
    *,
    head: nn.Module | None = None,
    n_layers: int = 1,
    verbose: int = 0,
) -> np.ndarray:
    """[last, max, mean] of every document, or what a head makes of it: float32, one row per document, in their order.

    The states are those of the `n_layers` top layers, or of as many as a head says by its own `n_layers`.
    """
    n_layers = getattr(head, "n_layers", n_layers)
    network = nn.Identity() if head is None else head

    def outputs(ids: Tensor, lengths: Tensor) -> np.ndarray:
        with runtime.autocast_reading():
            nothing = Beginning.of_nothing(encoder, len(ids), n_layers)
            whole = read_to_ends(encoder, ids, lengths, nothing, chunk_size=CHUNK_SIZE, n_layers=n_layers)
        return network(whole.pool.concat(whole.n_read)).cpu().numpy()

    rows = np.empty((len(corpus), 0), np.float32)
    with evaluating(encoder, runtime), evaluating(network, runtime):
        for indices, part in read(outputs, corpus, runtime, verbose):
            if rows.shape[1] == 0:
                rows = np.empty((len(corpus), part.shape[1]), np.float32)
            rows[indices] = part
    return rows
