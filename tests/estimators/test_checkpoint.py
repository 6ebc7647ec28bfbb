"""`checkpoint=`: a fit that was killed goes on, and ends with the same bits."""

import shutil

import numpy as np
import pytest
from helpers import LABELS, LM_RECIPE, NUMBERS, RECIPE, TEXTS, TINY, Breaking, Killed, broken_off

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.estimators import fit_checkpoint


@pytest.fixture(autouse=True)
def saving_all_the_time(monkeypatch):
    monkeypatch.setattr(fit_checkpoint, "SECONDS_BETWEEN_SAVES", 0.0)


def language_model(folder=None, **changes):
    options = {"epochs": 6, "batch_size": 4, "bptt": 10, "recipe": LM_RECIPE, "random_state": 0} | changes
    return LMFineTuner(**TINY, checkpoint=folder, **options)


def classifier(folder=None, lm=None, **changes):
    options = {"epochs": 12, "batch_size": 8, "recipe": RECIPE, "random_state": 0} | changes
    return ULMFiTClassifier(lm or language_model(random_state=None), checkpoint=folder, **options)


def regressor(folder=None):
    lm = language_model(random_state=None)
    return ULMFiTRegressor(lm, epochs=12, batch_size=8, recipe=RECIPE, random_state=0, checkpoint=folder)


ESTIMATORS = {
    "language model": (language_model, None),
    "both directions": (lambda folder=None: language_model(folder, direction="both"), None),
    "classifier": (classifier, LABELS),
    "unfreezing, watched": (
        lambda folder=None: classifier(folder, gradual_unfreezing=True, early_stopping=True),
        LABELS,
    ),
    "classifier of both": (lambda folder=None: classifier(folder, language_model(direction="both")), LABELS),
    "regressor": (regressor, NUMBERS),
}


def rows(estimator):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in estimator.history_]


@pytest.fixture(scope="module", params=ESTIMATORS)
def case(request):
    """An estimator, its y, its fit without a cut, and the updates of that."""
    make, y = ESTIMATORS[request.param]
    with broken_off() as updates:
        uncut = make().fit(TEXTS, y)
    return make, y, uncut, updates


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_killed_fit_goes_on_to_the_same_bits(case, share, tmp_path):
    make, y, uncut, updates = case
    with broken_off(at=int(share * updates[0]), error=Killed), pytest.raises(Killed):
        make(tmp_path).fit(TEXTS, y)
    with broken_off() as left:
        resumed = make(tmp_path).fit(TEXTS, y)
    assert left[0] < updates[0]
    np.testing.assert_array_equal(resumed.transform(TEXTS), uncut.transform(TEXTS))
    assert rows(resumed) == rows(uncut)
    assert list(tmp_path.iterdir()) == []


def test_a_fit_without_a_seed_keeps_the_one_it_began_with(tmp_path):
    with broken_off(at=30, error=Killed), pytest.raises(Killed):
        language_model(tmp_path / "one", random_state=None).fit(TEXTS)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, second = (language_model(tmp_path / name, random_state=None).fit(TEXTS) for name in ("one", "two"))
    np.testing.assert_array_equal(first.transform(TEXTS), second.transform(TEXTS))


@pytest.mark.parametrize("changes", [{"learning_rate": 1e-3}, {"random_state": 1}])
def test_a_fit_with_other_parameters_begins_anew(tmp_path, changes):
    with broken_off(at=30, error=Killed), pytest.raises(Killed):
        language_model(tmp_path).fit(TEXTS)
    other = language_model(tmp_path, **changes).fit(TEXTS)
    np.testing.assert_array_equal(other.transform(TEXTS), language_model(**changes).fit(TEXTS).transform(TEXTS))


def test_a_fit_on_other_texts_begins_anew(tmp_path):
    with broken_off(at=30, error=Killed), pytest.raises(Killed):
        language_model(tmp_path).fit(TEXTS)
    texts = TEXTS[:-1]
    expected = language_model().fit(texts).transform(TEXTS)
    np.testing.assert_array_equal(language_model(tmp_path).fit(texts).transform(TEXTS), expected)


def test_ctrl_c_keeps_what_a_fit_can_go_on_from(tmp_path):
    with broken_off(at=30), pytest.warns(UserWarning, match="interrupted by user"):
        language_model(tmp_path).fit(TEXTS)
    resumed = language_model(tmp_path).fit(TEXTS)
    np.testing.assert_array_equal(resumed.transform(TEXTS), language_model().fit(TEXTS).transform(TEXTS))


def test_ctrl_c_in_the_language_model_does_not_leave_a_classifier_with_a_head_alone(tmp_path):
    with broken_off(at=30), pytest.warns(UserWarning, match="interrupted by user"):
        classifier(tmp_path).fit(TEXTS, LABELS)
    assert len(list(tmp_path.iterdir())) == 1
    resumed = classifier(tmp_path).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(resumed.predict_proba(TEXTS), classifier().fit(TEXTS, LABELS).predict_proba(TEXTS))


def test_a_tokenizer_that_was_edited_under_its_name_is_noticed(tmp_path):
    def fit(split):
        with broken_off(at=30, error=Killed):
            language_model(tmp_path, tokenizer=lambda text: split(text)).fit(TEXTS)

    with pytest.raises(Killed):
        fit(str.split)
    with pytest.raises(ValueError, match="is the checkpoint of another training"):
        fit(list)


@pytest.mark.parametrize("make", [language_model, classifier])
def test_what_is_no_folder_is_refused(make, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"checkpoint=.* is a file\. Give the path of a folder, or None"):
        make(tmp_path / "file").fit(TEXTS, LABELS)
    with pytest.raises(TypeError, match="checkpoint must be None or the path of a folder, got 3"):
        make(3).fit(TEXTS, LABELS)


def test_two_runs_of_the_same_fit_do_not_share_a_checkpoint(tmp_path):
    refused = []

    def fit_again():
        try:
            language_model(tmp_path).fit(TEXTS)
        except BlockingIOError as error:
            refused.append(str(error))

    Breaking.watch = fit_again
    try:
        with broken_off(at=1), pytest.warns(UserWarning, match="interrupted by user"):
            language_model(tmp_path).fit(TEXTS)
    finally:
        Breaking.watch = lambda: None
    assert len(refused) == 1
    assert "The checkpoint of this fit" in refused[0]
    assert "is in use by another run" in refused[0]
    language_model(tmp_path).fit(TEXTS)  # goes on
    assert list(tmp_path.iterdir()) == []


def test_a_fit_that_fails_gives_its_checkpoint_up(tmp_path):
    lm = language_model(tmp_path, features="sentence")
    for _ in range(2):
        try:
            lm.fit(TEXTS)
        except ValueError as error:
            kept = error  # and with it all that was in the fit, as a notebook does
            assert "needs a language model that was taught" in str(kept)
