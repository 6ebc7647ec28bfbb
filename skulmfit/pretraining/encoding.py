"""Encoding a corpus once: a tokenizer and a folder of memory-mapped arrays."""

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import joblib
import numpy as np

from skulmfit.models.writing import locked
from skulmfit.text.any_tokenizer import AnyTokenizer, load_tokenizer
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.text.tokenizer import Tokenizer

_DOCUMENTS_PER_BATCH = 5_000
_LOCK = "lock"


def train_tokenizer(documents: Iterator[str], *, vocab_size: int, max_words: int) -> tuple[Tokenizer, Iterator[str]]:
    """Train a tokenizer on the first `max_words` words of a stream of documents. Return it and the whole stream."""
    first = list(first_words(documents, max_words))
    return Tokenizer.train(first, vocab_size=vocab_size), itertools.chain(first, documents)


def encode_corpus(documents: Iterator[str], tokenizer: AnyTokenizer, folder: Path) -> TokenCorpus:
    """Encode a stream of documents into `folder`: `ids.npy`, `offsets.npy` and the tokenizer.

    Memory holds one batch of documents and all offsets, never the corpus. A job that is cut short leaves no `ids.npy`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ids.npy").unlink(missing_ok=True)
    (folder / "tokenizer.model").write_bytes(tokenizer.model)
    lengths: list[np.ndarray] = []
    n_tokens, started = 0, time.monotonic()
    with _GrowingArray(folder / "ids.npy", np.uint16 if len(tokenizer) <= 1 << 16 else np.int32) as ids:
        while batch := list(itertools.islice(documents, _DOCUMENTS_PER_BATCH)):
            corpus = tokenizer.encode(batch, n_threads=joblib.cpu_count())
            ids.append(corpus.ids)
            lengths.append(corpus.lengths)
            n_tokens += len(corpus.ids)
            speed = n_tokens / max(time.monotonic() - started, 1e-3)
            print(f"encoded {n_tokens:,} tokens, {speed:,.0f} a second", flush=True)
        if not n_tokens:
            raise ValueError(
                "There is no document in the texts. A blank line ends a document. Documents of less than 100 "
                "characters are left out; --as-is keeps them."
            )
        np.save(folder / "offsets.npy", np.cumsum(np.concatenate([[0], *lengths]), dtype=np.int64))
    return open_corpus(folder)[0]


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Context of a command that writes a folder: no other one has it.

    Raises
    ------
    BlockingIOError
        If another command writes or reads it.
    """
    with locked(folder / _LOCK, f"The folder {folder}"):
        yield


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Context of a command that reads a folder, if there is one: none writes it.

    Raises
    ------
    BlockingIOError
        If another command writes it.
    """
    can_be_written = os.access(folder, os.W_OK)  # and so needs a lock
    with locked(folder / _LOCK, f"The folder {folder}", shared=True) if can_be_written else nullcontext():
        yield


def open_corpus(folder: Path) -> tuple[TokenCorpus, AnyTokenizer]:
    """The encoded corpus of `folder`, its ids memory-mapped, and its tokenizer."""
    if not (folder / "ids.npy").exists():
        raise FileNotFoundError(f"{folder} holds no encoded corpus; make one with `encode --folder {folder}`.")
    try:
        ids, offsets = np.load(folder / "ids.npy", mmap_mode="r"), np.load(folder / "offsets.npy")
        tokenizer = load_tokenizer((folder / "tokenizer.model").read_bytes())
    except (ValueError, EOFError) as error:
        raise ValueError(f"{folder} is damaged: {error}. Encode the texts again.") from error
    if ids.ndim != 1 or ids.dtype.kind not in "iu" or offsets.ndim != 1 or offsets.dtype.kind not in "iu":
        raise ValueError(f"{folder} must hold vectors of integers: ids are {ids.dtype}, offsets {offsets.dtype}.")
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets.astype(np.int64)) < 1).any():
        raise ValueError(f"{folder / 'offsets.npy'} does not cut the {len(ids):,} ids into documents. Encode again.")
    if ids.min() < 0 or ids.max() >= len(tokenizer):
        raise ValueError(
            f"{folder / 'ids.npy'} has ids from {ids.min()} to {ids.max()}, but the tokenizer has {len(tokenizer):,} "
            "pieces: 0 is the first. Encode the texts again."
        )
    return TokenCorpus(ids, offsets), tokenizer


class _GrowingArray:
    """A one-dimensional .npy file that is appended to; it takes its name when it is complete."""

    def __init__(self, path: Path, dtype: np.dtype | type):
        self.path, self.dtype, self.size = path, np.dtype(dtype), 0

    def __enter__(self) -> "_GrowingArray":
        self.file = open(self.path.with_name(self.path.name + ".part"), "wb")
        self._write_header()
        return self

    def append(self, values: np.ndarray) -> None:
        """Write more values at the end."""
        self.file.write(values.astype(self.dtype).tobytes())
        self.size += len(values)

    def _write_header(self) -> None:
        # numpy pads the header so that the length of an array of one dimension can grow without moving the data.
        header = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.size,)}
        np.lib.format.write_array_header_1_0(self.file, header)

    def __exit__(self, kind: type | None, *error) -> None:
        if kind is None:
            self.file.seek(0)
            self._write_header()
        self.file.close()
        if kind is None:
            os.replace(self.file.name, self.path)


def first_words(documents: Iterator[str], max_words: int) -> Iterator[str]:
    """Documents from the start of a stream, up to the one in which `max_words` is reached."""
    n_words = 0
    for document in documents:
        yield document
        n_words += len(document.split())
        if n_words >= max_words:
            return
