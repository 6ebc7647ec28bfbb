"""The examples of the documentation, run as they stand there, in the order of their page."""

import contextlib
import doctest
import io
import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers import TEXTS, TINY

import skulmfit
from skulmfit import LMFineTuner

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
ELSEWHERE = {"with-other-libraries.md"}  # tests/test_other_libraries.py runs each section where its library is
# A block, the reason in a comment before it why it is not run, and what the block prints, if a block of text follows.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n+)?^```python\n(?P<code>.*?)^```\n"
    r"(?:\n*```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)
IMPORT = re.compile(r"^(?:>>> |\.\.\. )?(?:from|import) (\w+)", re.MULTILINE)


def named(path):
    return str(path.relative_to(ROOT))


def blocks(page):
    return [block for block in BLOCK.finditer(page.read_text()) if not block["reason"]]


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page) and page.name not in ELSEWHERE], ids=named)
def test_the_python_of_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import_or_skip("\n".join(block["code"] for block in blocks(page)))
    names = {"__name__": page.stem}
    for block in blocks(page):
        line = page.read_text().count("\n", 0, block.start("code"))
        code = compile("\n" * line + block["code"], page, "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        if block["output"] is not None:
            assert printed.getvalue() == block["output"]


@pytest.mark.parametrize("page", [page for page in PAGES if "\n>>> " in page.read_text()], ids=named)
def test_the_examples_of_a_page_give_what_they_say(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    import_or_skip(page.read_text())
    failed, n_examples = doctest.testfile(str(page), module_relative=False)
    assert failed == 0 < n_examples


def import_or_skip(code):
    for name in sorted(set(IMPORT.findall(code))):
        pytest.importorskip(name, reason=f"{name} is not installed")


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text):
            assert (page.parent / target).exists(), f"{named(page)}: {target}"


def test_the_architecture_page_names_every_file():
    page, package = (ROOT / "docs" / "architecture.md").read_text(), Path(skulmfit.__file__).parent
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
