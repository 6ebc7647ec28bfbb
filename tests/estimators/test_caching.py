"""`memory=`: how often the language model is fine-tuned in searches, and what a cache must not do."""

import pickle
import uuid
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import LABELS, LM_RECIPE, TEXTS, TINY, broken_off, small_classifier
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skulmfit import LANGUAGE_MODEL_RECIPES, LMFineTuner, ULMFiTRegressor
from skulmfit.text.tokenizer import Tokenizer

HEADS = {"hidden_dim": [3, 4, 5]}


class CountedLM(LMFineTuner):
    """Leaves a file for every fit, so that those in other processes count too."""

    def __init__(self, folder=None, *, recipe="skulmfit", checkpoint=None, device="auto", random_state=None, verbose=0):
        super().__init__(
            **TINY, epochs=1, recipe=recipe, checkpoint=checkpoint, device=device, random_state=random_state,
            verbose=verbose,
        )  # fmt: skip
        self.folder = folder

    def fit(self, X, y=None, **more):
        Path(self.folder, uuid.uuid4().hex).touch()
        return super().fit(X, y, **more)


@pytest.fixture
def counted(tmp_path):
    (tmp_path / "fits").mkdir()
    return CountedLM(str(tmp_path / "fits"))


def n_fits(lm):
    return len(list(Path(lm.folder).iterdir()))


def classifier(lm, memory, **params):
    options = {"gradual_unfreezing": False, "device": "cpu", "random_state": None} | params
    return small_classifier(lm, memory=memory, **options)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("random_state", [0, None])
def test_a_grid_over_the_head_fine_tunes_once_per_fold_and_once_more(counted, tmp_path, n_jobs, random_state):
    estimator = classifier(counted, str(tmp_path / "cache"), random_state=random_state)
    GridSearchCV(estimator, HEADS, cv=3, n_jobs=n_jobs).fit(TEXTS, LABELS)
    assert n_fits(counted) == 4


def test_without_memory_every_candidate_fine_tunes(counted):
    GridSearchCV(classifier(counted, None), HEADS, cv=3).fit(TEXTS, LABELS)
    assert n_fits(counted) == 10


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_frozen_language_model_is_never_fine_tuned_again(counted, tmp_path, n_jobs):
    frozen = FrozenEstimator(counted.fit(TEXTS))
    GridSearchCV(classifier(frozen, str(tmp_path / "cache")), HEADS, cv=3, n_jobs=n_jobs).fit(TEXTS, LABELS)
    assert n_fits(counted) == 1


def test_what_comes_from_the_cache_is_what_would_be_computed(tmp_path):
    lm = LMFineTuner(**TINY, epochs=1)
    plain = classifier(lm, None, random_state=0).fit(TEXTS, LABELS).predict_proba(TEXTS)
    for _ in range(2):  # computed, and found
        cached = classifier(lm, joblib.Memory(tmp_path, verbose=0), random_state=0).fit(TEXTS, LABELS)
        np.testing.assert_array_equal(cached.predict_proba(TEXTS), plain)


def test_texts_are_encoded_once(monkeypatch, tmp_path):
    lm, encoded = FrozenEstimator(LMFineTuner(**TINY, epochs=1).fit(TEXTS)), []
    encode = Tokenizer.encode

    def counting(self, texts, **more):
        encoded.append(texts)
        return encode(self, texts, **more)

    monkeypatch.setattr(Tokenizer, "encode", counting)
    for hidden_dim in (3, 4):
        classifier(lm, str(tmp_path), hidden_dim=hidden_dim).fit(TEXTS, LABELS)
    assert len(encoded) == 1


def test_device_and_verbosity_are_no_other_model(counted, tmp_path):
    for verbose in (0, 1):
        lm = clone(counted).set_params(device="cpu" if verbose else "auto", random_state=0, verbose=verbose)
        classifier(lm, str(tmp_path / "cache")).fit(TEXTS, LABELS)
    assert n_fits(counted) == 1


def test_a_function_that_splits_texts_is_never_cached(tmp_path):
    """A notebook may edit it under the same name."""
    sizes = []
    for split in (lambda text: text.split(), list):
        lm = LMFineTuner(**TINY, epochs=1, tokenizer=split)
        sizes.append(classifier(lm, str(tmp_path), random_state=0).fit(TEXTS, LABELS).vocab_size_)
    assert sizes[0] != sizes[1]


def test_a_wrong_language_model_is_named_as_without_memory(tmp_path):
    with pytest.raises(TypeError, match="pretrained must be a name, a path or None"):
        classifier(LMFineTuner(3), str(tmp_path)).fit(TEXTS, LABELS)


@pytest.mark.parametrize("change", ["texts", "seed"])
def test_other_texts_or_another_seed_are_another_model(counted, tmp_path, change):
    memory = str(tmp_path / "cache")
    classifier(counted, memory, random_state=0).fit(TEXTS, LABELS)
    texts = [*TEXTS[:-1], "Another text."] if change == "texts" else TEXTS
    classifier(counted, memory, random_state=0 if change == "texts" else 1).fit(texts, LABELS)
    assert n_fits(counted) == 2


def test_another_file_under_the_same_name_is_another_model(tmp_path):
    for seed in (0, 1):
        start = LMFineTuner(**TINY, epochs=1, random_state=seed).fit(TEXTS).language_model()
        start.save(tmp_path / "lm.npz")
        lm = LMFineTuner(tmp_path / "lm.npz", epochs=0)
        fitted = classifier(lm, str(tmp_path / "cache"), random_state=0, learning_rate=1e-9).fit(TEXTS, LABELS)
        np.testing.assert_allclose(fitted.transform(TEXTS), lm.fit(TEXTS).transform(TEXTS), atol=0.01)


def test_an_interrupted_language_model_is_not_kept(counted, tmp_path):
    estimator = classifier(counted.set_params(recipe=LM_RECIPE), str(tmp_path / "cache"), random_state=0)
    with broken_off(at=1), pytest.warns(UserWarning, match="interrupted by user"):
        estimator.fit(TEXTS, LABELS)
    estimator.fit(TEXTS, LABELS)
    assert n_fits(counted) == 2


@pytest.mark.parametrize("learning_rate", [4e-3, 0.1])
def test_a_recipe_is_known_by_its_content(counted, tmp_path, learning_rate):
    own = replace(LANGUAGE_MODEL_RECIPES["skulmfit"], learning_rate=learning_rate)
    for recipe in ("skulmfit", own):
        classifier(counted.set_params(recipe=recipe), str(tmp_path / "cache"), random_state=0).fit(TEXTS, LABELS)
    assert n_fits(counted) == (1 if own == LANGUAGE_MODEL_RECIPES["skulmfit"] else 2)


def test_a_regressor_shares_the_language_model_of_a_classifier(counted, tmp_path):
    memory = str(tmp_path / "cache")
    classifier(counted, memory, random_state=0).fit(TEXTS, LABELS)
    ULMFiTRegressor(counted, memory=memory, epochs=1, random_state=0).fit(TEXTS, np.arange(24.0))
    assert n_fits(counted) == 1


def test_a_path_is_a_folder_for_the_cache(counted, tmp_path):
    for _ in range(2):
        classifier(counted, tmp_path / "cache", random_state=0).fit(TEXTS, LABELS)
    assert n_fits(counted) == 1


@pytest.mark.parametrize("function", ["_fit", "_encode"])
@pytest.mark.parametrize("change", ["a bit", "the end", "everything"])
def test_a_damaged_result_is_computed_anew(counted, tmp_path, function, change):
    expected = classifier(counted, tmp_path, random_state=0).fit(TEXTS, LABELS).predict_proba(TEXTS)
    (file,) = tmp_path.glob(f"joblib/skulmfit/estimators/caching/{function}/*/output.pkl")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x40
    file.write_bytes({"a bit": data, "the end": data[: len(data) // 2], "everything": pickle.dumps({})}[change])
    found = classifier(counted, tmp_path, random_state=0).fit(TEXTS, LABELS).predict_proba(TEXTS)
    np.testing.assert_array_equal(found, expected)


def test_a_folder_that_cannot_be_written_is_named_before_any_training(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"memory='.*file/cache' cannot be written. Give a folder of your own"):
        classifier(None, str(tmp_path / "file" / "cache")).fit(TEXTS, LABELS)


def test_what_is_no_memory_is_refused():
    with pytest.raises(ValueError, match="'memory' should be None, a string or have the same interface"):
        classifier(None, 3).fit(TEXTS, LABELS)


def test_features_in_a_pipeline_with_memory_are_extracted_once(counted, tmp_path):
    pipeline = Pipeline([("lm", counted), ("head", LogisticRegression())], memory=str(tmp_path / "cache"))
    GridSearchCV(pipeline, {"head__C": [0.1, 1, 10]}, cv=3).fit(TEXTS, LABELS)
    assert n_fits(counted) == 4
