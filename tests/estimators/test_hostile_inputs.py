"""Whatever is given, the result is right, or an error names the row or parameter, the value and what to do.

The cases are drawn at random, but the same ones every time.
"""

import io
import json
import re
import string
import warnings
import zipfile

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from helpers import LABELS, NUMBERS, TEXTS, small_classifier, small_lm, small_regressor

import skulmfit
from skulmfit.estimators.indicator_targets import Indicators, label_matrix
from skulmfit.estimators.label_targets import Labels
from skulmfit.estimators.number_targets import Numbers
from skulmfit.estimators.validation import check_texts, check_weights

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
from hypothesis import strategies as st  # noqa: E402

some = hypothesis.settings(max_examples=200, derandomize=True, deadline=None, database=None)
few = hypothesis.settings(some, max_examples=100, suppress_health_check=list(hypothesis.HealthCheck))

WORDS = st.text(string.printable + "é漢😀\0\u2028", max_size=8)
SCALARS = st.one_of(
    WORDS, st.integers(), st.booleans(), st.floats(), st.none(), st.binary(max_size=3), st.complex_numbers(),
    st.just(pd.NA), st.just(pd.NaT), st.dates(), st.decimals(), st.just(np.datetime64("NaT")), st.just(np.float16(1)),
)  # fmt: skip
ONE_KIND = st.sampled_from([WORDS, st.integers(), st.booleans(), st.integers(-3, 3).map(float), SCALARS])
COLUMNS = st.one_of(
    ONE_KIND.flatmap(lambda kind: st.lists(kind, min_size=2, max_size=6)),
    st.lists(st.lists(SCALARS, max_size=3), min_size=2, max_size=4),
    st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=2), min_size=2, max_size=4),
)


def polars_series(y):
    """Of mixed columns polars makes a panic."""
    assert len({type(value) for value in y} - {type(None)}) == 1 and isinstance(y[0], str | int)
    return pl.Series(y)


CONTAINERS = [
    lambda y: y, tuple, set, dict.fromkeys, iter, np.array, lambda y: np.array(y, dtype=object), pd.Series,
    polars_series, pa.array, pd.DataFrame,
    lambda y: pd.Series(y).convert_dtypes(), lambda y: pd.Series(y, dtype="category"),
    lambda y: pd.Series(y).convert_dtypes(dtype_backend="pyarrow"), lambda y: np.array(y)[:, None], lambda y: y[0],
]  # fmt: skip

# An error says where (a row, a column, a parameter or what was given) and what to do.
PLACE = re.compile(r"\b(text|documents|rows?|column|shape|array|index|X|y|sample_weight|samples?|class(es)?)\b", re.I)
REMEDY = re.compile(
    r"\b(give|make|leave out|replace|decode|select|scale|check|must|should|needs?|expected|take|wrap|while)\b",
    re.I,
)


def contained(column, container):
    """A column in a container, where that can hold it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return container(column)
    except Exception:
        hypothesis.reject()


def refused(function, *arguments):
    """Whether a call is refused, and in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments), None
        except (ValueError, TypeError) as error:
            assert PLACE.search(str(error)) and REMEDY.search(str(error)), f"not in words: {error!r}"
            return None, error


@some
@hypothesis.given(COLUMNS, st.sampled_from(CONTAINERS))
def test_labels_come_back_or_are_refused_in_words(column, container):
    hypothesis.assume(container is not iter)  # is read by the test too
    y, texts = contained(column, container), ["x"] * len(column)
    kind = Indicators if label_matrix(y) is not None else Labels
    arguments = (y, texts, None, np.ones(len(texts)))
    if kind is Labels:
        arguments = (y, texts, "ULMFiTClassifier", None, np.ones(len(texts)))
    result, _ = refused(kind.learn, *arguments)
    if result is None:
        return
    targets, encoded, _ = result
    if kind is Indicators:
        given = np.asarray(y, dtype=object)
        assert (encoded == given).all()
        return
    given = np.asarray(y, dtype=object).ravel().tolist()
    back = targets.classes[encoded].tolist()
    for before, after in zip(given, back):
        assert before == after
        assert isinstance(before, bool | np.bool_) == isinstance(after, bool)
        assert isinstance(before, str) == isinstance(after, str)


@some
@hypothesis.given(COLUMNS, st.sampled_from(CONTAINERS))
def test_texts_are_read_as_they_are_or_refused_in_words(column, container):
    X = contained(column, container)
    result, _ = refused(check_texts, X)
    if result is not None:
        assert all(type(text) is str for text in result)
        assert not isinstance(X, set | dict)
        if X is column and isinstance(column[0], str):
            assert result == column


@some
@hypothesis.given(COLUMNS, st.sampled_from(CONTAINERS))
def test_numbers_are_learnt_or_refused_in_words(column, container):
    hypothesis.assume(container is not iter)
    y, texts = contained(column, container), ["x"] * len(column)
    result, _ = refused(Numbers.learn, y, texts, "ULMFiTRegressor", np.ones(len(texts)))
    if result is not None:
        targets, encoded = result
        assert np.isfinite(encoded).all() and np.isfinite(targets.mean).all() and np.isfinite(targets.scale).all()
    weights, _ = refused(check_weights, y, len(texts))
    assert weights is None or (np.isfinite(weights).all() and abs(weights[weights > 0].mean() - 1) < 1e-9)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of each kind, and what their estimators make of texts."""
    folder, found = tmp_path_factory.mktemp("files"), []
    for name, estimator in {
        "classifier": small_classifier().fit(TEXTS, LABELS),
        "regressor": small_regressor().fit(TEXTS, NUMBERS),
        "features": small_lm().fit(TEXTS),
    }.items():
        estimator.save(folder / f"{name}.npz")
        found.append(((folder / f"{name}.npz").read_bytes(), output(estimator)))
    return folder, found


def output(estimator):
    return (estimator.predict if hasattr(estimator, "predict") else estimator.transform)(TEXTS[:3])


def is_right_or_refused(path, expected, *, same):
    """Load a file that was changed: it gives what it gave, or something finite, or it is refused by its name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = output(skulmfit.load(path))
        except (ValueError, TypeError) as error:
            assert str(path) in str(error) or "not finite" in str(error), f"not in words: {error!r}"
            return
    if same:
        np.testing.assert_array_equal(found, expected)


@few
@hypothesis.given(index=st.integers(0, 2), share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_changes_nothing_or_is_noticed(files, index, share, bit):
    folder, found = files
    data, expected = bytearray(found[index][0]), found[index][1]
    data[int(share * len(data))] ^= 1 << bit
    path = folder / "flipped.npz"
    path.write_bytes(data)
    is_right_or_refused(path, expected, same=True)


def leaves(code, path=()):
    """The places of all values in JSON."""
    items = code.items() if isinstance(code, dict) else enumerate(code) if isinstance(code, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))


ODD = st.sampled_from(
    [None, True, 0, -1, 7, 10**9, 10**30, 0.5, float("nan"), float("inf"), "", "x", "../x", [], {}, [[]], {"x": 1},
     {"path": "/nowhere"}, {"array": "array/0"}, {"array": "array/99"}, {"array": [[10**9], [1]]}, {"tuple": []}]
)  # fmt: skip


@few
@hypothesis.given(index=st.integers(0, 2), share=st.floats(0, 1, exclude_max=True), value=ODD)
def test_a_value_changed_in_a_file_is_noticed_or_harmless(files, index, share, value):
    folder, found = files
    data, expected = found[index]
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    meta = json.loads(np.load(io.BytesIO(parts["meta.npy"])).tobytes())
    places = list(leaves(meta["root"]))
    *way, last = places[int(share * len(places))]
    inside = meta["root"]
    for key in way:
        inside = inside[key]
    inside[last] = value
    changed = io.BytesIO()
    np.save(changed, np.frombuffer(json.dumps(meta).encode(), np.uint8))
    path = folder / "changed.npz"
    with zipfile.ZipFile(path, "w") as file:
        for name, part in (parts | {"meta.npy": changed.getvalue()}).items():
            file.writestr(name, part)
    is_right_or_refused(path, expected, same=False)
