"""The data of a teaching run: what it learns from, on the device, and what is held out."""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.teaching.folder import TeachingFolder
from skulmfit.pretraining.teaching.held_out import HeldOut
from skulmfit.pretraining.teaching.on_device import TextsOnDevice, unit_vectors_on_device
from skulmfit.pretraining.teaching.teaching_task import Documents, TaughtSegments
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.rules import CAPITALISED, UPPER_CASE
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.text.tokenizer import BOUNDARY

_SHARE_HELD_OUT = 1 / 20  # at most
_SEGMENTS_PER_DOCUMENT = 10  # held out
_HELD_OUT_LENGTH = 256  # pieces of a document


@dataclass(frozen=True)
class TeachingData:
    """What a run learns from, what is held out, and a checksum of both."""

    segments: TaughtSegments
    documents: Documents | None
    held_out: HeldOut
    checksum: int


def load_data(
    folder: TeachingFolder, texts: Path | None, device: torch.device, *, direction: str, n_held_out: int, seed: int
) -> TeachingData:
    """Bring segments, vectors and the documents of an encoded corpus to the device."""
    rng = np.random.default_rng(seed)
    kept, held_out = _split(len(folder.segments), n_held_out, rng)
    segments = _load_segments(folder, kept, direction, device)
    vectors = segments.vectors[torch.from_numpy(held_out).to(device)].cpu().numpy()
    checksum = _checksum(folder.segments, _checksum_of_vectors(folder))
    documents, examples = None, folder.segments.take(held_out)
    if texts is not None:
        corpus = _open_texts(texts, folder.tokenizer)
        read, others = _split(len(corpus), n_held_out // _SEGMENTS_PER_DOCUMENT, rng)
        documents = Documents(TextsOnDevice.from_corpus(corpus, device, direction), corpus.lengths, read)
        if len(others):
            examples = TokenCorpus.from_documents(corpus[row][:_HELD_OUT_LENGTH] for row in others)
        checksum = _checksum(corpus, checksum)
    forward = HeldOut(folder.segments.take(held_out), vectors, examples)
    return TeachingData(segments, documents, forward.backward() if direction == "backward" else forward, checksum)


def _split(n: int, n_held_out: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows to hold out, both in rising order."""
    order = rng.permutation(n)
    n_held_out = min(n_held_out, int(n * _SHARE_HELD_OUT))
    return np.sort(order[n_held_out:]), np.sort(order[:n_held_out])


def _load_segments(folder: TeachingFolder, rows: np.ndarray, direction: str, device: torch.device) -> TaughtSegments:
    """The segments as they are, then without case markers."""
    texts = TextsOnDevice.from_corpus(folder.segments, device, direction)
    caseless = texts.without(_case_markers(folder.tokenizer))
    lengths = np.concatenate([folder.segments.lengths, caseless.lengths.cpu().numpy()])
    vectors = unit_vectors_on_device(folder.vectors, len(folder.segments), device)
    return TaughtSegments(texts.followed_by(caseless), lengths, vectors, rows, folder.weights[rows])


def _case_markers(tokenizer: AnyTokenizer) -> list[int]:
    """Ids of the markers for capitals that a vocabulary has."""
    markers = {prefix + marker for marker in (CAPITALISED, UPPER_CASE) for prefix in ("", BOUNDARY)}
    return [index for index, piece in enumerate(tokenizer.pieces) if piece in markers]


def _open_texts(path: Path, tokenizer: AnyTokenizer) -> TokenCorpus:
    corpus, other = open_corpus(path)
    if other.model != tokenizer.model:
        raise ValueError(f"{path} was encoded with another tokenizer than the segments; give both the same.")
    return corpus


def _checksum(corpus: TokenCorpus, seed: int) -> int:
    return zlib.crc32(corpus.offsets.data, zlib.crc32(corpus.ids.data, seed))


def _checksum_of_vectors(folder: TeachingFolder) -> int:
    """Of weights and of the first and last vector of each part: reading all would take as long as loading them."""
    checksum = zlib.crc32(folder.weights.tobytes())
    for part in folder.vectors:
        checksum = zlib.crc32(part[[0, -1]].tobytes(), checksum) if len(part) else checksum
    return checksum
