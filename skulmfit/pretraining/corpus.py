"""Reading a pretraining corpus as a stream of cleaned documents."""

import bz2
import gzip
import io
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

STANDARD_INPUT = "-"
_OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
_PLACEHOLDER = re.compile(r"\b(?:formula|codice|math)_\d+\b")  # left by Wikipedia extractors for what they dropped
_EMPTY_BRACKETS = re.compile(r"\(\s*[,;:]*\s*\)")
_HEADING = re.compile(  # a line such as `Early life and education.`; not `He left.`
    r"(?!(?:I|You|He|She|It|We|They|This|That|There) )(?:[^\W\d_](?:[^\W\d_]|['’-])*(?: |\.\s*$)){1,4}"
)
_NAME_OR_NUMBER = re.compile(r"\w*[^\W_a-z]\w*")
_WORD = re.compile(r"[^\W\d_]+")
_MIN_WORDS = 20  # shorter documents are redirects and stubs
_TEMPLATE_WORDS = 40  # documents whose first words are the same but for names and numbers came from one template


def read_documents(paths: Iterable[str | Path]) -> Iterator[str]:
    """Documents of text files as a stream, cleaned, each template's only once.

    A file is plain, .gz or .bz2; a folder stands for its files and "-" for standard input; a blank line ends a
    document.
    """
    seen: set[int] = set()
    for path in _files(paths):
        with _open(path) as lines:
            for document in map(clean, _documents(lines)):
                template = hash(_template(document))
                if template not in seen and _is_long_enough(document):
                    seen.add(template)
                    yield document


def clean(document: str) -> str:
    r"""Drop headings, placeholders of things that are not text, and the brackets they leave empty.

    >>> clean("Pi\nThe number formula_1 (formula_2) is old.\nHistory.\nIt is Greek.")
    'Pi\nThe number   is old.\nIt is Greek.'
    """
    title, *lines = document.splitlines(keepends=True)
    text = "".join([title, *(line for line in lines if not _HEADING.fullmatch(line))])
    return _EMPTY_BRACKETS.sub("", _PLACEHOLDER.sub("", text))


def _files(paths: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, paths):
        yield from sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _open(path: Path):
    if str(path) == STANDARD_INPUT:
        return nullcontext(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace"))
    return _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8", errors="replace")


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


def _template(document: str) -> str:
    """The first lower-case words after the title: what is left of a text without its names and numbers."""
    body = document.partition("\n")[2] or document
    words = _WORD.findall(_NAME_OR_NUMBER.sub("", body[: 20 * _TEMPLATE_WORDS]))
    return " ".join(words[:_TEMPLATE_WORDS])


def _is_long_enough(document: str) -> bool:
    return len(document.split(maxsplit=_MIN_WORDS)) > _MIN_WORDS
