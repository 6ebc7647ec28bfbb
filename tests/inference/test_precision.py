"""`precision="bfloat16"` changes how an encoder reads, a little, and nothing else."""

import numpy as np
import pytest
from helpers import LABELS, TEXTS, small_classifier
from sklearn.base import clone

from skulmfit.nn import runtime


@pytest.fixture(params=[True, False], ids=["a processor with bfloat16", "one without"])
def has_bfloat16(request, monkeypatch):
    monkeypatch.setattr(runtime, "_has_fast_bfloat16", lambda device: request.param)
    return request.param


def test_bfloat16_is_near_float32_where_the_processor_has_it_and_else_the_same(has_bfloat16, tiny_lm):
    exact = tiny_lm.transform(TEXTS)
    low = clone(tiny_lm).set_params(precision="bfloat16")
    low._fitted = tiny_lm._fitted
    found = low.transform(TEXTS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, atol=0.03)
    assert np.array_equal(found, exact) != has_bfloat16


def test_the_precision_of_reading_does_not_change_a_fit(tiny_classifier):
    fitted = [small_classifier(precision=precision).fit(TEXTS, LABELS) for precision in ("float32", "bfloat16")]
    fitted[1].precision = "float32"
    np.testing.assert_array_equal(*(model.predict_proba(TEXTS) for model in fitted))


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match="precision='float16' is not one of 'float32', 'bfloat16'"):
        small_classifier(precision="float16").fit(TEXTS, LABELS)
