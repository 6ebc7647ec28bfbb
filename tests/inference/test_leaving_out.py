"""Leaving out parts of texts, with a judge that counts words."""

import re

import numpy as np
import pytest

from skulmfit.inference.leaving_out import MOST_PARTS, SHORT, contributions

FILLER = "The film and the house of the year. "


class Judge:
    """Evidence (n_texts, 2): how often a text says `awful`, and how often `grand`. Counts what it reads."""

    def __init__(self):
        self.n_texts = self.n_calls = 0

    def __call__(self, texts):
        self.n_texts, self.n_calls = self.n_texts + len(texts), self.n_calls + 1
        return np.array([[len(re.findall(word, text)) for word in ("awful", "grand")] for text in texts], dtype=float)


def both(evidence):
    return [0, 1]


def test_all_words_of_all_short_texts_are_left_out_in_one_call():
    judge = Judge()
    texts = ["an awful film", "grand, grand", ""]
    (_, _, first), (_, _, second), (_, _, third) = contributions(texts, judge, both)
    assert judge.n_calls == 1
    assert [part.contributions for part in first] == [(0, 0), (1, 0), (0, 0)]
    assert [part.contributions for part in second] == [(0, 1), (0, 0), (0, 1)]
    assert third == ()


@pytest.mark.parametrize(
    "text",
    [
        FILLER * 15 + "An awful road. " + FILLER * 5,
        FILLER * 300 + "An awful road. " + FILLER * 100,
        FILLER.replace(".", "") * 50 + "an awful road " + FILLER.replace(".", "") * 20,
        "No end " * 400 + "awful",
    ],
    ids=["sentences", "passages", "no sentences", "one sentence"],
)
def test_of_a_long_text_the_passage_is_found_and_then_the_word(text):
    judge = Judge()
    ((_, _, parts),) = contributions([text], judge, both)
    (found,) = [part for part in parts if part.kind == "word" and part.contributions[0]]
    assert text[found.span.start : found.span.end] == "awful"
    assert found.contributions == (1, 0)
    assert judge.n_texts <= 1 + 4 * MOST_PARTS
    leaves = [part for part in parts if not part.is_divided]
    assert [part.span for part in leaves] == sorted(part.span for part in leaves)
    assert all(before.span.end <= after.span.start for before, after in zip(leaves, leaves[1:]))


def test_whatever_is_no_space_is_in_some_part():
    for text in (FILLER * 4 + "End", FILLER * 40 + "End", "“Well” " * (SHORT + 3)):
        ((_, _, parts),) = contributions([text], Judge(), both)
        covered = set().union(*(range(*part.span) for part in parts))
        assert all(text[place].isspace() for place in set(range(len(text))) - covered)


def test_the_sentences_that_matter_for_the_chosen_label_are_divided():
    text = FILLER * 20 + "It is grand and nice. " + FILLER * 20 + "It is awful, " * 10 + ". " + FILLER * 20
    ((_, columns, parts),) = contributions([text], Judge(), lambda evidence: [1])
    assert columns == [1]
    words = {text[part.span.start : part.span.end] for part in parts if part.kind == "word"}
    assert "grand" in words
