"""Every tool of scikit-learn that takes an estimator, on raw text; docs/guide/scikit-learn.md says what cannot work."""

import warnings

import numpy as np
import pytest
from helpers import LABELS, TEXTS
from joblib import parallel_config
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, DetCurveDisplay, PrecisionRecallDisplay, RocCurveDisplay
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    LearningCurveDisplay,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    ValidationCurveDisplay,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from skulmfit import LMFineTuner, ULMFiTClassifier

SIZES = {"pretrained": None, "vocab_size": 300, "embedding_dim": 4, "hidden_dim": 4, "n_layers": 1, "epochs": 1}
Y = np.array(LABELS)
COLUMN = np.array(TEXTS, dtype=object)[:, None]  # for tools that want two dimensions


def classifier(**params):
    options = {"epochs": 10, "random_state": 0} | params
    return ULMFiTClassifier(LMFineTuner(**SIZES), **options)


def features():
    return LMFineTuner(**SIZES, random_state=0)


def frozen():
    return FrozenEstimator(classifier().fit(TEXTS, Y))


ESTIMATORS = {  # that are fitted on texts and labels
    "classifier": classifier,
    "features in a pipeline": lambda: make_pipeline(features(), LogisticRegression()),
    "after a step that edits texts": lambda: make_pipeline(FunctionTransformer(list), classifier()),
    "features beside TF-IDF": lambda: make_pipeline(make_union(features(), TfidfVectorizer()), LogisticRegression()),
    "classifier's features": lambda: make_pipeline(classifier(), LogisticRegression()),
    "grid": lambda: GridSearchCV(classifier(), {"hidden_dim": [2, 3], "lm__epochs": [1]}, cv=2),
    "grid over the language models": lambda: GridSearchCV(
        classifier(), {"lm": [LMFineTuner(**SIZES), FrozenEstimator(features().fit(TEXTS))]}, cv=2
    ),
    "randomised search": lambda: RandomizedSearchCV(classifier(), {"hidden_dim": [2, 3]}, n_iter=2, cv=2),
    "halving over texts": lambda: HalvingGridSearchCV(
        classifier(), {"hidden_dim": [2, 3]}, cv=2, min_resources=16, random_state=0
    ),
    "halving over epochs": lambda: HalvingGridSearchCV(
        classifier(), {"hidden_dim": [2, 3]}, cv=2, resource="epochs", min_resources=1, max_resources=2
    ),
    "sigmoid calibration": lambda: CalibratedClassifierCV(classifier(), cv=2),
    "isotonic calibration": lambda: CalibratedClassifierCV(classifier(), cv=2, method="isotonic"),
    "calibration of a fitted one": lambda: CalibratedClassifierCV(frozen()),
    "tuned threshold": lambda: TunedThresholdClassifierCV(classifier(), cv=2),
    "fixed threshold": lambda: FixedThresholdClassifier(classifier(), threshold=0.3),
    "voting": lambda: VotingClassifier(
        [("ours", classifier()), ("theirs", make_pipeline(TfidfVectorizer(), LogisticRegression()))], voting="soft"
    ),
    "stacking": lambda: StackingClassifier(
        [("ours", classifier()), ("theirs", make_pipeline(TfidfVectorizer(), LogisticRegression()))], cv=2
    ),
    "one against the rest": lambda: OneVsRestClassifier(classifier()),
    "fitted and frozen": frozen,
}


@pytest.mark.parametrize("tool", ESTIMATORS)
def test_it_is_fitted_on_texts_and_predicts_labels_and_probabilities(tool):
    estimator = ESTIMATORS[tool]().fit(TEXTS, Y)
    assert set(estimator.predict(TEXTS)) <= set(Y)
    probabilities = estimator.predict_proba(TEXTS)
    assert probabilities.shape == (len(TEXTS), 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("tool", ["bagging", "AdaBoost"])
def test_tools_that_want_two_dimensions_take_texts_as_a_column(tool):
    estimator = {
        "bagging": BaggingClassifier(classifier(), n_estimators=2, random_state=0),
        "AdaBoost": AdaBoostClassifier(classifier(), n_estimators=2, random_state=0),
    }[tool]
    assert set(estimator.fit(COLUMN, Y).predict(COLUMN)) <= set(Y)


def test_a_model_for_each_of_several_targets():
    targets = np.column_stack([Y, np.roll(Y, 1)])
    assert MultiOutputClassifier(classifier()).fit(TEXTS, targets).predict(TEXTS).shape == targets.shape


def test_one_against_the_rest_with_several_labels_a_text():
    indicators = np.column_stack([Y == "good", Y == "bad"]).astype(int)
    assert OneVsRestClassifier(classifier()).fit(TEXTS, indicators).predict(TEXTS).shape == indicators.shape


@pytest.mark.parametrize("column", ["text", ["text"]], ids=["name", "list of a name"])
def test_a_text_column_beside_others_in_a_frame(column):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS, "source": ["web", "print", "radio"] * 8})
    columns = ColumnTransformer([("text", features(), column), ("source", OneHotEncoder(), ["source"])])
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, Y)
    assert pipeline[:-1].get_feature_names_out()[0] == "text__lmfinetuner_last0"
    importance = permutation_importance(pipeline, frame, Y, n_repeats=2, random_state=0)
    assert importance.importances_mean.shape == (2,)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_features_keep_names_and_index_in_a_frame(container):
    library = pytest.importorskip(container)
    frame = features().set_output(transform=container).fit_transform(library.Series(TEXTS))
    assert list(frame.columns)[-1] == "lmfinetuner_mean3"
    assert frame.shape == (len(TEXTS), 12)


def test_features_of_two_models_side_by_side():
    union = FeatureUnion([("lm", features()), ("classifier", classifier())]).fit(TEXTS, Y)
    assert union.transform(TEXTS).shape == (len(TEXTS), 24)
    assert union.get_feature_names_out()[12] == "classifier__ulmfitclassifier_last0"


SCORERS = ["accuracy", "roc_auc", "average_precision", "neg_log_loss"]


def test_cross_validation_with_every_kind_of_score():
    scores = cross_validate(classifier(), TEXTS, Y == "good", cv=2, scoring=SCORERS, return_train_score=True)
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORERS)


def test_cross_validation_by_groups():
    groups = np.arange(24) // 3
    assert len(cross_val_score(classifier(), TEXTS, Y, groups=groups, cv=StratifiedGroupKFold(2))) == 2


def test_predictions_by_cross_validation_stand_in_the_order_of_the_texts():
    first = np.arange(24) < 12
    predicted = cross_val_predict(classifier(), TEXTS, Y, cv=[(np.flatnonzero(~first), np.flatnonzero(first)),
                                                              (np.flatnonzero(first), np.flatnonzero(~first))],
                                  method="predict_proba")  # fmt: skip
    alone = classifier().fit(TEXTS[12:], Y[12:]).predict_proba(TEXTS[:12])
    np.testing.assert_allclose(predicted[:12], alone, rtol=1e-5)


def test_splits_of_texts():
    train, test, y_train, y_test = train_test_split(TEXTS, Y, stratify=Y, random_state=0)
    fitted = classifier().fit(train, y_train)
    assert fitted.score(test, y_test) == np.mean(fitted.predict(test) == y_test)


def test_curves():
    sizes, train_scores, _ = learning_curve(classifier(), TEXTS, Y, cv=2, train_sizes=[6, 12])
    assert train_scores.shape == (len(sizes), 2)
    train_scores, _ = validation_curve(classifier(), TEXTS, Y, param_name="hidden_dim", param_range=[2, 3], cv=2)
    assert train_scores.shape == (2, 2)


def test_significance_of_a_score():
    score, permuted, _ = permutation_test_score(classifier(), TEXTS, Y, cv=2, n_permutations=2, random_state=0)
    assert score == cross_val_score(classifier(), TEXTS, Y, cv=2).mean()
    assert permuted.shape == (2,)


def test_a_language_model_can_be_searched_without_labels():
    search = GridSearchCV(features(), {"epochs": [1, 2]}, cv=2).fit(TEXTS)
    assert search.best_score_ < 0


def test_importance_of_a_column_of_texts():
    importance = permutation_importance(classifier().fit(COLUMN, Y), COLUMN, Y, n_repeats=2, random_state=0)
    assert importance.importances.shape == (1, 2)


DISPLAYS = {
    "confusion": lambda estimator: ConfusionMatrixDisplay.from_estimator(estimator, TEXTS, Y),
    "ROC": lambda estimator: RocCurveDisplay.from_estimator(estimator, TEXTS, Y),
    "precision and recall": lambda estimator: PrecisionRecallDisplay.from_estimator(estimator, TEXTS, Y),
    "DET": lambda estimator: DetCurveDisplay.from_estimator(estimator, TEXTS, Y),
    "calibration": lambda estimator: CalibrationDisplay.from_estimator(estimator, TEXTS, Y),
    "learning curve": lambda estimator: LearningCurveDisplay.from_estimator(
        estimator, TEXTS, Y, cv=2, train_sizes=[6, 12]
    ),
    "validation curve": lambda estimator: ValidationCurveDisplay.from_estimator(
        estimator, TEXTS, Y, cv=2, param_name="hidden_dim", param_range=[2, 3]
    ),
}


@pytest.mark.parametrize("display", DISPLAYS)
def test_displays(display):
    matplotlib = pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    matplotlib.use("Agg")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of matplotlib and pyparsing
        shown = DISPLAYS[display](classifier().fit(TEXTS, Y))
    assert shown.figure_ is not None
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_every_backend_gives_the_same_scores(backend):
    alone = cross_val_score(classifier(), TEXTS, Y, cv=2, scoring="neg_log_loss")
    with parallel_config(backend, n_jobs=2), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking a process that has threads
        scores = cross_val_score(classifier(), TEXTS, Y, cv=2, scoring="neg_log_loss")
    np.testing.assert_allclose(scores, alone, rtol=1e-5)
