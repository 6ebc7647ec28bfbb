import pickle
import random
import re

import numpy as np
import pytest
from helpers import TEXTS

from skulmfit.text.rules import apply_rules
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.text.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(TEXTS, vocab_size=350)


def pieces_of(tokenizer, text):
    return [tokenizer.pieces[index] for index in tokenizer.encode([text])[0]]


@pytest.mark.parametrize(
    "text", ["", "never seen: 漢字 😀", "\x00\x01", "Ünïcödé", "<0xE6> literally", "a" * 50, "a\nb"]
)
def test_no_character_is_lost(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode([text])[0]) == apply_rules(text)


def test_a_document_starts_with_bos_even_when_empty(tokenizer):
    assert tokenizer.encode(["", "fine"]).ids[[0, 1]].tolist() == [tokenizer.bos_id] * 2


@pytest.mark.parametrize(
    ("text", "marker"), [("Film", "▁xxmaj"), ("FILM", "▁xxup"), ("!!!!", "▁xxrep"), ("film " * 4, "▁xxwrep")]
)
def test_a_marker_with_its_word_boundary_is_one_piece(tokenizer, text, marker):
    assert pieces_of(tokenizer, text)[1] == marker


def test_a_frequent_word_that_is_part_of_no_other_is_a_piece():
    texts = ["been there , been here ."] * 50 + ["other words with letters"] * 3
    pieces = Tokenizer.train(texts, vocab_size=310).pieces
    assert {"▁been", "▁,", "▁."} <= set(pieces)


def test_training_does_not_depend_on_the_order_of_texts():
    assert Tokenizer.train(TEXTS, vocab_size=320).pieces == Tokenizer.train(TEXTS[::-1], vocab_size=320).pieces


@pytest.mark.parametrize("texts", [[], [""], ["a"], ["漢"]])
def test_a_corpus_too_small_for_the_vocabulary_still_gives_a_tokenizer(texts):
    tokenizer = Tokenizer.train(texts, vocab_size=1000)
    assert tokenizer.decode(tokenizer.encode(["any text"])[0]) == "any text"


def test_offsets_lead_back_to_the_users_characters(tokenizer):
    text = "The BEST  film, 漢字!!!"
    _, spans = tokenizer.encode_with_offsets(text)
    surfaces = [text[start:end] for start, end in spans]
    assert surfaces[0] == ""
    assert "".join(surfaces).startswith("TheBESTfilm,")
    assert "!!!" in surfaces
    assert {"漢", "字"} <= set(surfaces)


def test_ids_with_offsets_are_the_ids_without():
    tokenizer = Tokenizer.train(TEXTS, vocab_size=350)
    rng = random.Random(0)
    for _ in range(200):
        text = "".join(rng.choice("aAé漢😀 .!'\u0301\x00fine ") for _ in range(rng.randint(0, 30)))
        ids, spans = tokenizer.encode_with_offsets(text)
        assert ids.tolist() == tokenizer.encode([text])[0].tolist()
        assert len(spans) == len(ids)
        assert all(0 <= start <= end <= len(text) for start, end in spans)


def test_a_corpus_is_one_flat_array_cut_by_offsets(tokenizer):
    corpus = tokenizer.encode(TEXTS)
    assert corpus.ids.ndim == 1
    assert [document.tolist() for document in corpus] == [tokenizer.encode([text])[0].tolist() for text in TEXTS]
    assert corpus.lengths.sum() == len(corpus.ids)


def test_documents_can_be_taken_in_any_order():
    corpus = TokenCorpus.from_documents([[1], [2, 3], []])
    assert [document.tolist() for document in corpus.take(np.array([2, 1, 0]))] == [[], [2, 3], [1]]


def test_a_pickled_tokenizer_is_its_model_bytes(tokenizer):
    copied = pickle.loads(pickle.dumps(tokenizer))
    assert copied.model == tokenizer.model
    assert copied.encode(TEXTS).ids.tolist() == tokenizer.encode(TEXTS).ids.tolist()


def test_the_same_texts_give_the_same_bytes_without_a_path_of_the_machine():
    first, second = (Tokenizer.train(TEXTS, vocab_size=320).model for _ in range(2))
    assert first == second
    assert b"seeds.tsv" not in first


def test_a_vocabulary_too_small_is_named_with_the_least_that_will_do():
    with pytest.raises(ValueError, match=r"vocab_size=100 is too small.*Give at least \d{3}") as error:
        Tokenizer.train(TEXTS, vocab_size=100)
    assert ".cc" not in str(error.value)
    least = int(re.search(r"at least (\d+)", str(error.value))[1])
    assert len(Tokenizer.train(TEXTS, vocab_size=least)) == least


@pytest.mark.parametrize("texts", [["abcde" * 2_000], [*TEXTS, "xyz" * 2_000], ["漢字仮名" * 1_000], ["𐌰𐌱" * 1_000]])
def test_words_of_any_length_are_learnt_from(texts):
    tokenizer = Tokenizer.train(texts, vocab_size=320)
    ids = tokenizer.encode(texts[-1:]).ids[1:]
    assert tokenizer.foreign_share(tokenizer.encode(texts)) == 0
    assert len(ids) < len(texts[-1]) / 2


@pytest.mark.parametrize(("text", "share"), [("a fine film", 0.0), ("漢", 0.75), ("", 0.0)])
def test_the_foreign_share_is_that_of_bytes(tokenizer, text, share):
    assert tokenizer.foreign_share(tokenizer.encode([text])) == share  # 漢: the boundary and three bytes
