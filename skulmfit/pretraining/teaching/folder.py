"""The folder of a teaching: segments as ids, how often each is read, and the teacher's vectors.

    ids.npy           uint16 or int32 (n_pieces,): segments one after another, each from its `xxbos`, read forward
    offsets.npy       int64 (n_segments + 1,): segment i is ids[offsets[i]:offsets[i + 1]], of at least 2 pieces
    tokenizer.model   the tokenizer's `model` bytes
    weights.npy       float32 (n_segments,): how often an epoch reads each, on average; without this file once
    vectors/*.npy     float16, float32 or float64 (n, D): together one row per segment, in the order of the names
    segments.txt      one segment per line; only `embed` reads it
    sources.json      number of segments of each file, in the order of the files; to make other weights
    teacher.json      {"teacher": NAME}, for the model's card; may be missing

The first three are those of an encoded corpus, as `--texts` takes it. `segment` and `embed` write such a folder. A
script can write one too, from flat ids, the length of each segment, and vectors, which may have any length but 0:

    np.save(folder / "ids.npy", ids.astype(np.uint16))
    np.save(folder / "offsets.npy", np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    np.save(folder / "weights.npy", weights.astype(np.float32))
    (folder / "vectors").mkdir()
    np.save(folder / "vectors" / "0.npy", vectors.astype(np.float16))
    (folder / "tokenizer.model").write_bytes(load_pretrained("en").tokenizer.model)
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skulmfit.pretraining.encoding import open_corpus
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus

IDS, SEGMENTS, WEIGHTS, VECTORS, TEACHER = "ids.npy", "segments.txt", "weights.npy", "vectors", "teacher.json"


@dataclass(frozen=True)
class TeachingFolder:
    """What is taught: segments, their weights (n_segments,) and the files of their vectors, memory-mapped."""

    path: Path
    segments: TokenCorpus
    tokenizer: AnyTokenizer
    weights: np.ndarray
    vectors: list[np.ndarray]

    @property
    def vector_dim(self) -> int:
        """Width of the teacher's vectors."""
        return self.vectors[0].shape[1]

    def teacher(self) -> str:
        """Name of the teacher; empty if the folder does not say."""
        named = self.path / TEACHER
        return json.loads(named.read_text(encoding="utf-8"))["teacher"] if named.exists() else ""


def open_folder(path: Path) -> TeachingFolder:
    """Open a folder in the format above, and check that its parts belong together.

    Raises
    ------
    FileNotFoundError
        If it has no segments or no vectors.
    ValueError
        If the numbers of segments, weights and vectors differ, a segment is too short, or a weight is below 0.
    """
    if not (path / IDS).exists():
        raise FileNotFoundError(f"{path} holds no segments; make some with `segment FILES --folder {path}`.")
    segments, tokenizer = open_corpus(path)
    if len(segments) < 2 or segments.offsets[-1] != len(segments.ids) or segments.lengths.min() < 2:
        raise ValueError(f"{path}: offsets.npy must cut ids.npy into two or more segments of at least 2 pieces.")
    weights = np.load(path / WEIGHTS) if (path / WEIGHTS).exists() else np.ones(len(segments), np.float32)
    if weights.shape != (len(segments),) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"{path / WEIGHTS} must hold a number of at least 0 for each of {len(segments):,} segments, not all 0; got "
            f"shape {weights.shape}."
        )
    return TeachingFolder(path, segments, tokenizer, weights, open_vectors(path, len(segments)))


def open_vectors(path: Path, n_segments: int) -> list[np.ndarray]:
    """The vectors of all segments, in parts (n, D)."""
    parts = [np.load(file, mmap_mode="r") for file in sorted((path / VECTORS).glob("*.npy"))]
    if not parts:
        raise FileNotFoundError(f"{path} holds no vectors; make them with `embed --folder {path} --teacher NAME`.")
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1 or len(parts[0].shape) != 2 or any(part.dtype.kind != "f" for part in parts):
        raise ValueError(f"{path / VECTORS}: each file must hold floats (n, D) of one width D; got {shapes}.")
    n_vectors = sum(len(part) for part in parts)
    if n_vectors != n_segments:
        raise ValueError(
            f"{path} holds {n_segments:,} segments and {n_vectors:,} vectors: there must be one vector for each. Where "
            "`embed` was cut short, the same command goes on."
        )
    return parts
