"""Cosines to named phrases as features: `LMFineTuner(phrases=...)`."""

import numpy as np
import pytest
from helpers import TINY
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skulmfit
from skulmfit import LMFineTuner

PHRASES = {"place": ["Where is it?", "Which city or country?"], "number": "How many, how much?"}
TEXTS = ["Where is the Louvre?", "How many legs does a spider have?", "In what city is it?", "How much is a car?"]


@pytest.fixture(scope="module")
def similar():
    return LMFineTuner(epochs=0, features="sentence", phrases=PHRASES).fit(TEXTS)


def test_the_last_features_are_cosines_with_the_phrases(similar):
    vectors = LMFineTuner(epochs=0, features="sentence").fit(TEXTS)
    place, number = vectors.transform(PHRASES["place"]).mean(axis=0), vectors.transform([PHRASES["number"]])[0]
    expected = vectors.transform(TEXTS) @ np.stack([place / np.linalg.norm(place), number]).T
    found = similar.transform(TEXTS)
    np.testing.assert_allclose(found[:, -2:], expected, atol=1e-5)
    np.testing.assert_allclose(found[:, :-2], vectors.transform(TEXTS), atol=1e-6)


def test_they_have_the_names_of_the_phrases(similar):
    names = similar.get_feature_names_out()
    assert names[-2:].tolist() == ["lmfinetuner_similarity_place", "lmfinetuner_similarity_number"]
    assert len(names) == similar.n_features_out_ == similar.transform(TEXTS).shape[1]


@pytest.mark.parametrize("features", ["last_layer", "all_layers", "combined"])
def test_they_stand_beside_any_features(features, similar):
    found = LMFineTuner(epochs=0, features=features, phrases=PHRASES).fit(TEXTS).transform(TEXTS)
    np.testing.assert_allclose(found[:, -2:], similar.transform(TEXTS)[:, -2:], atol=1e-5)


def test_two_directions_have_cosines_each():
    lm = LMFineTuner(direction="both", epochs=0, features="sentence", phrases=PHRASES).fit(TEXTS)
    assert [name for name in lm.get_feature_names_out() if "similarity" in name] == [
        f"lmfinetuner_{way}_similarity_{name}" for way in ("forward", "backward") for name in PHRASES
    ]


def test_a_grid_chooses_among_phrases():
    pipeline = make_pipeline(LMFineTuner(epochs=0), StandardScaler(), LogisticRegression())
    grid = {"lmfinetuner__phrases": [None, PHRASES]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(TEXTS, ["place", "number"] * 2)
    assert search.best_estimator_.predict(["Where is the best beach?"]).tolist() == ["place"]


def test_a_file_has_the_phrases(similar, tmp_path):
    similar.save(tmp_path / "lm.npz")
    np.testing.assert_array_equal(skulmfit.load(tmp_path / "lm.npz").transform(TEXTS), similar.transform(TEXTS))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"phrases": "Where?"}, TypeError, "phrases must be a dict"),
        ({"phrases": {"place": ""}}, ValueError, r"phrases\['place'\] has the empty phrase"),
        ({"phrases": PHRASES, "pretrained": "en-lm"}, ValueError, "phrases needs a language model that was taught"),
        ({"phrases": PHRASES} | TINY, ValueError, "phrases needs a language model that was taught"),
    ],
)
def test_phrases_that_cannot_be_read_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        LMFineTuner(**{"epochs": 0} | changes).fit(TEXTS)


@pytest.mark.parametrize(
    ("phrases", "message"),
    [
        ({1: "Where?", "1": "How many?"}, "phrases has several classes of the name '1'"),
        ({}, "phrases is empty. Give each class a phrase, or leave phrases out"),
    ],
)
def test_phrases_that_would_give_no_feature_of_their_own_are_refused(phrases, message):
    with pytest.raises(ValueError, match=message):
        LMFineTuner(epochs=0, phrases=phrases).fit(TEXTS)
