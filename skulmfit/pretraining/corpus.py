"""Reading a pretraining corpus as a stream of cleaned documents."""

import bz2
import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

_OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
_PLACEHOLDER = re.compile(r"\b(?:formula|codice|math)_\d+\b")  # left by Wikipedia extractors for what they dropped
_EMPTY_BRACKETS = re.compile(r"\(\s*[,;:]*\s*\)")
_MIN_WORDS = 20  # shorter documents are redirects and stubs


def read_documents(paths: Iterable[str | Path]) -> Iterator[str]:
    """Documents of text files, plain, .gz or .bz2; a blank line ends a document, a folder stands for its files."""
    for path in _files(paths):
        with _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            yield from filter(_is_long_enough, map(clean, _documents(lines)))


def clean(document: str) -> str:
    """Drop placeholders of things that are not text, and the brackets they leave empty."""
    return _EMPTY_BRACKETS.sub(" ", _PLACEHOLDER.sub(" ", document))


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _documents(lines: TextIO) -> Iterator[str]:
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield "".join(paragraphs)
            paragraphs = []
    if paragraphs:
        yield "".join(paragraphs)


def _is_long_enough(document: str) -> bool:
    return len(document.split(maxsplit=_MIN_WORDS)) > _MIN_WORDS
