"""Words and sentences of a text, as places in the user's own string."""

import re
from typing import NamedTuple

from skulmfit.text.rules import apply_rules_with_offsets

# Scripts that put no spaces between words: Thai to Khmer, Japanese, Chinese. Each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_UNSPACED_WORD = re.compile(rf"[{_UNSPACED}]+")
_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*\Z")
_LONGEST_END = 20  # characters of marks at the end of a sentence
_MARKS = re.compile(r"[.!?…。！？\"'”’»)\]]+")


class Span(NamedTuple):
    """`text[start:end]`."""

    start: int
    end: int


def word_spans(text: str) -> list[Span]:
    """Places of the words of a text, as ULMFiT's rules separate them: punctuation marks are words too.

    What the rules make one thing is one word: `!!!!!`, `&amp;`, a word said three times.

    >>> text = "Don't LOVE it!!!"
    >>> [text[start:end] for start, end in word_spans(text)]
    ["Don't", 'LOVE', 'it', '!!!']
    """
    normalised, offsets = apply_rules_with_offsets(text)
    spans: list[Span] = []
    for match in _WORD.finditer(normalised):
        own = offsets[match.start() : match.end()]
        own = own[own[:, 0] < own[:, 1]]
        if len(own):
            spans.append(Span(int(own[:, 0].min()), int(own[:, 1].max())))
    return _without_overlaps(spans)


def _without_overlaps(spans: list[Span]) -> list[Span]:
    """The spans in order, those that share characters as one."""
    apart: list[Span] = []
    for span in spans:
        if apart and span.start < apart[-1].end:
            apart[-1] = Span(apart[-1].start, max(apart[-1].end, span.end))
        else:
            apart.append(span)
    return apart


def sentences(text: str, words: list[Span]) -> list[range]:
    """Which words each sentence of a text has. A sentence ends at its mark, and at the end of a line.

    >>> text = "Dull. Very dull! I left"
    >>> sentences(text, word_spans(text))
    [range(0, 2), range(2, 5), range(5, 7)]
    """
    found, first = [], 0
    for index, (word, following) in enumerate(zip(words, words[1:])):
        gap = text[word.end : following.start]
        goes_on = not gap and _MARKS.fullmatch(text[following.start : following.end])
        is_end = _END.search(text[max(words[first].start, word.end - _LONGEST_END) : word.end]) and not goes_on
        if is_end or "\n" in gap or "<" in gap:
            found.append(range(first, index + 1))
            first = index + 1
    return [*found, range(first, len(words))] if words else []


def leave_out(text: str, span: Span) -> str:
    """The text without some of its characters. A space in their place keeps the words around them apart.

    >>> leave_out("a dull film", Span(2, 6))
    'a   film'
    """
    filler = "" if _UNSPACED_WORD.fullmatch(text[span.start : span.end]) else " "
    return text[: span.start] + filler + text[span.end :]
