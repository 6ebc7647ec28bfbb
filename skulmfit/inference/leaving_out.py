"""Explanations by leaving out: what a model makes of a text without each of its parts.

Of a long text, passages and sentences come first, and then the parts of those that matter (the idea is that of
occlusion, Zeiler & Fergus 2014, section 4.2; of words, Li et al. 2016, "Understanding Neural Networks through
Representation Erasure").
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from skulmfit.inference.explanation import Part
from skulmfit.text.segments import Span, leave_out, sentences, word_spans

SHORT = 100  # words: each word of a text that is not longer is left out
MOST_PARTS = 40  # of a longer text that are left out at a time; time grows with this times the length
_WORDS_OF_A_CUT = 20  # where a text has no sentences

Judge = Callable[[list[str]], np.ndarray]  # from texts to evidence (n_texts, n_labels)


@dataclass
class _Node:
    """Consecutive words of a text, and what they contribute."""

    words: range
    kind: str
    contributions: np.ndarray = field(default_factory=lambda: np.empty(0))
    children: "list[_Node]" = field(default_factory=list)


class _Document:
    """A text that is divided further and further."""

    def __init__(self, text: str):
        self.text, self.words = text, word_spans(text)
        self.sentences = sentences(text, self.words)
        self.root = _Node(range(len(self.words)), "passage")
        self.divided = [self.root]  # of the present round

    def span(self, node: _Node) -> Span:
        return Span(self.words[node.words[0]].start, self.words[node.words[-1]].end)

    def divide(self) -> list[_Node]:
        """The parts to leave out next."""
        for node in self.divided:
            node.children = self._parts(node.words)
        return [child for node in self.divided for child in node.children]

    def _parts(self, words: range) -> list[_Node]:
        if len(words) <= (SHORT if len(self.words) <= SHORT else MOST_PARTS):
            return [_Node(range(word, word + 1), "word") for word in words]
        own = [part for part in self.sentences if words[0] <= part[0] <= words[-1]]
        if len(own) < 2:
            step = max(_WORDS_OF_A_CUT, -(-len(words) // MOST_PARTS))
            return [_Node(words[start : start + step], "passage") for start in range(0, len(words), step)]
        if len(own) <= MOST_PARTS:
            return [_Node(part, "sentence") for part in own]
        groups = np.array_split(np.arange(len(own)), MOST_PARTS)
        return [_Node(range(own[group[0]][0], own[group[-1]][-1] + 1), "passage") for group in groups]

    def choose(self, columns: Sequence[int]) -> None:
        """Choose those that matter most among the parts of this round, as many as the next round has room for."""
        candidates = [child for node in self.divided for child in node.children if len(child.words) > 1]
        candidates.sort(key=lambda node: -np.abs(node.contributions[columns]).max())
        self.divided, room = [], MOST_PARTS
        for node in candidates:
            room -= len(self._parts(node.words))
            if self.divided and room < 0:
                break
            self.divided.append(node)

    def parts(self, columns: Sequence[int]) -> tuple[Part, ...]:
        """All parts that were left out, in the order of the text."""
        return tuple(self._parts_below(self.root, columns))

    def _parts_below(self, node: _Node, columns: Sequence[int]) -> list[Part]:
        found = []
        for child in node.children:
            contributions = tuple(child.contributions[columns].tolist())
            found.append(Part(self.span(child), child.kind, contributions, bool(child.children)))
            found += self._parts_below(child, columns)
        return found


def contributions(
    texts: Sequence[str], judge: Judge, choose: Callable[[np.ndarray], list[int]]
) -> list[tuple[np.ndarray, list[int], tuple[Part, ...]]]:
    """What the parts of texts contribute to the evidence that a judge sees in them.

    Parameters
    ----------
    texts : sequence of str
    judge : callable
        From texts to evidence of shape (n_texts, n_labels). It gets all variants of all texts at once.
    choose : callable
        From the evidence of a text (n_labels,) to the columns that are explained.

    Returns
    -------
    list of (ndarray of shape (n_labels,), list of int, tuple of Part)
        Of each text its evidence, the columns, and its parts with their contributions to these columns.
    """
    documents = [_Document(text) for text in texts]
    variants = _next_variants(documents)
    evidence = judge([*texts, *(text for _, _, text in variants)])
    wholes, evidence = evidence[: len(texts)], evidence[len(texts) :]
    columns = [choose(whole) for whole in wholes]
    while variants:
        for (index, node, _), without in zip(variants, evidence):
            node.contributions = wholes[index] - without
        for document, own in zip(documents, columns):
            document.choose(own)
        variants = _next_variants(documents)
        evidence = judge([text for _, _, text in variants]) if variants else evidence
    return [(whole, own, document.parts(own)) for whole, own, document in zip(wholes, columns, documents)]


def _next_variants(documents: list[_Document]) -> list[tuple[int, _Node, str]]:
    """Every text without each of its next parts: the number of the text, the part, and what is left."""
    return [
        (index, node, leave_out(document.text, document.span(node)))
        for index, document in enumerate(documents)
        for node in document.divide()
    ]
