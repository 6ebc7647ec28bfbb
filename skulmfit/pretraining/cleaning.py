"""Cleaning documents: remains of what is not text are dropped, and of many copies of a template one is kept."""

import re
from collections.abc import Iterable, Iterator

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


def cleaned(documents: Iterable[str]) -> Iterator[str]:
    """Documents cleaned, without the short ones; of those from one template only the first."""
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


def _template(document: str) -> tuple[str, ...] | None:
    """The first lower-case words after the title: what is left of a text without its names and numbers."""
    body = document.partition("\n")[2] or document
    words = [word for word in _WORD.findall(body[: 20 * _TEMPLATE_WORDS]) if word.isalpha() and word == word.lower()]
    return tuple(words[:_TEMPLATE_WORDS]) if len(words) >= _MIN_TEMPLATE_WORDS else None
