"""Encoding a corpus once: a tokenizer and a folder of memory-mapped arrays."""

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from skulmfit.text.corpus import TokenCorpus
from skulmfit.text.tokenizer import Tokenizer

_DOCUMENTS_PER_BATCH = 20_000


def train_tokenizer(documents: Iterable[str], *, vocab_size: int, max_words: int) -> Tokenizer:
    """Train a tokenizer on the first `max_words` words of a stream of documents."""
    return Tokenizer.train(_first_words(documents, max_words), vocab_size=vocab_size)


def encode_corpus(documents: Iterable[str], tokenizer: Tokenizer, folder: Path, *, n_threads: int = 2) -> TokenCorpus:
    """Encode a stream of documents in batches and keep it in `folder` as `ids.npy` and `offsets.npy`."""
    documents = iter(documents)
    corpora = []
    while batch := list(itertools.islice(documents, _DOCUMENTS_PER_BATCH)):
        corpora.append(tokenizer.encode(batch, n_threads=n_threads))
        print(f"encoded {sum(len(corpus.ids) for corpus in corpora):,} tokens", flush=True)
    corpus = TokenCorpus.concatenate(corpora)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(tokenizer.model)
    dtype = np.uint16 if len(tokenizer) <= 1 << 16 else np.int32
    np.save(folder / "ids.npy", corpus.ids.astype(dtype))
    np.save(folder / "offsets.npy", corpus.offsets)
    return corpus


def open_corpus(folder: Path) -> tuple[TokenCorpus, Tokenizer]:
    """The encoded corpus of `folder`, its ids memory-mapped, and its tokenizer."""
    corpus = TokenCorpus(np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "offsets.npy"))
    return corpus, Tokenizer((folder / "tokenizer.model").read_bytes())


def _first_words(documents: Iterable[str], max_words: int) -> Iterable[str]:
    n_words = 0
    for document in documents:
        yield document
        n_words += len(document.split())
        if n_words >= max_words:
            return
