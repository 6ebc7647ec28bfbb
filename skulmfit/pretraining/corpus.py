"""Reading text files as a stream of documents."""

import bz2
import gzip
import io
import itertools
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

from skulmfit.pretraining.cleaning import cleaned

STANDARD_INPUT = "-"
_OPENERS = {".bz2": bz2.open, ".gz": gzip.open}


def read_documents(paths: Iterable[str | Path], *, as_is: bool = False) -> Iterator[str]:
    """Documents of text files as a stream: cleaned, and of each template only the first; or all of them, `as_is`.

    A file is plain, .gz or .bz2. A folder stands for its files that end in .txt, .gz or .bz2, and "-" for standard
    input. A blank line ends a document.

    Raises
    ------
    FileNotFoundError
        If one of the files is missing, before any is read.
    ValueError
        If one of them is not text in UTF-8.
    """
    documents = itertools.chain.from_iterable(split_documents(read_lines(path)) for path in text_files(paths))
    return documents if as_is else cleaned(documents)


def read_lines(path: Path) -> Iterator[str]:
    """Lines of a text file.

    Raises
    ------
    ValueError
        If it is not text in UTF-8.
    """
    with _open(path) as lines:
        try:
            yield from lines
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 text throughout ({error.reason}). Convert it from its encoding, or leave out "
                "what is damaged: `iconv -c -f utf-8 -t utf-8`."
            ) from error


def text_files(paths: Iterable[str | Path]) -> list[Path]:
    """The text files that paths stand for.

    Raises
    ------
    FileNotFoundError
        If one of the paths does not exist.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.suffix in (".txt", *_OPENERS) and file.is_file())
        elif path.exists() or str(path) == STANDARD_INPUT:
            files.append(path)
        else:
            raise FileNotFoundError(f"{path} does not exist; give text files (.txt, .gz, .bz2), folders or -.")
    return files


def _open(path: Path):
    if str(path) == STANDARD_INPUT:
        return nullcontext(io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8"))
    return _OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8")


def split_documents(lines: Iterable[str]) -> Iterator[str]:
    """Documents, which blank lines separate, as they are."""
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield "".join(paragraphs)
            paragraphs = []
    if paragraphs:
        yield "".join(paragraphs)
