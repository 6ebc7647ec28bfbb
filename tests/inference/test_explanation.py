"""What an explanation shows: in a notebook, in a terminal, on a figure, in a frame."""

import re

import matplotlib
import pytest

from skulmfit.inference.explanation import Explanation, Explanations, Part
from skulmfit.text.segments import Span

matplotlib.use("Agg")

TEXT = "A <b>fine</b> & dull film"
PARTS = (
    Part(Span(0, 1), "word", (0.01,)),
    Part(Span(5, 9), "word", (-1.5,)),
    Part(Span(16, 20), "word", (2.0,)),
    Part(Span(21, 25), "word", (0.5,)),
)
WHY = Explanation(TEXT, ("bad",), (1.0,), PARTS, is_probability=True)
NUMBER = Explanation(TEXT, (0,), (3.5,), PARTS, is_probability=False)


def plain(html):
    """What a reader sees of HTML, with numbers left out."""
    html = re.sub(r"<sup[^>]*>.*?</sup>", "", html)
    return re.sub(r"<[^>]+>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def test_a_notebook_shows_the_users_text_character_by_character():
    assert TEXT in plain(WHY._repr_html_())


def test_the_users_text_cannot_put_markup_into_the_page():
    evil = "<script>alert(1)</script>"
    why = Explanation(evil, (evil,), (1.0,), (Part(Span(0, 8), "word", (1.0,)),), is_probability=True)
    assert "<script" not in why._repr_html_()


def test_marks_can_be_read_without_colour():
    html = WHY.as_html()
    assert re.search(r'border-bottom: 3px solid[^>]*title="\+2.000">dull', html)
    assert re.search(r'border-bottom: \dpx dotted[^>]*title="-1.500">fine', html)
    assert "solid line" in plain(WHY._repr_html_())
    assert "dotted line" in plain(WHY._repr_html_())


def test_a_word_of_no_importance_is_not_marked():
    assert 'title="+0.010"' not in WHY.as_html()


def test_a_terminal_shows_a_number_behind_each_word_that_counts():
    assert str(WHY) == (
        "bad, probability 0.73; contribution (log-odds) of words:\n"
        "A <b>fine[-1.50]</b> & dull[+2.00] film[+0.50]"
    )  # fmt: skip


def test_the_strongest_come_first_whatever_their_sign():
    assert WHY.strongest(2) == [("dull", 2.0), ("fine", -1.5)]


def test_a_frame_has_offsets_and_what_is_left_without_each_word():
    frame = NUMBER.to_frame()
    assert frame.columns.tolist() == ["label", "part", "kind", "start", "end", "contribution", "prediction_without"]
    assert frame.prediction_without.tolist() == pytest.approx([3.49, 5.0, 1.5, 3.0])
    frame = Explanations([WHY, WHY]).to_frame()
    assert frame.row.tolist() == [0] * 4 + [1] * 4


def test_a_figure_has_a_bar_for_each_of_the_strongest_words():
    axes = WHY.plot(n=3)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["film", "fine", "dull"]
    assert [bar.get_width() for bar in axes.patches] == [0.5, -1.5, 2.0]
    assert [bar.get_hatch() for bar in axes.patches] == ["", "///", ""]
    assert "log-odds" in axes.get_xlabel()
    matplotlib.pyplot.close("all")


def test_several_texts_have_a_figure_each():
    axes = Explanations([WHY, NUMBER]).plot()
    assert [ax.get_title() for ax in axes] == ["bad, probability 0.73", "predicted 3.5"]
    matplotlib.pyplot.close("all")


def test_a_divided_sentence_is_shown_by_its_words():
    parts = (Part(Span(0, 25), "sentence", (9.0,), is_divided=True), *PARTS)
    why = Explanation(TEXT, ("bad",), (1.0,), parts, is_probability=True)
    assert why.strongest(1) == [("dull", 2.0)]
    assert TEXT in plain(why._repr_html_())
    assert len(why.to_frame()) == 5


def test_explanations_are_a_sequence():
    both = Explanations([WHY, NUMBER])
    assert (len(both), both[1], list(both[:1])) == (2, NUMBER, [WHY])


def test_a_label_that_is_not_explained_is_named():
    with pytest.raises(ValueError, match="label='good' is not explained here; 'bad' are"):
        WHY.score("good")
