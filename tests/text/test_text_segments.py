import pytest

from skulmfit.text.segments import leave_out, sentences, word_spans


def cut(text):
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't LOVE it!!!!!", ["Don't", "LOVE", "it", "!!!!!"]),
        ("Good good good, <br />really", ["Good", "good", "good", ",", "really"]),
        ("no no no no!", ["no no no no", "!"]),
        ("A &amp; B", ["A", "&amp;", "B"]),
        ("well-known, 3.14...", ["well", "-", "known", ",", "3.14", "..."]),
        ("这部电影 ok", ["这", "部", "电", "影", "ok"]),
        ("cafe\u0301 e\u0301", ["cafe\u0301", "e\u0301"]),
        (" \n ", []),
        ("", []),
    ],
)
def test_words_are_those_of_the_rules_in_the_users_own_characters(text, words):
    assert cut(text) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('He said "No!" I left. Then... bye', ['He said "No!"', "I left.", "Then...", "bye"]),
        ("It cost 3.50 dollars (really?). So", ["It cost 3.50 dollars (really?).", "So"]),
        ("A title\nA line", ["A title", "A line"]),
        ("First.<br />second", ["First.", "second"]),
        ("这部电影很好看。我喜欢", ["这部电影很好看。", "我喜欢"]),
        ("", []),
    ],
)
def test_sentences_end_at_their_marks_and_at_lines(text, expected):
    words = word_spans(text)
    found = [text[words[part[0]].start : words[part[-1]].end] for part in sentences(text, words)]
    assert found == expected


def test_sentences_are_all_words_once():
    text = "One. Two! Three words here? 'Four.' Five" * 20
    words = word_spans(text)
    assert [index for part in sentences(text, words) for index in part] == list(range(len(words)))


def test_what_is_left_does_not_grow_together():
    text = "well-known"
    assert leave_out(text, word_spans(text)[1]) == "well known"
    assert leave_out("很好看", word_spans("很好看")[1]) == "很看"
