"""Cutting texts into segments of a few sentences, each once, for a teacher to read."""

import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path

from skulmfit.pretraining.cleaning import PLACEHOLDER
from skulmfit.pretraining.corpus import STANDARD_INPUT, read_documents, read_lines

MIN_WORDS, MAX_WORDS = 3, 100
_CHARS_PER_WORD = 8  # at most: in scripts without spaces a text is not one word
_SENTENCE_END = re.compile(r"[.!?…][\"”’')\]]*\s+|[。！？][”’」』]*\s*")
_SENTENCES = (1, 1, 1, 1, 2, 2, 2, 3, 3, 6)  # of a segment: one of these at random
_WORD = re.compile(r"[^\W\d_]+")
_LINES_LOOKED_AT = 1_000


def cut_files(paths: list[Path], rng: random.Random) -> Iterator[tuple[int, str]]:
    """The segments of text files, each with the index of its file.

    If two segments differ only in numbers and punctuation, the first is kept. In a file without blank lines every line
    is a text. In other files blank lines separate documents, which are cleaned as `encode` cleans them. No segment
    goes beyond its line.
    """
    seen: set[int] = set()
    for index, path in enumerate(paths):
        for line in _texts(path):
            for segment in cut(line, rng):
                words = hash(tuple(_WORD.findall(segment.lower())))
                if words not in seen:
                    seen.add(words)
                    yield index, segment


def choose(segments: Iterator[tuple[int, str]], n: int, rng: random.Random) -> Iterator[tuple[int, str]]:
    """At most n of a stream of segments, each as likely as the others, in their order (Vitter 1985, algorithm R)."""
    kept: list[tuple[int, tuple[int, str]]] = []
    for place, segment in enumerate(segments):
        if place < n:
            kept.append((place, segment))
        elif (slot := rng.randrange(place + 1)) < n:
            kept[slot] = (place, segment)
    return (segment for _, segment in sorted(kept))


def cut(text: str, rng: random.Random) -> list[str]:
    """Segments of 1 to 6 sentences of a text, but none that is too short or too long, or has placeholders.

    Examples
    --------
    >>> cut("It rained. Let x be formula_1. He said: “We must go now!” Nobody did.", random.Random(0))
    ['He said: “We must go now!” Nobody did.']
    """
    sentences = _sentences(text)
    segments = []
    start = 0
    while start < len(sentences):
        end = start + rng.choice(_SENTENCES)
        segments.append(" ".join(sentences[start:end]))
        start = end
    return [text for text in segments if MIN_WORDS <= _n_words(text) <= MAX_WORDS and not PLACEHOLDER.search(text)]


def _sentences(text: str) -> list[str]:
    """Sentences, with single spaces. What begins in lower case belongs to the sentence before it."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text) if not text[match.end() : match.end() + 1].islower()]
    parts = (text[start:end] for start, end in itertools.pairwise([0, *ends, len(text)]))
    return [" ".join(part.split()) for part in parts if part.strip()]


def _n_words(text: str) -> int:
    return max(len(text.split()), len(text) // _CHARS_PER_WORD)


def _texts(path: Path) -> Iterator[str]:
    """The lines of a file that are text."""
    if str(path) == STANDARD_INPUT or _has_documents(path):
        return itertools.chain.from_iterable(document.splitlines() for document in read_documents([path]))
    return read_lines(path)


def _has_documents(path: Path) -> bool:
    """Whether there are blank lines among the first lines of a file."""
    start = "".join(itertools.islice(read_lines(path), _LINES_LOOKED_AT))
    return any(not line.strip() for line in start.strip().splitlines())
