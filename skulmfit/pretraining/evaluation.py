"""Perplexity that can be compared between vocabularies."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from skulmfit.pretrained.language_model import LanguageModelData
from skulmfit.pretraining.corpus import split_documents
from skulmfit.training.inference import log_likelihoods
from skulmfit.training.runtime import Runtime

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
            raise ValueError(f"{path} holds no text.")
        return documents
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)])]


def evaluate(data: LanguageModelData, documents: Sequence[str], *, device: str = "auto") -> dict[str, float]:
    """Nats per word and per piece of documents, each read from a zero state, every piece after `xxbos` predicted.

    A word is what whitespace separates in the text as it is given, so that the figure does not depend on the
    vocabulary.
    """
    corpus = data.tokenizer.encode(documents)
    total = -log_likelihoods(data.build().eval(), corpus, Runtime.resolve(device), pad_id=data.tokenizer.pad_id).sum()
    n_words, n_pieces = sum(len(document.split()) for document in documents), int((corpus.lengths - 1).sum())
    return {
        "nats_per_word": round(float(total / n_words), 4),
        "nats_per_piece": round(float(total / n_pieces), 4),
        "words": n_words,
        "pieces": n_pieces,
    }
