"""The examples of the documentation, run as they stand there."""

import doctest
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import TEXTS, TINY

import skulmfit
from skulmfit import LMFineTuner

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize(
    ("page", "needs"),
    [
        ("scikit-learn.md", ()),
        ("recipes.md", ()),
        ("inspection.md", ("pandas",)),
        ("sentence-vectors.md", ()),
        ("large-inputs.md", ("pandas", "polars")),
    ],
)
def test_the_examples_of_a_page_give_what_they_say(page, needs):
    for name in needs:
        pytest.importorskip(name, reason=f"{name} is not installed")
    failed, n_examples = doctest.testfile(str(DOCS / page), module_relative=False)
    assert failed == 0 < n_examples


def test_the_architecture_page_names_every_file():
    page, package = (DOCS / "architecture.md").read_text(), Path(skulmfit.__file__).parent
    names = {path.name for path in package.rglob("*.py") if not path.name.startswith("__")}
    assert [name for name in sorted(names) if name not in page] == []


def test_the_dask_backend_scores_in_parallel():
    distributed = pytest.importorskip("dask.distributed", reason="dask is not installed")
    lm = LMFineTuner(**TINY, epochs=1).fit(TEXTS)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        parts = joblib.Parallel()(joblib.delayed(lm.transform)(TEXTS[start : start + 8]) for start in (0, 8, 16))
    np.testing.assert_allclose(np.concatenate(parts), lm.transform(TEXTS), rtol=1e-4, atol=1e-5)
