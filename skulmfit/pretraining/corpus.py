"""Reading a pretraining corpus as a stream of cleaned documents."""

import bz2
import gzip
import io
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

STANDARD_INPUT = "-"
_OPENERS = {".bz2": bz2.open, ".gz": gzip.open}
PLACEHOLDER = re.compile(r"\b(?:formula|codice|math)_\d+\b")  # left by Wikipedia extractors for what they dropped
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_EMPTY_BRACKETS = re.compile(r"(?<!\w)\([\s,;:]*\)")
_EMPTY_COMMAS = re.compile(r"(?:,\s*)+(?=,)")
_HEADING = re.compile(  # a line such as `Early life and education.`; not `He left.`
    r"(?!(?:I|You|He|She|It|We|They|This|That|There) )(?:[^\W\d_](?:[^\W\d_]|['’-])*(?: |\.\s*$)){1,4}"
)
_WORD = re.compile(r"\w+")
_MIN_CHARS = 100  # shorter documents are redirects and stubs
_TEMPLATE_WORDS = 40  # documents whose first words are the same but for names and numbers came from one template
_MIN_TEMPLATE_WORDS = 10  # fewer say nothing


def read_documents(paths: Iterable[str | Path], *, as_is: bool = False) -> Iterator[str]:
    """Documents of text files as a stream, cleaned, each template's only once; or all of them as they are.

    A file is plain, .gz or .bz2; a folder stands for those of its files that end in .txt, .gz or .bz2, and "-" for
    standard input; a blank line ends a document.

    Raises
    ------
    FileNotFoundError
        If one of the files is missing, before any is read.
    ValueError
        If one of them is not text in UTF-8.
    """
    documents = itertools.chain.from_iterable(split_documents(read_lines(path)) for path in text_files(paths))
    return documents if as_is else _cleaned(documents)


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


def _cleaned(documents: Iterable[str]) -> Iterator[str]:
    seen: set[int] = set()
    for document in map(clean, documents):
        template = _template(document)
        if len(document) >= _MIN_CHARS and (template is None or hash(template) not in seen):
            seen.add(hash(template))
            yield document


def clean(document: str) -> str:
    r"""Drop headings, sentences with placeholders of what is not text, brackets and commas around nothing.

    >>> clean("Pi\nThe number (, ) is old. It is formula_1.\nHistory.\nIt is in Greek, , and in Latin.")
    'Pi\nThe number  is old.\nIt is in Greek, and in Latin.'
    """
    title, *lines = document.splitlines(keepends=True)
    kept = [title, *(line for line in lines if not _HEADING.fullmatch(line))]
    return _EMPTY_COMMAS.sub("", _EMPTY_BRACKETS.sub("", "".join(map(_without_placeholders, kept))))


def _without_placeholders(line: str) -> str:
    """A paragraph without the sentences that make no sense, since something is left out of them."""
    if not PLACEHOLDER.search(line):
        return line
    sentences = [sentence for sentence in _SENTENCE_END.split(line) if not PLACEHOLDER.search(sentence)]
    return " ".join(sentences).rstrip() + "\n" if any(sentences) else ""


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
    """What blank lines separate, as it is."""
    paragraphs: list[str] = []
    for line in lines:
        if line.strip():
            paragraphs.append(line)
        elif paragraphs:
            yield "".join(paragraphs)
            paragraphs = []
    if paragraphs:
        yield "".join(paragraphs)


def _template(document: str) -> tuple[str, ...] | None:
    """The first lower-case words after the title: what is left of a text without its names and numbers."""
    body = document.partition("\n")[2] or document
    words = [word for word in _WORD.findall(body[: 20 * _TEMPLATE_WORDS]) if word.isalpha() and word == word.lower()]
    return tuple(words[:_TEMPLATE_WORDS]) if len(words) >= _MIN_TEMPLATE_WORDS else None
