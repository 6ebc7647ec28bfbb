"""Labels come back from `predict` as they went in, or are refused with their row."""

import datetime
import enum
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import LABELS, TEXTS, small_classifier

import skulmfit
from skulmfit.estimators.indicator_targets import Indicators, label_matrix
from skulmfit.estimators.label_targets import Labels, check_labels


class Mood(enum.StrEnum):
    GOOD = "g"
    GOOD_ENOUGH = "good enough"


class Stars(enum.IntEnum):
    ONE = 1
    TWO = 2


BIG = [2**53, 2**53 + 1]


def classes_of(y):
    return check_labels(y, ["x"] * len(y), "ULMFiTClassifier")[0]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series([True, False], dtype="boolean"), [False, True]),
        (pd.Series([True, False], dtype="bool[pyarrow]"), [False, True]),
        (np.array([True, False], dtype=object), [False, True]),
        (pd.Series(BIG, dtype="Int64"), BIG),
        (pd.Series(BIG, dtype="int64[pyarrow]"), BIG),
        (pa.array(BIG), BIG),
        (np.array([2, 1], dtype=object), [1, 2]),
        ([2**63, 1], [1, 2**63]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"]),
        (pa.array(["b", "a"]).dictionary_encode(), ["a", "b"]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["a", "b"]),
        (["a\0", "a"], ["a", "a\0"]),
        ([Mood.GOOD_ENOUGH, Mood.GOOD], [Mood.GOOD, Mood.GOOD_ENOUGH]),
        ([2.0, 1.0], [1.0, 2.0]),
    ],
)
def test_labels_come_back_equal_and_of_the_same_type(y, classes):
    found = classes_of(y).tolist()
    assert found == classes
    assert list(map(type, found)) == list(map(type, classes))


def test_dates_of_numpy_are_labels():
    dates = np.array(["2021-01-01", "2020-01-01"], dtype="datetime64[D]")
    np.testing.assert_array_equal(classes_of(dates), dates[::-1])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["good", float("nan")], "missing value: row 1 is nan"),
        (["good", None], "missing value: row 1 is None"),
        (["good", pd.NA], "missing value: row 1 is <NA>"),
        (pd.Series([True, None], dtype="boolean"), "missing value: row 1 is <NA>"),
        (pd.Series([1, None], dtype="Int64"), "missing value: row 1 is <NA>"),
        (pl.Series([1, None]), "missing value: row 1 is nan"),
        (np.array(["2020", "NaT"], dtype="datetime64[D]"), "missing value: row 1 is .*NaT"),
        (["a", 1], "row 1 of y is 1 of type int, but row 0 is 'a' of type str"),
        ([True, 2], "row 1 of y is 2 of type int, but row 0 is True of type bool"),
        ([1, 1, 2.0], "row 2 of y is 2.0 of type float, but row 0 is 1 of type int"),
        (["g", Mood.GOOD], "row 1 of y is <Mood.GOOD: 'g'> of type Mood, but row 0 is 'g' of type str"),
        ([Stars.ONE, Stars.TWO], "row 0 of y is <Stars.ONE: 1> of type Stars"),
        ([b"a", b"b"], "row 0 of y is b'a' of type bytes: decode bytes first"),
        (np.array([b"a", b"b"]), "row 0 of y is b'a' of type bytes"),
        ([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)], r"row 0 of y is datetime.date\(2020, 1, 1\)"),
        ([Decimal(1), Decimal(2)], r"row 0 of y is Decimal\('1'\)"),
        (pd.cut(pd.Series([1, 2]), 2), "row 0 of y is Interval"),
        ([1j, 2j], "row 0 of y is 1j of type complex"),
        ([2**80, 1], "row 0 of y is 1208925819614629174706176, which 64 bits cannot hold"),
        ([-1, 2**63], "row 1 of y is 9223372036854775808, which 64 bits cannot hold"),
        ([1.0, np.inf], "contains infinity: row 1 is inf"),
        ([1.0, 0.5], "Unknown label type: continuous. Row 1 of y is 0.5.*ULMFiTRegressor"),
        ([{"a"}, {"b"}], r"row 0 is \{'a'\}.*MultiLabelBinarizer"),
        ({"a": 1, "b": 2}, r"a 1d array with a label for each text, got a dict of shape \(\)"),
        ("ab", r"got a str of shape \(\)"),
    ],
)
def test_what_is_no_label_is_refused_with_its_row(y, message):
    with pytest.raises(ValueError, match=message):
        classes_of(y)


def test_predictions_are_the_very_members_of_an_enum():
    moods = [Mood.GOOD, Mood.GOOD_ENOUGH] * 12
    assert all(type(mood) is Mood for mood in small_classifier().fit(TEXTS, moods).predict(TEXTS))


def test_a_file_does_not_turn_members_of_an_enum_into_strings(tmp_path):
    classifier = small_classifier().fit(TEXTS, [Mood.GOOD, Mood.GOOD_ENOUGH] * 12)
    with pytest.raises(ValueError, match="cannot be saved without code"):
        classifier.save(tmp_path / "moods.npz")


@pytest.mark.parametrize(
    ("y_val", "message"),
    [
        ([0, 1.0], "row 1 of y_val is 1.0 of type float"),
        ([True, False], "y_val has labels of type bool, y of type int"),
        ([0, None], "Input y_val contains NaN or another missing value: row 1"),
        ([0, 7], "Row 1 of y_val has the label 7, which y does not have"),
    ],
)
def test_labels_for_validation_are_those_of_the_training(y_val, message):
    targets = Labels.learn([0, 1], ["x", "y"], "ULMFiTClassifier", None, np.ones(2))[0]
    assert targets.encode(pd.Series([1, 0], dtype="Int64"), ["x", "y"]).tolist() == [1, 0]
    with pytest.raises(ValueError, match=message):
        targets.encode(y_val, ["x", "y"])


MATRIX = [[0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    "y",
    [
        MATRIX,
        np.array(MATRIX, dtype=bool),
        np.array(MATRIX, dtype=object),
        pd.DataFrame(MATRIX, dtype="Int64"),
        pd.DataFrame(MATRIX, dtype="boolean"),
        pl.DataFrame(MATRIX, orient="row"),
        pa.table({"a": [0, 1, 1], "b": [1, 0, 1]}),
    ],
    ids=lambda y: f"{type(y).__module__}-{getattr(y, 'dtype', '')}",
)
def test_indicators_of_any_container_are_read(y):
    assert label_matrix(y) is not None
    np.testing.assert_array_equal(Indicators.learn(y, ["x"] * 3, None, np.ones(3))[1], MATRIX)


def test_the_names_of_label_columns_are_the_classes():
    y = pd.get_dummies(pd.Series(LABELS, dtype="string"))
    classifier = small_classifier(class_weight={"good": 2.0}).fit(TEXTS, y)
    assert classifier.classes_.tolist() == ["bad", "good"]
    assert classifier.predict(TEXTS).shape == (24, 2)


def test_the_names_of_label_columns_are_kept_in_a_file(tmp_path):
    classifier = small_classifier().fit(TEXTS, pd.get_dummies(pd.Series(LABELS)))
    classifier.save(tmp_path / "labels.npz")
    assert skulmfit.load(tmp_path / "labels.npz").classes_.tolist() == ["bad", "good"]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (pd.DataFrame({"a": [1, None], "b": [0, 1]}, dtype="Int64"), "row 1 of y has <NA> in column 'a'"),
        ([[0, 2], [1, 0]], "row 0 of y has 2 in column '1'"),
        ([["a", "b"], ["c", "d"]], "row 0 of y has 'a' in column '0'.*MultiLabelBinarizer"),
        (pd.DataFrame([[0, 1], [1, 0]], columns=["a", "a"]), "several columns of the name 'a'"),
    ],
)
def test_what_is_no_indicator_is_refused_with_row_and_column(y, message):
    with pytest.raises(ValueError, match=message):
        Indicators.learn(y, ["x", "y"], None, np.ones(2))


def test_columns_for_validation_must_be_those_of_the_training():
    y = pd.DataFrame({"a": [1, 0], "b": [0, 1]})
    targets = Indicators.learn(y, ["x", "y"], None, np.ones(2))[0]
    with pytest.raises(ValueError, match=r"y_val has the columns \['b', 'a'\], y has \['a', 'b'\]"):
        targets.encode(y[["b", "a"]], ["x", "y"])
