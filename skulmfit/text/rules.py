"""Text normalisation: ULMFiT's case and repetition markers, as a list of substitutions.

Every rule is a regular expression with a replacement, so that one list serves two readers: `apply_rules` runs the
expressions over whole texts at C speed, `apply_rules_with_offsets` runs the same ones while tracking which characters
of the user's text each character came from.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

BOS, PAD, UNK = "xxbos", "xxpad", "xxunk"
CAPITALISED, UPPER_CASE, REPEATED_CHAR, REPEATED_WORD = "xxmaj", "xxup", "xxrep", "xxwrep"
MARKERS = (CAPITALISED, UPPER_CASE, REPEATED_CHAR, REPEATED_WORD)

_LETTER = r"[^\W\d_]"
_LONGEST_PART = 2048
_LONG_RUN = re.compile(rf"(?<!\S)\S{{{_LONGEST_PART + 1},}}")  # is tried where a word begins, not at every character
_MAX_RESTORED_RUN = 100  # a language model may make up any number
_MIN_RUN = 3  # three in a row is emphasis, two is spelling (fastai's threshold)

_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "`": "'"})
_TYPOGRAPHY |= str.maketrans({"‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-"})
_TYPOGRAPHY |= str.maketrans({"▁": "_"})  # SentencePiece's word boundary must not come from the user


class Rule(NamedTuple):
    """One substitution, as `re.sub` takes it."""

    pattern: re.Pattern[str]
    replacement: Callable[[re.Match[str]], str]
    marker: str | None = None  # without which in the vocabulary the substitution makes no sense


def _constant(text: str) -> Callable[[re.Match[str]], str]:
    return lambda match: text


def _markup(match: re.Match[str]) -> str:
    """Unescape an HTML entity; a line-break tag becomes a space."""
    return " " if match[0].startswith("<") else html.unescape(match[0])


def _repeated_char(match: re.Match[str]) -> str:
    return f" {REPEATED_CHAR} {len(match[0])} {match[1]} "


def _repeated_word(match: re.Match[str]) -> str:
    return f" {REPEATED_WORD} {len(match[0].split())} {match[1]} "


def _case(match: re.Match[str]) -> str:
    """Mark a word that starts with a capital; a single capital letter is only lowered, as in ULMFiT."""
    word = match[0]
    if word[1:2] in ("", "'") or not (word[0].isupper() or word[0].istitle()):
        return word
    return f" {UPPER_CASE if word.isupper() else CAPITALISED} {word}"


def _separate(match: re.Match[str]) -> str:
    """Put spaces around a symbol; combining marks and joiners belong to the letter before them."""
    return match[0] if unicodedata.category(match[0]) in ("Mn", "Mc", "Me", "Cf") else f" {match[0]} "


RULES: tuple[Rule, ...] = (
    Rule(re.compile("[\ud800-\udfff]"), _constant("\ufffd")),  # lone surrogates have no UTF-8
    Rule(re.compile(r"&#?\w{1,32};|<br\s*/?>", re.I), _markup),
    Rule(re.compile(r"(?<= )@([-,.])@(?= )"), lambda match: match[1]),  # WikiText's escaped joints
    Rule(re.compile(r"[‘’‛“”„‟`‐‑‒–—―−▁]"), lambda match: match[0].translate(_TYPOGRAPHY)),
    Rule(re.compile(r"\.{3,}|\.(?: \.){2,}"), _constant("…")),
    # Treebank-style clitics are rejoined, so that tokenised and plain English look the same: do n't, it 's.
    Rule(re.compile(r"(?<=\w) (?=(?:n't|'s|'re|'ve|'ll|'d|'m)\b)", re.I), _constant("")),
    Rule(re.compile(rf"([^\s\d])\1{{{_MIN_RUN - 1},}}"), _repeated_char, REPEATED_CHAR),
    Rule(re.compile(rf"\b({_LETTER}+)(?:\s+\1\b){{{_MIN_RUN - 1},}}"), _repeated_word, REPEATED_WORD),
    Rule(re.compile(rf"(?<![^\W_])(?<!\w')[^\W\d_a-z](?:'?{_LETTER})*"), _case),
    # Punctuation and symbols are words of their own, but not the apostrophe in don't or the point in 3.14.
    Rule(
        re.compile(rf"(?!(?<={_LETTER})'(?={_LETTER})|(?<=\d)[.,:](?=\d))[^\w\s]|_"),
        _separate,
    ),
    Rule(re.compile(r"\s+"), _constant(" ")),
)


def _lower(text: str) -> str:
    """Lower-case; character by character where that changes the length, to keep offsets exact."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(char.lower() for char in text)


def apply_rules(text: str, rules: Sequence[Rule] = RULES) -> str:
    """Normalise one text to lower case with markers, words and punctuation separated by single spaces.

    >>> apply_rules("I LOVED it!!!!! Good good good, <br />really")
    'i xxup loved it xxrep 5 ! xxmaj good good good , really'
    """
    text = "".join(unicodedata.normalize("NFC", part) for part in _parts(text))
    for rule in rules:
        text = rule.pattern.sub(rule.replacement, text)
    return _lower(text).strip(" ")


def apply_rules_with_offsets(text: str) -> tuple[str, np.ndarray]:
    """Normalise one text as `apply_rules` does, and say where each character came from.

    Returns
    -------
    normalised : str
    spans : ndarray of shape (len(normalised), 2)
        Start and end of each character in `text`; empty spans are characters that were put in.
    """
    text, spans = _compose(text)
    for rule in RULES:
        text, spans = _substitute(rule, text, spans)
    lowered = _lower(text)
    if len(lowered) != len(text):
        spans = np.repeat(spans, [len(char.lower()) for char in text], axis=0)
    start = len(lowered) - len(lowered.lstrip(" "))
    stop = len(lowered.rstrip(" "))
    return lowered[start:stop], spans[start:stop]


def _parts(text: str) -> list[str]:
    """The text, cut within very long words: composing takes time quadratic in a run of combining marks."""
    edges = [0]
    for run in _LONG_RUN.finditer(text):
        edges += range(run.start() + _LONGEST_PART, run.end(), _LONGEST_PART)
    edges.append(len(text))
    return [text[start:end] for start, end in zip(edges, edges[1:])]


def _compose(text: str) -> tuple[str, np.ndarray]:
    """NFC, one cluster of a base and its combining marks at a time."""
    composed, spans, offset = [], [], 0
    for part in _parts(text):
        starts = [i for i, char in enumerate(part) if i == 0 or _starts_cluster(char)]
        for start, end in zip(starts, [*starts[1:], len(part)]):
            composed.append(unicodedata.normalize("NFC", part[start:end]))
            spans += [(offset + start, offset + end)] * len(composed[-1])
        offset += len(part)
    return "".join(composed), np.array(spans, dtype=np.int64).reshape(-1, 2)


def _starts_cluster(char: str) -> bool:
    """Whether no canonical composition can join this character to the one before it."""
    if unicodedata.combining(char):
        return False
    return not (0x1100 <= ord(char) <= 0x11FF or unicodedata.category(char).startswith("M"))  # conjoining Hangul jamo


def _substitute(rule: Rule, text: str, spans: np.ndarray) -> tuple[str, np.ndarray]:
    """`re.sub` that carries the spans along."""
    pieces, piece_spans, done = [], [spans[:0]], 0
    for match in rule.pattern.finditer(text):
        start, end = match.span()
        new = rule.replacement(match)
        pieces += [text[done:start], new]
        piece_spans += [spans[done:start], _replacement_spans(match[0], new, spans[start:end])]
        done = end
    if done == 0:
        return text, spans
    pieces.append(text[done:])
    piece_spans.append(spans[done:])
    return "".join(pieces), np.concatenate(piece_spans)


def _replacement_spans(old: str, new: str, old_spans: np.ndarray) -> np.ndarray:
    """Spans of a replacement: kept text keeps its own, put-in text around it is empty, the rest covers the match."""
    kept = new.rfind(old) if old.strip() else -1
    if kept < 0:
        return np.tile([old_spans[:, 0].min(), old_spans[:, 1].max()], (len(new), 1))
    before = np.full((kept, 2), old_spans[0, 0])
    after = np.full((len(new) - kept - len(old), 2), old_spans[-1, 1])
    return np.concatenate([before, old_spans, after])


_NO_SPACE_BEFORE = re.compile(r" (?=[,.;:!?%…)\]}]|'\w)")
_NO_SPACE_AFTER = re.compile(r"(?<=[(\[{#$£€]) ")
_JOINT = re.compile(r"(?<=\w) ([-/_@]) (?=\w)")
_QUOTED = re.compile(r'" ([^"]*[^" ]) "')


def restore(normalised: str) -> str:
    """Plain text of normalised text: markers become capitals and repetitions, spaces around punctuation go.

    Typography and spacing stay as the rules have unified them.

    >>> restore("xxmaj well , xxup it xxrep 4 ! he said ( twice ) : xxwrep 3 no .")
    'Well, IT!!!! he said (twice): no no no.'
    """
    words, restored = iter(normalised.split()), []
    for word in words:
        if word in (CAPITALISED, UPPER_CASE):
            following = next(words, "")
            restored.append(following.upper() if word == UPPER_CASE else following[:1].upper() + following[1:])
        elif word in (REPEATED_CHAR, REPEATED_WORD):
            count, repeated = next(words, ""), next(words, "")
            separator = "" if word == REPEATED_CHAR else " "
            n = min(int(count), _MAX_RESTORED_RUN) if count.isdecimal() else 1
            restored.append(separator.join([repeated] * n))
        else:
            restored.append(word)
    text = _QUOTED.sub(r'"\1"', " ".join(restored))
    return _JOINT.sub(r"\1", _NO_SPACE_AFTER.sub("", _NO_SPACE_BEFORE.sub("", text)))
