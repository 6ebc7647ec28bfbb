"""Perplexity that can be compared between vocabularies."""

import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skulmfit.inference.likelihoods import log_likelihoods
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.runtime import Runtime
from skulmfit.pretraining.corpus import split_documents

_WIKITEXT_ARTICLE = re.compile(r"^ = [^=].*[^=] = \n", re.M)


def read_held_out(path: Path) -> list[str]:
    """Documents of a held-out text file as they are, nothing cleaned.

    A blank line ends a document; a file in WikiText's form is cut at its article headings instead.
    """
    text = path.read_text(encoding="utf-8")
    starts = [match.start() for match in _WIKITEXT_ARTICLE.finditer(text)]
    if not starts:
        documents = list(split_documents(io.StringIO(text)))
        if not documents:
            raise ValueError(f"{path} holds no text. Give a file with at least one document.")
        return documents
    edges = [*([0] if text[: starts[0]].strip() else []), *starts, len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def evaluate(
    model: LanguageModel, documents: Sequence[str], *, device: str = "auto", verbose: int = 0
) -> dict[str, float]:
    """Nats per word and per piece of documents, each read from a zero state, every piece after `xxbos` predicted.

    Words are what whitespace separates in the text as it is given, so that the figure does not depend on the
    vocabulary. The likelihood is that of the text after the tokenizer's rules have normalised it.
    """
    corpus = model.tokenizer.encode(documents)
    network, runtime = model.network, Runtime.resolve(device)
    total = -log_likelihoods(network, corpus, runtime, verbose=verbose).sum()
    n_words, n_pieces = sum(len(document.split()) for document in documents), int((corpus.lengths - 1).sum())
    return {
        "nats_per_word": round(float(total / n_words), 4),
        "nats_per_piece": round(float(total / n_pieces), 4),
        "perplexity_per_piece": round(float(np.exp(total / n_pieces)), 2),
        "words": n_words,
        "pieces": n_pieces,
    }
