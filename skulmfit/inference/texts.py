"""What a model makes of texts, whatever their number: they are encoded and read by blocks."""

from collections.abc import Iterator

import numpy as np

from skulmfit.inference.documents import document_outputs
from skulmfit.inference.likelihoods import log_likelihoods
from skulmfit.models.fine_tuned_model import FineTunedModel
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.features import Features, Similarities
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.threads import n_threads
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus

TEXTS_PER_BLOCK = 1 << 15  # so that the memory of a pass is bounded, however many there are


def text_features(
    model: LanguageModel | FineTunedModel,
    features: Features | Similarities,
    texts: list[str],
    runtime: Runtime,
    *,
    verbose: int = 0,
) -> np.ndarray:
    """Features of texts, float32 of shape (n_texts, n_features)."""
    parts = [
        document_outputs(model.network.encoder, corpus, runtime, head=features, verbose=verbose)
        for corpus in _encoded_blocks(model.tokenizer, texts)
    ]
    return _finite(np.concatenate(parts))


def head_outputs(model: FineTunedModel, texts: list[str], runtime: Runtime, *, verbose: int = 0) -> np.ndarray:
    """What the head makes of texts, float32 of shape (n_texts, n_outputs)."""
    parts = [
        document_outputs(model.network.encoder, corpus, runtime, head=model.network.head, verbose=verbose)
        for corpus in _encoded_blocks(model.tokenizer, texts)
    ]
    return _finite(np.concatenate(parts))


def text_log_likelihoods(
    model: LanguageModel, texts: list[str], runtime: Runtime, *, verbose: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihood of every text in nats, and the number of pieces over which it is a sum, (n_texts,) each."""
    sums, n_pieces = [], []
    for corpus in _encoded_blocks(model.tokenizer, texts):
        sums.append(log_likelihoods(model.network, corpus, runtime, verbose=verbose))
        n_pieces.append(corpus.lengths - 1)
    return _finite(np.concatenate(sums)), np.concatenate(n_pieces)


def _finite(results: np.ndarray) -> np.ndarray:
    """The results of texts, if all are finite."""
    if not np.isfinite(results).all():
        row = int(np.flatnonzero(~np.isfinite(results).reshape(len(results), -1).all(axis=1))[0])
        raise ValueError(
            f"The model makes of text {row} what is not finite: its weights have grown too large, or come from a "
            "damaged file. Fit it with a lower learning rate, or load another file."
        )
    return results


def _encoded_blocks(tokenizer: AnyTokenizer, texts: list[str]) -> Iterator[TokenCorpus]:
    for start in range(0, len(texts), TEXTS_PER_BLOCK):
        yield tokenizer.encode(texts[start : start + TEXTS_PER_BLOCK], n_threads=n_threads())
