import io
import pickle
from collections import Counter

import numpy as np
import pytest
import sentencepiece
from helpers import LABELS, TEXTS

import skulmfit
from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.vocabulary_transfer import transfer
from skulmfit.text.any_tokenizer import load_tokenizer
from skulmfit.text.rules import apply_rules
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import WordTokenizer

WORDS = ["xxunk", "xxpad", "xxbos", "xxmaj", "fine", "film", "fine"]


class Pieces:
    """A vocabulary of given pieces."""

    def __init__(self, pieces):
        self.pieces = pieces

    def spell(self, piece):
        return []


@pytest.fixture(scope="module")
def pretrained(tiny_lm, tmp_path_factory):
    path = tmp_path_factory.mktemp("lm") / "tiny.npz"
    tiny_lm.language_model().save(path)
    return path


def test_words_become_ids_and_unknown_ones_xxunk():
    tokenizer = WordTokenizer(WORDS)
    assert list(tokenizer.encode(["Fine film noir", ""])) == [pytest.approx([2, 3, 4, 5, 0]), pytest.approx([2])]
    assert tokenizer.decode([2, 3, 4, 5]) == "xxmaj fine film"


def test_a_word_tokenizer_can_read_backward():
    assert list(WordTokenizer(WORDS, direction="backward").encode(["fine film"])[0]) == [2, 5, 4]


def test_the_special_words_of_other_libraries_are_understood():
    tokenizer = WordTokenizer(["_unk_", "_pad_", "<s>", "t_up", "film"])
    assert list(tokenizer.encode(["FILM"])[0]) == [2, 3, 4]


def test_a_vocabulary_without_special_words_is_refused():
    with pytest.raises(ValueError, match="no xxpad, xxbos"):
        WordTokenizer(["<unk>", "film"])


def test_a_list_of_words_is_stored_and_read_back():
    stored = load_tokenizer(WordTokenizer(WORDS).model, "backward")
    assert (stored.words, stored.direction) == (WORDS, "backward")


def test_rows_are_copied_by_piece_and_not_by_number():
    old, new = WordTokenizer(WORDS), WordTokenizer([*WORDS[:3], "film", "noir"])
    embedding, bias = np.random.default_rng(0).normal(size=(7, 4)), np.arange(7.0)
    rows, biases, moved = transfer(old, new, embedding, bias)
    np.testing.assert_allclose(rows[3], embedding[5], rtol=1e-6)
    np.testing.assert_allclose(rows[4], embedding[2:].mean(axis=0), rtol=1e-5)  # all but unknown and padding
    assert biases[3] == 5
    assert moved.kept.tolist() == [True, True, True, True, False]


def test_a_permuted_vocabulary_gives_the_same_language_model(tiny_lm):
    old = tiny_lm.language_model()
    words = WordTokenizer([piece.removeprefix("▁") for piece in old.tokenizer.pieces])
    order = np.random.default_rng(0).permutation(len(words))
    permuted = WordTokenizer([words.words[index] for index in order])
    data = LanguageModel(old.architecture, words, old.weights).with_tokenizer(permuted)[0]
    first = {word: row for row, word in reversed(list(enumerate(words.words)))}
    expected = old.weights["encoder.embedding"][[first[word] for word in permuted.words]]
    np.testing.assert_allclose(data.weights["encoder.embedding"], expected, rtol=1e-6)


def test_new_pieces_get_the_mean_of_the_old_pieces_that_spell_them(tiny_lm):
    old = tiny_lm.language_model()
    new = WordTokenizer([*WORDS, "finefilm"])
    data, moved = old.with_tokenizer(new)
    spelling = old.tokenizer.spell("▁finefilm")
    assert old.tokenizer.decode(spelling) == "finefilm"
    expected = old.weights["encoder.embedding"][spelling].mean(axis=0)
    np.testing.assert_allclose(data.weights["encoder.embedding"][-1], expected, rtol=1e-5)
    assert moved.spelled[-1]


def test_a_tokenizer_learnt_from_the_texts_takes_over_what_it_can(pretrained):
    lm = LMFineTuner(pretrained, tokenizer="train", vocab_size=310, epochs=1, random_state=0).fit(TEXTS)
    report = lm.vocab_transfer_
    assert report["kept"] + report["spelled"] + report["new"] == lm.vocab_size_
    assert report["kept"] > 250
    assert 0.5 < report["coverage"] <= 1
    assert lm.transform(TEXTS).shape == (24, 24)


def test_a_sentencepiece_model_of_ones_own_works_without_markers(pretrained, tmp_path):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_writer=model, vocab_size=60, minloglevel=2, hard_vocab_limit=False
    )
    (tmp_path / "own.model").write_bytes(model.getvalue())
    lm = LMFineTuner(pretrained, tokenizer=tmp_path / "own.model", epochs=0).fit(TEXTS)
    assert (
        lm.language_model().tokenizer.decode(lm.language_model().tokenizer.encode(["A fine film."])[0][1:])
        == "A fine film."
    )
    assert lm.vocab_transfer_["kept"] > 10


def test_a_callable_splits_texts_into_words(pretrained):
    lm = LMFineTuner(pretrained, tokenizer=str.split, epochs=1, random_state=0).fit(TEXTS)
    assert "film" in lm.language_model().tokenizer.words
    copied = pickle.loads(pickle.dumps(lm))
    np.testing.assert_array_equal(copied.transform(TEXTS), lm.transform(TEXTS))
    classifier = ULMFiTClassifier(LMFineTuner(pretrained, tokenizer=str.split), epochs=1, random_state=0)
    assert classifier.fit(TEXTS, LABELS).predict(TEXTS).shape == (24,)
    with pytest.raises(ValueError, match="cannot be stored in a file without code"):
        lm.language_model().save(pretrained.with_name("words.npz"))


def test_a_classifier_reports_the_transfer_of_its_language_model(pretrained, tmp_path):
    classifier = ULMFiTClassifier(LMFineTuner(pretrained, tokenizer="train"), epochs=1, random_state=0)
    report = classifier.fit(TEXTS, LABELS).vocab_transfer_
    assert report["kept"] > 10
    classifier.save(tmp_path / "classifier.npz")
    assert skulmfit.load(tmp_path / "classifier.npz").vocab_transfer_ == report
    assert not hasattr(classifier.set_params(lm__tokenizer=None).fit(TEXTS, LABELS), "vocab_transfer_")


@pytest.mark.parametrize("split", [lambda text: None, lambda text: [1, 2], str.lower, Counter, set, str.encode])
def test_a_callable_that_returns_no_words_is_named(pretrained, split):
    with pytest.raises(TypeError, match="tokenizer must return the words of a text, a list of str; of 'A fine film"):
        LMFineTuner(pretrained, tokenizer=split).fit(TEXTS)


@pytest.mark.parametrize("odd", [None, "words", {"a": 1}, [1, 2]])
def test_a_callable_that_returns_no_words_of_a_later_text_is_named(pretrained, odd):
    lm = LMFineTuner(pretrained, tokenizer=lambda text: odd if text == "odd" else text.split(), epochs=0).fit(TEXTS)
    with pytest.raises(TypeError, match="tokenizer must return the words of a text, a list of str; of 'odd' it made"):
        lm.transform(["fine", "odd"])


def test_without_another_tokenizer_there_is_no_report(pretrained):
    assert not hasattr(LMFineTuner(pretrained, epochs=0).fit(["-"]), "vocab_transfer_")


@pytest.mark.parametrize(
    ("tokenizer", "error", "message"),
    [
        ("missing.model", ValueError, "tokenizer='missing.model' is no file"),
        (7, TypeError, "tokenizer must be None, 'train', a path or a callable, got 7"),
    ],
)
def test_what_is_no_tokenizer_is_refused(tokenizer, error, message):
    with pytest.raises(error, match=message):
        LMFineTuner(tokenizer=tokenizer).fit(TEXTS)


def test_a_file_that_is_no_sentencepiece_model_is_refused(tmp_path):
    (tmp_path / "x.model").write_text("not a model")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        LMFineTuner(tokenizer=tmp_path / "x.model").fit(TEXTS)


def test_the_special_pieces_of_a_fastai_like_model_keep_their_rows():
    old, new = WordTokenizer(WORDS), Pieces(["<unk>", "▁xxpad", "▁xxbos", "▁xxmaj", "▁fine"])
    rows, _, moved = transfer(old, new, np.arange(7.0)[:, None], np.zeros(7))
    assert rows[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert moved.kept.all()


def test_what_takes_single_bytes_is_not_spelled(tiny_lm):
    tokenizer = tiny_lm.language_model().tokenizer
    assert tokenizer.spell("▁漢字") == tokenizer.spell("<0xE6>") == []
    assert tokenizer.spell("▁FINE") == tokenizer.spell("▁fine") != []


def test_spelling_leaves_out_the_boundary_of_a_piece_within_a_word():
    tokenizer = Tokenizer.train([apply_rules(text) for text in TEXTS], vocab_size=300)
    assert tokenizer.decode(tokenizer.spell("fil")) == "fil"
