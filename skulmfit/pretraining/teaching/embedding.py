"""The teacher's vectors of a folder's segments, in parts, so that a killed job goes on where it was."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from skulmfit.models.writing import written_atomically
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.teaching.folder import IDS, SEGMENTS, TEACHER, VECTORS

_SEGMENTS_PER_PART = 4_096
_SECONDS_BETWEEN_LINES = 5.0

Embed = Callable[[slice], np.ndarray]  # the vectors (n, D) of some segments


def embed(folder: Path, teacher: str, *, batch_size: int = 64, device: str | None = None) -> None:
    """Write the vectors that a sentence-transformers model, by name or folder, gives a folder's segments.

    Raises
    ------
    ImportError
        If sentence-transformers is not installed.
    ValueError
        If the model cannot be loaded, the folder holds vectors of another, or a vector is 0 or not finite.
    """
    segments = read_segments(folder)
    model = load_teacher(teacher, device)

    def embed_segments(rows: slice) -> np.ndarray:
        return model.encode(segments[rows], batch_size=batch_size, convert_to_numpy=True, show_progress_bar=False)

    write_vectors(folder, len(segments), embed_segments, teacher)


def take_vectors(folder: Path, path: Path) -> None:
    """Write the vectors of an .npy file, one row (D,) a segment, into a folder.

    Raises
    ------
    ValueError
        If it does not hold one vector of floats for each segment, or a vector is 0 or not finite.
    """
    vectors, n_segments = np.load(path, mmap_mode="r"), len(read_segments(folder))
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or len(vectors) != n_segments:
        raise ValueError(
            f"--vectors {path} holds {vectors.dtype} of shape {vectors.shape}; it must hold floats, one row for each "
            f"of the {n_segments:,} segments of {folder / SEGMENTS}."
        )
    write_vectors(folder, n_segments, lambda rows: vectors[rows], str(path))


def read_segments(folder: Path) -> list[str]:
    """The segments of a folder as text."""
    if not (folder / SEGMENTS).exists() or not (folder / IDS).exists():
        raise FileNotFoundError(f"{folder} holds no segments; make some with `segment FILES --folder {folder}`.")
    segments = (folder / SEGMENTS).read_text(encoding="utf-8").split("\n")[:-1]
    n_encoded = len(open_corpus(folder)[0])
    if len(segments) != n_encoded:
        raise ValueError(f"{folder} holds {n_encoded:,} segments as ids and {len(segments):,} as text; segment again.")
    return segments


def load_teacher(teacher: str, device: str | None) -> Any:
    """A sentence-transformers model by name or folder."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "A teacher needs sentence-transformers: pip install 'skulmfit[teacher]'. Or give your own vectors with "
            "--vectors FILE.npy."
        ) from error
    is_folder, looks_like_path = Path(teacher).is_dir(), Path(teacher).is_absolute() or teacher.startswith(".")
    if (looks_like_path and not is_folder) or (is_folder and not any(Path(teacher).glob("*.json"))):
        raise ValueError(
            f"--teacher {teacher} is not the folder of a sentence-transformers model; it has no .json files."
        )
    try:
        return SentenceTransformer(teacher, device=device)
    except Exception as error:  # whatever it is that the libraries under it stumble over
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"--teacher {teacher} is neither the folder of a sentence-transformers model nor the name of one that can "
            f"be loaded: {reason}"
        ) from error


def write_vectors(folder: Path, n_segments: int, embed_segments: Embed, teacher: str) -> None:
    """Write the vectors of all parts that are not there yet, and print how far it is."""
    parts = folder / VECTORS
    parts.mkdir(exist_ok=True)
    _claim(folder, teacher)
    started, n_new, next_line = time.monotonic(), 0, 0.0
    for start in range(0, n_segments, _SEGMENTS_PER_PART):
        path = parts / f"{start // _SEGMENTS_PER_PART:06d}.npy"
        if path.exists():  # they are written atomically
            continue
        rows = slice(start, min(start + _SEGMENTS_PER_PART, n_segments))
        vectors = _unit(np.asarray(embed_segments(rows), dtype=np.float32), start)
        with written_atomically(path) as file:
            np.save(file, vectors.astype(np.float16))
        n_new += len(vectors)
        now = time.monotonic()
        if now >= next_line or rows.stop == n_segments:
            speed = n_new / max(now - started, 1e-9)
            left = timedelta(seconds=round((n_segments - rows.stop) / speed))
            print(f"{rows.stop:,} of {n_segments:,} vectors, {speed:,.0f} a second, {left} left", flush=True)
            next_line = now + _SECONDS_BETWEEN_LINES


def _claim(folder: Path, teacher: str) -> None:
    """Note whose vectors these are, remove what a kill has cut short, and refuse to mix two teachers."""
    parts, named = folder / VECTORS, folder / TEACHER
    for cut_short in parts.glob("*.part"):
        cut_short.unlink()
    is_begun = named.exists() and any(parts.glob("*.npy"))
    known = json.loads(named.read_text(encoding="utf-8"))["teacher"] if is_begun else teacher
    if known != teacher:
        raise ValueError(f"{parts} holds vectors by {known}; remove it to embed the segments with {teacher}.")
    with written_atomically(named) as file:
        file.write(json.dumps({"teacher": teacher}).encode())


def _unit(vectors: np.ndarray, first_row: int) -> np.ndarray:
    """Vectors at length 1, which float16 can hold."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    bad = np.flatnonzero(~(np.isfinite(norms) & (norms > 0)))
    if len(bad):
        raise ValueError(
            f"{len(bad):,} of the vectors are 0, NaN or infinite, the first that of segment {first_row + bad[0]:,}, "
            "counted from 0. Leave these segments out, or give other vectors."
        )
    return vectors / norms
