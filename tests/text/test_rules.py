import random
import time
import unicodedata

import pytest

from skulmfit.text.rules import _parts, apply_rules, apply_rules_with_offsets, restore


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I LOVED it", "i xxup loved it"),
        ("Paris in May", "xxmaj paris in xxmaj may"),
        ("A b C", "a b c"),
        ("ÉCOLE Élan Ωμέγα ПРИВЕТ", "xxup école xxmaj élan xxmaj ωμέγα xxup привет"),
        ("sooo!!!!! ok", "s xxrep 3 o xxrep 5 ! ok"),
        ("1000000 and 3.14", "1000000 and 3.14"),
        ("good good good good day", "xxwrep 4 good day"),
        ("good goods good", "good goods good"),
        ("x &amp; y<br /><br />z", "x & y z"),
        ("wait... no", "wait … no"),
        ("don't “stop” — it’s", "don't \" stop \" - it's"),
        ("do n't , it 's", "don't , it's"),
        ("O'Neil's well-made (film)", "o'neil's well - made ( film )"),
        ("1 @,@ 000 high @-@ speed", "1 , 000 high - speed"),
        ("  \t\n ", ""),
    ],
)
def test_rules_write_ulmfits_markers(text, expected):
    assert apply_rules(text) == expected


def test_plain_and_treebank_tokenised_english_become_the_same():
    assert apply_rules("He isn't here, is he?") == apply_rules("He is n't here , is he ?")


def random_text(rng):
    alphabet = "aAbB éÉe\u0301İßΣς漢😀👍🏽 \t\n.,!?'’“-_&;<>()0123xX▁\u1112\u1161\u11abनमस्ते\ud800\x00"
    return "".join(rng.choice(alphabet) * rng.choice([1, 1, 1, 3, 5]) for _ in range(rng.randint(0, 40)))


def test_with_and_without_offsets_rules_give_the_same_text():
    rng = random.Random(0)
    for _ in range(500):
        text = random_text(rng)
        normalised, spans = apply_rules_with_offsets(text)
        assert normalised == apply_rules(text)
        assert spans.shape == (len(normalised), 2)


def test_spans_never_run_backwards_or_out_of_the_text():
    rng = random.Random(1)
    for _ in range(500):
        text = random_text(rng)
        _, spans = apply_rules_with_offsets(text)
        assert all(0 <= start <= end <= len(text) for start, end in spans)


def test_every_visible_character_is_inside_a_span():
    text = "Héllo, WORLD!!!! <br> 漢字 sooo good good good 😀 &amp; x"
    _, spans = apply_rules_with_offsets(text)
    covered = {index for start, end in spans for index in range(start, end)}
    assert [char for index, char in enumerate(text) if index not in covered and not char.isspace()] == []


def test_a_letter_leads_back_to_its_own_character():
    text = "The BBC’s e\u0301cole"
    normalised, spans = apply_rules_with_offsets(text)
    word = normalised.index("école")
    assert [text[start:end] for start, end in spans[word : word + 2]] == ["e\u0301", "c"]
    bbc = normalised.index("bbc's")
    assert "".join(text[start:end] for start, end in spans[bbc : bbc + 5]) == "BBC’s"


def test_composed_and_decomposed_accents_are_the_same():
    text = "Élève à la crème"
    assert apply_rules(unicodedata.normalize("NFD", text)) == apply_rules(text)


@pytest.mark.parametrize("unit", ["a", "A", "good ", ".", "e\u0301", "&", " ", "'", "aA'"])
def test_a_long_text_of_one_repeated_unit_is_read_to_its_end(unit):
    n = 100_000
    normalised = apply_rules(unit * n + " end")
    assert normalised.endswith("end")


@pytest.mark.parametrize("text", ["&#" + "1" * 5000 + ";", "a" + "\u0301\u0316" * 30_000, "&" * 10 + "amp;" * 10])
def test_absurd_texts_are_read(text):
    normalised, spans = apply_rules_with_offsets(text[:5000])
    assert normalised == apply_rules(text[:5000])
    assert len(spans) == len(normalised)
    assert apply_rules(text)


@pytest.mark.parametrize(
    "text",
    [
        "The Best story, in years!!!! He said: (no) 3.14 and don't.",
        "NEVER again; well-known names, and/or others...",
        '"Yes", she said. "No", he said.',
    ],
)
def test_restored_text_normalises_to_the_same_and_nearly_is_the_original(text):
    restored = restore(apply_rules(text))
    assert apply_rules(restored) == apply_rules(text)
    assert restored == text.replace("...", "…")


@pytest.mark.parametrize("text", ["xxmaj", "xxrep", "xxrep 4", "xxwrep many words", "xxrep 999999999 a", ""])
def test_markers_out_of_place_are_no_error(text):
    assert len(restore(text)) < 1000


@pytest.mark.parametrize("length", [1, 2047, 2048, 2049, 4096, 4097, 5000])
def test_long_words_are_cut_at_every_2048_characters(length):
    text = f"a {'x' * length} b"
    assert "".join(_parts(text)) == text
    assert len(_parts(text)) == 1 + (length - 1) // 2048


def fastest(text):
    times = []
    for _ in range(3):
        started = time.perf_counter()
        apply_rules(text)
        times.append(time.perf_counter() - started)
    return min(times)


def test_text_without_spaces_takes_less_than_twice_the_time_of_prose():
    n_chars = 250_000
    prose = ("The film was a delight from start to finish, and I would see it again; it's good. " * 4_000)[:n_chars]
    letters = "".join(random.Random(0).choices("abcdefghijklmnopqrstuvwxyz", k=n_chars))
    allowed = 2 * fastest(prose)
    assert fastest(letters) < allowed
    for length in (500, 2_000):  # words that are nearly cut
        assert fastest(" ".join(letters[start : start + length] for start in range(0, n_chars, length))) < allowed
