"""Labels in words: a classifier from phrases, from few labels beside them, and what is refused."""

import enum
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import TINY
from scipy.sparse import coo_matrix
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

import skulmfit
from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.estimators.phrase_regression import phrase_regression
from skulmfit.models.sentence_map import SentenceMap
from skulmfit.training.head import Readings, WordReadings

PHRASES = {"place": ["Where is it?", "Which city or country?"], "number": "How many, how much, what year?"}
TEXTS = [
    "Where is the Louvre?", "How many legs does a spider have?", "What country is Lima in?", "What year did he die?",
    "Where do penguins live?", "How much does a car cost?", "In which city is the Colosseum?", "When was it built?",
]  # fmt: skip
LABELS = ["place", "number"] * 4
NEW_TEXTS = ["Which state has the most lakes?", "How many people live there?"]


def classifier(**changes):
    return ULMFiTClassifier(**{"label_texts": PHRASES, "random_state": 0} | changes)


@pytest.fixture(scope="module")
def from_phrases():
    return classifier().fit(TEXTS)


def test_phrases_alone_make_a_classifier(from_phrases):
    assert from_phrases.predict(NEW_TEXTS).tolist() == ["place", "number"]
    assert from_phrases.score(TEXTS, LABELS) == 1
    assert from_phrases.classes_.tolist() == ["number", "place"]
    assert from_phrases.stages_ == from_phrases.history_ == []
    assert from_phrases.n_iter_ == 0


def test_logits_are_cosines_on_a_scale_of_their_own(from_phrases):
    encoder = LMFineTuner(epochs=0, features="sentence").fit(["-"])
    of_class = [encoder.transform(np.atleast_1d(PHRASES[label])).mean(axis=0) for label in from_phrases.classes_]
    cosines = encoder.transform(TEXTS) @ np.array([vector / np.linalg.norm(vector) for vector in of_class]).T
    logits = from_phrases._logits(TEXTS)[1]
    for column in (0, 1):
        assert np.corrcoef(cosines[:, column], logits[:, column])[0, 1] > 0.99999


@pytest.mark.parametrize(
    "missing",
    [
        [None] * 8, np.full(8, np.nan), np.full(8, -1), pd.Series([pd.NA] * 8, dtype="Int64"),
        np.array([None, np.nan, -1, None] * 2, dtype=object),
    ],
    ids=["None", "NaN", "-1", "NA", "mixed"],
)  # fmt: skip
def test_labels_that_are_all_missing_are_no_labels(missing, from_phrases):
    found = classifier().fit(TEXTS, missing).predict_proba(NEW_TEXTS)
    np.testing.assert_array_equal(found, from_phrases.predict_proba(NEW_TEXTS))


def test_a_class_may_be_called_minus_one():
    found = classifier(label_texts={-1: "How many?", 1: "Where is it?"}).fit(TEXTS, [1, -1] * 4)
    assert found.predict(NEW_TEXTS).tolist() == [1, -1]


def test_texts_without_a_label_stand_beside_those_with_one(from_phrases):
    some = classifier().fit(TEXTS, ["place", "number", *[None] * 6])
    assert some.predict(NEW_TEXTS).tolist() == ["place", "number"]
    assert not np.array_equal(some.predict_proba(NEW_TEXTS), from_phrases.predict_proba(NEW_TEXTS))


def test_labels_outweigh_phrases_when_they_are_many():
    swapped = {"place": PHRASES["number"], "number": PHRASES["place"]}
    few, many = classifier(label_texts=swapped), classifier(label_texts=swapped, epochs=1)
    assert few.fit(TEXTS[:2], LABELS[:2]).score(TEXTS, LABELS) < 0.5
    assert many.fit(TEXTS * 50, LABELS * 50).score(TEXTS, LABELS) > 0.5


def test_a_class_without_an_example_is_predicted_by_its_phrase():
    with pytest.warns(UserWarning, match="No text of y has the class 'person'; label_texts alone says what it is"):
        found = classifier(label_texts=PHRASES | {"person": "Who was it?"}).fit(TEXTS, LABELS)
    assert found.predict([*NEW_TEXTS, "Who wrote Hamlet?"]).tolist() == ["place", "number", "person"]


def test_without_labels_nothing_is_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier(label_texts=PHRASES | {"person": "Who was it?"}).fit(TEXTS)


def test_few_labels_are_solved_and_more_are_trained_on(monkeypatch):
    monkeypatch.setattr("skulmfit.estimators.classifier.LABELS_A_CLASS", 8)
    assert classifier().fit(TEXTS, LABELS).n_iter_ == 0
    assert classifier(epochs=1).fit(TEXTS, LABELS).n_iter_ == 1
    assert classifier().fit(TEXTS * 2, LABELS * 2).n_iter_ > 1


def test_training_begins_at_the_head_that_phrases_and_labels_make(monkeypatch):
    recipe = replace(CLASSIFIER_RECIPES["skulmfit"], contrast=0.0)
    trained = classifier(epochs=1, dropout_multiplier=0.0, recipe=recipe).fit(TEXTS, LABELS)
    monkeypatch.setattr("skulmfit.estimators.classifier.LABELS_A_CLASS", 8)
    still = classifier().fit(TEXTS, LABELS)
    phrases = [*PHRASES["place"], PHRASES["number"]]
    expected = log_loss([*LABELS, "place", "place", "number"], still.predict_proba([*TEXTS, *phrases]))
    assert trained.loss_curve_[0] == pytest.approx(expected, rel=2e-2)


def test_after_training_phrases_and_labels_are_averaged():
    rng = np.random.default_rng(0)
    words = WordReadings(rng.normal(size=(4, 9)), np.array([0, 0, 1, 1]), rng.normal(size=(5, 9)), 6, 2.5)
    before = Readings(rng.normal(size=(8, 9)), np.array([0, 1] * 4), np.ones(8), words)
    summed, averaged = (
        phrase_regression(readings, words, ["a", "b"]) for readings in (before, replace(before, is_fine_tuned=True))
    )
    shares = 1 + 100 / (100 + 8)  # of the labels, and of the phrases beside 8 labels
    for whole, part in zip(summed, averaged):
        np.testing.assert_allclose(shares * part, whole, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:No text of y")
def test_a_weight_of_zero_leaves_a_text_out():
    whole = classifier().fit(TEXTS, [*LABELS[:2], *[None] * 6], sample_weight=[1, 0, 1, 0, 1, 0, 1, 0])
    part = classifier().fit(TEXTS[::2], ["place", None, None, None])
    np.testing.assert_allclose(whole.predict_proba(NEW_TEXTS), part.predict_proba(NEW_TEXTS), atol=1e-6)


@pytest.mark.filterwarnings("ignore:No text of y")
def test_labels_keep_their_type_beside_missing_ones():
    numbered = {0: "Where is it?", 7: "How many?"}
    found = classifier(label_texts=numbered).fit(TEXTS, [0, np.nan, 0, None, 0, None, None, None])
    assert found.classes_.dtype.kind == "i"
    assert found.predict(NEW_TEXTS).tolist() == [0, 7]


def test_both_directions_read_the_phrases():
    found = classifier(lm=LMFineTuner(direction="both", epochs=0)).fit(TEXTS)
    assert found.predict(NEW_TEXTS).tolist() == ["place", "number"]
    assert all(one.score(TEXTS, LABELS) > 0.6 for one in found.directions_.values())


def test_validation_data_and_early_stopping_go_with_phrases():
    found = classifier(epochs=1, early_stopping=True, validation_fraction=0.25).fit(TEXTS, LABELS)
    assert "validation_loss" in found.history_[-1]
    assert classifier(early_stopping=True).fit(TEXTS).history_ == []
    assert classifier().fit(TEXTS, X_val=NEW_TEXTS, y_val=["place", "number"]).n_iter_ == 0


def test_several_labels_without_an_example_are_held_against_each_other_as_classes_are():
    phrases = {0: "Where is it?", 1: "How many, how much, what year?", 2: "Who was it?"}
    texts = [*TEXTS, "Who wrote Hamlet?", "Who was the first president?", "Which actor was it?", "Who won?"]
    found = classifier(label_texts=phrases).fit(texts, np.full((12, 3), -1))
    of_one_label = classifier(label_texts=phrases).fit(texts)
    of_one = of_one_label.predict_proba(texts)
    np.testing.assert_allclose(found.predict_proba(texts), of_one, atol=0.2)
    np.testing.assert_array_equal(
        found.predict(texts)[of_one.max(axis=1) > 0.5], of_one[of_one.max(axis=1) > 0.5] > 0.5
    )
    assert (found.predict(texts).sum(axis=1) == 1).all()


def test_several_labels_with_examples_are_learnt():
    phrases = {0: "Where is it?", 1: "How many, how much, what year?", 2: "Who was it?"}
    texts = [*TEXTS, "Who wrote Hamlet?", "Who was the first president?", "Which actor was it?", "Who won?"]
    y = np.eye(3, dtype=int)[[0, 1] * 4 + [2] * 4]
    for container in (np.asarray, coo_matrix):
        labelled = classifier(label_texts=phrases).fit(texts, container(y))
        np.testing.assert_array_equal(labelled.predict(texts), y)


def test_two_labels_without_an_example_are_two_classes():
    phrases = {0: PHRASES["place"], 1: PHRASES["number"]}
    several = classifier(label_texts=phrases).fit(TEXTS, np.full((8, 2), -1))
    one = classifier(label_texts=phrases).fit(TEXTS)
    np.testing.assert_allclose(several.predict_proba(NEW_TEXTS), one.predict_proba(NEW_TEXTS), atol=1e-5)


def test_one_row_of_an_indicator_matrix_may_be_missing():
    y = np.eye(2)[[0, 1] * 4]
    y[5] = np.nan
    found = classifier(label_texts={0: "Where is it?", 1: "How many?"}).fit(TEXTS, y)
    assert found.predict(NEW_TEXTS).tolist() == [[1, 0], [0, 1]]


# What is refused, each with one error.


@pytest.mark.parametrize(
    ("label_texts", "error", "message"),
    [
        ("spam", TypeError, "label_texts must be a dict from each class to a phrase .* got 'spam'"),
        (["a", "b"], TypeError, "label_texts must be a dict"),
        (PHRASES | {"number": " "}, ValueError, r"label_texts\['number'\] has the empty phrase ' '"),
        (PHRASES | {"number": []}, ValueError, r"label_texts\['number'\] has no phrase"),
        (PHRASES | {"number": 3}, TypeError, r"label_texts\['number'\] must be a phrase or a list of phrases, got 3"),
        (PHRASES | {"number": ["How many?", None]}, TypeError, r"label_texts\['number'\] has None, which is not a str"),
        (PHRASES | {"number": "Where is it? "}, ValueError, "'Where is it. ' twice, for 'place' and for 'number'"),
        (PHRASES | {"number": ["Who?", "Who?"]}, ValueError, "'Who.' twice, for 'number'. Each"),
        ({"place": "Where is it?"}, ValueError, "label_texts needs phrases for at least 2 classes, it has 'place'"),
        ({"place": "Where is it?", 3: "How many?"}, ValueError, "row 1 of the classes of label_texts is 3 of type int"),
        ({True: "Where is it?", 2: "How many?"}, ValueError, "row 1 of the classes of label_texts is 2 of type int"),
        ({0.5: "Where is it?", 1.0: "How many?"}, ValueError, "Row 0 of the classes of label_texts is 0.5, but labels"),
        ({b"place": "Where is it?", b"number": "How many?"}, ValueError, "row 0 of the classes .* decode bytes first"),
        ({(0, 1): "Where is it?", (1, 0): "How many?"}, ValueError, r"must be one value; row 0 is \(0, 1\)"),
        (
            PHRASES | {"number": {"How many?"}},
            TypeError,
            r"label_texts\['number'\] must be a phrase or a list of phrases",
        ),
        (PHRASES | {"number": (p for p in ["Who?"])}, TypeError, "must be a phrase or a list of phrases"),
        ({}, ValueError, "label_texts is empty"),
    ],
)
def test_phrases_that_cannot_be_meant_are_refused(label_texts, error, message):
    with pytest.raises(error, match=message):
        classifier(label_texts=label_texts).fit(TEXTS)


def test_a_class_without_a_phrase_is_refused():
    with pytest.raises(ValueError, match="y has the class 'person', for which label_texts has no phrase"):
        classifier().fit(TEXTS, ["person", *LABELS[1:]])


def test_a_class_of_another_type_than_its_phrases_is_refused():
    with pytest.raises(ValueError, match=r"y has the class 0, .* it has phrases for '0', '1'"):
        classifier(label_texts={"0": "Where is it?", "1": "How many?"}).fit(TEXTS, [0, 1] * 4)


def test_phrases_for_labels_that_are_no_column_are_refused():
    with pytest.raises(ValueError, match="y has the class 0, for which label_texts has no phrase"):
        classifier().fit(TEXTS, np.eye(2, dtype=int)[[0, 1] * 4])
    with pytest.raises(ValueError, match="label_texts has a phrase for 2, but the columns of y are 0, 1"):
        classifier(label_texts={0: "a", 1: "b", 2: "c"}).fit(TEXTS, np.eye(2, dtype=int)[[0, 1] * 4])


def test_a_row_that_is_partly_missing_is_refused():
    y = np.eye(2)[[0, 1] * 4]
    y[5, 0] = np.nan
    with pytest.raises(ValueError, match=r"Row 5 of y is partly missing: \[nan, 1.0\]"):
        classifier(label_texts={0: "a", 1: "b"}).fit(TEXTS, y)


def test_y_of_another_length_is_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier().fit(TEXTS, LABELS[:5])


@pytest.mark.parametrize(
    "changes", [{"lm": LMFineTuner("en-lm", epochs=0)}, {"lm": LMFineTuner(**TINY)}, {"recipe": "paper"}]
)
def test_an_encoder_without_sentence_vectors_is_refused(changes):
    with pytest.raises(ValueError, match="label_texts needs sentence vectors"):
        classifier(**changes).fit(TEXTS)


def test_sentence_vectors_that_tell_nothing_apart_are_refused(tmp_path):
    model = LMFineTuner(epochs=0).fit(TEXTS).language_model()
    replace(model, sentence_map=SentenceMap(0 * model.sentence_map.weight, 1 + 0 * model.sentence_map.bias)).save(
        tmp_path / "useless.npz"
    )
    with pytest.raises(ValueError, match="'number' and 'place' in label_texts have one sentence vector"):
        classifier(lm=LMFineTuner(tmp_path / "useless.npz", epochs=0)).fit(TEXTS)


def test_a_language_model_stage_may_come_before():
    lm = LMFineTuner(epochs=1, batch_size=2, learning_rate=1e-4)
    assert classifier(lm=lm).fit(TEXTS * 4).predict(NEW_TEXTS).tolist() == ["place", "number"]


def test_without_phrases_missing_labels_are_refused():
    with pytest.raises(ValueError, match="Input y contains NaN or another missing value: row 0 is None"):
        ULMFiTClassifier().fit(TEXTS, [None, *LABELS[1:]])
    with pytest.raises(ValueError, match="requires y to be passed"):
        ULMFiTClassifier().fit(TEXTS)


def test_a_regressor_has_no_phrases():
    with pytest.raises(TypeError, match="label_texts"):
        ULMFiTRegressor(label_texts=PHRASES)


# The tools of scikit-learn, and files.


def test_clones_and_pickles_have_the_phrases(from_phrases):
    assert clone(from_phrases).label_texts == PHRASES
    twin = pickle.loads(pickle.dumps(from_phrases))
    np.testing.assert_array_equal(twin.predict_proba(NEW_TEXTS), from_phrases.predict_proba(NEW_TEXTS))


def test_a_file_has_the_phrases(from_phrases, tmp_path):
    from_phrases.save(tmp_path / "classifier.npz")
    twin = skulmfit.load(tmp_path / "classifier.npz")
    assert twin.label_texts == PHRASES
    np.testing.assert_array_equal(twin.predict_proba(NEW_TEXTS), from_phrases.predict_proba(NEW_TEXTS))


def test_a_grid_chooses_among_phrases():
    lm = FrozenEstimator(LMFineTuner(epochs=0).fit(TEXTS))
    swapped = {"place": PHRASES["number"], "number": PHRASES["place"]}
    search = GridSearchCV(classifier(lm=lm), {"label_texts": [swapped, PHRASES]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_params_ == {"label_texts": PHRASES}


def test_phrases_belong_to_what_a_fit_is_known_by():
    def known_by(phrases):
        return classifier(label_texts=phrases)._content()

    assert known_by(PHRASES) == known_by(dict(PHRASES))
    assert known_by(PHRASES) != known_by({"place": "Where?", "number": "How many?"})


# Types of labels, weights, and what y may be.

Kind = enum.Enum("Kind", {"PLACE": "place", "NUMBER": "number"}, type=str)
DATES = np.array(["2020-01-01", "2021-01-01"], "datetime64[ns]")


@pytest.mark.parametrize(
    "labels",
    [
        [1, 0], [True, False], ["place", "number"], [Kind.PLACE, Kind.NUMBER], [2**63, 1], [DATES[1], DATES[0]],
        [np.datetime64("2021-01-01"), np.datetime64("2020-01-01")],
    ],
    ids=lambda labels: type(labels[0]).__name__,
)  # fmt: skip
@pytest.mark.parametrize("are_given", [False, True], ids=["phrases alone", "beside labels"])
def test_labels_come_back_as_phrases_have_them(labels, are_given, tmp_path):
    model = classifier(label_texts=dict(zip(labels, PHRASES.values())), epochs=0)
    model.fit(TEXTS, [*labels, None, *labels, None, None, None] if are_given else None)
    assert list(model.predict(NEW_TEXTS)) == labels
    kind = type(labels[0])
    assert {kind} == {type(label) for label in (model.classes_ if kind is np.datetime64 else model.classes_.tolist())}
    if kind is not Kind:  # which only code could describe
        model.save(tmp_path / "model.npz")
        twin = skulmfit.load(tmp_path / "model.npz")
        assert list(twin.predict(NEW_TEXTS)) == labels
        assert twin.label_texts == model.label_texts


@pytest.mark.parametrize(("in_y", "in_phrases"), [([True, False], [1, 0]), ([1, 0], [True, False])])
def test_labels_of_another_type_that_are_equal_are_refused(in_y, in_phrases):
    with pytest.raises(ValueError, match=r"y has labels of type \w+, label_texts of type \w+: .* Give both the same"):
        classifier(label_texts=dict(zip(in_phrases, PHRASES.values()))).fit(TEXTS, in_y * 4)


COLUMNS = ["place", "number"]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        ([[-1, -1]] * 8, [0, 1]), ([[None, None]] * 8, [0, 1]), (np.full((8, 2), np.nan), [0, 1]),
        (pd.DataFrame(np.full((8, 2), np.nan), columns=COLUMNS), COLUMNS),
    ],
    ids=["list of -1", "list of None", "array", "frame"],
)  # fmt: skip
def test_an_indicator_matrix_without_a_label_is_one_still(y, classes):
    model = classifier(label_texts=dict(zip(classes, PHRASES.values()))).fit(TEXTS, y)
    assert model.classes_.tolist() == classes
    assert model.predict(NEW_TEXTS).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("of_several", [False, True], ids=["one label", "several labels"])
def test_weights_of_texts_without_a_label_change_nothing(of_several):
    y = np.array([0.0, 1.0] * 2 + [np.nan] * 4)
    y = np.stack([y, 1 - y], axis=1) if of_several else y
    found = [
        classifier(label_texts={0: PHRASES["place"], 1: PHRASES["number"]}, epochs=0)
        .fit(TEXTS, y, sample_weight=[1] * 4 + [other] * 4)
        .predict_proba(NEW_TEXTS)
        for other in (1, 100)
    ]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_class_weights_go_with_phrases():
    even, balanced, heavy = (
        classifier(class_weight=weight, epochs=0).fit(TEXTS, LABELS).predict_proba(NEW_TEXTS)
        for weight in (None, "balanced", {"number": 100, "place": 1})
    )
    np.testing.assert_allclose(balanced, even, atol=1e-6)
    assert not np.allclose(heavy, even, atol=1e-3)


@pytest.mark.parametrize(
    ("class_weight", "y", "message"),
    [
        ("even", None, "class_weight must be a dict, 'balanced' or None, got 'even'"),
        ({"place": 0}, ["place"] * 4 + [None] * 4, "class_weight must be finite, >= 0 and not all 0"),
    ],
)
@pytest.mark.filterwarnings("ignore:No text of y")
def test_class_weights_that_cannot_be_meant_are_refused(class_weight, y, message):
    with pytest.raises(ValueError, match=message):
        classifier(class_weight=class_weight).fit(TEXTS, y)


def test_without_epochs_the_head_is_solved_and_no_more(monkeypatch):
    model = classifier(epochs=0).fit(TEXTS * 2, LABELS * 2)
    assert model.stages_ == []
    assert model.score(TEXTS, LABELS) == 1


def test_y_that_is_no_array_is_refused():
    with pytest.raises(ValueError, match="y should be a 1d array with a label for each text, got a generator"):
        classifier().fit(TEXTS, (label for label in LABELS))


def test_warnings_are_of_the_line_that_fits():
    with pytest.warns(UserWarning, match="No text of y has the class 'number'") as caught:
        classifier(epochs=0).fit(TEXTS, ["place"] * 4 + [None] * 4)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_card_counts_phrases_and_texts_without_a_label():
    card = classifier().fit(TEXTS, ["place", "number"] + [None] * 6).card()
    assert "2 texts, " in card
    assert "6 texts without a label, 3 phrases of the classes" in card
