"""From text files to a folder of segments: as text for the teacher, as ids for the student, with weights by file."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from skulmfit.pretraining.corpus import text_files
from skulmfit.pretraining.encoding import encode_corpus
from skulmfit.pretraining.teaching.folder import SEGMENTS, VECTORS, WEIGHTS
from skulmfit.pretraining.teaching.segmentation import MAX_WORDS, MIN_WORDS, choose, cut_files
from skulmfit.text.any_tokenizer import AnyTokenizer

SOURCES = "sources.json"
_MAX_WEIGHT = 4.0  # what is read more often is learnt by heart


def prepare(
    paths: Sequence[str | Path], tokenizer: AnyTokenizer, folder: Path,
    *, most: int = 0, balance: float = 0.5, factors: Mapping[str, float] | None = None, seed: int = 0,
) -> dict[str, int]:  # fmt: skip
    """Write the segments of text files into a folder. Return their number by file.

    Parameters
    ----------
    paths : sequence of str or Path
    tokenizer : Tokenizer or WordTokenizer
        Of the model that will be taught.
    folder : Path
    most : int, default=0
        Keep at most this many segments, chosen at random; 0 for all.
    balance : float, default=0.5
        An epoch reads each file in proportion to its number of segments to this power. With 1 it reads all segments
        equally often, with 0 as much of every file.
    factors : mapping of str to float, optional
        By name or path of a file: factor on how much of it is read.
    seed : int, default=0
        Seed of the lengths of segments and of the choice.

    Raises
    ------
    FileExistsError
        If the folder holds vectors already: they are of other segments.
    ValueError
        If there is no segment in the files, or a factor names no file.
    """
    if (folder / VECTORS).exists():
        raise FileExistsError(f"{folder / VECTORS} holds vectors of other segments; remove it, or give a new folder.")
    files, factors = text_files(paths), factors or {}
    if unknown := set(factors) - {name for path in files for name in (path.name, str(path))}:
        raise ValueError(
            f"--weight names {', '.join(unknown)}, which is none of the files: {', '.join(map(str, files))}."
        )
    folder.mkdir(parents=True, exist_ok=True)
    counts, rng = np.zeros(len(files), np.int64), random.Random(seed)
    segments = cut_files(files, rng)
    segments = choose(segments, most, rng) if most else segments
    with open(folder / SEGMENTS, "w", encoding="utf-8") as file:
        try:
            encode_corpus(_written(segments, file, counts), tokenizer, folder)
        except ValueError as error:
            if counts.any():
                raise
            raise ValueError(f"There is no segment of {MIN_WORDS} to {MAX_WORDS} words in the texts.") from error
    weights = file_weights(
        counts, balance, np.array([factors.get(str(path), factors.get(path.name, 1.0)) for path in files])
    )
    np.save(folder / WEIGHTS, np.repeat(weights, counts).astype(np.float32))
    by_file = dict(zip(map(str, files), counts.tolist()))
    (folder / SOURCES).write_text(json.dumps(by_file, indent=1), encoding="utf-8")
    return by_file


def _written(segments: Iterator[tuple[int, str]], file: TextIO, counts: np.ndarray) -> Iterator[str]:
    """The segments, each written to a file and counted as it passes."""
    for index, segment in segments:
        file.write(segment + "\n")
        counts[index] += 1
        yield segment


def file_weights(counts: np.ndarray, balance: float, factors: np.ndarray) -> np.ndarray:
    """How often an epoch, as long as all segments together, reads each segment of each file.

    Examples
    --------
    >>> file_weights(np.array([900, 100]), balance=0.5, factors=np.array([1.0, 1.0]))
    array([0.83333333, 2.5       ])
    """
    raw = factors * np.maximum(counts, 1) ** (balance - 1)
    return np.minimum(raw * counts.sum() / (raw * counts).sum(), _MAX_WEIGHT)
