"""The examples with other libraries, each section of the page where its library is installed."""

import importlib
import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "guide" / "with-other-libraries.md"
START, *SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
IMPORT = re.compile(r"^(?:from|import) (\w+)", re.MULTILINE)


def blocks(text):
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_an_example_with_another_library_runs(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other library, of which there are many
        for block in blocks(section):
            for name in IMPORT.findall(block):
                try:
                    importlib.import_module(name)
                except ImportError:
                    pytest.skip(f"{name} is not installed")
        names = {"__name__": "page"}
        for block in [*blocks(START), *blocks(section)]:
            exec(compile(block, str(PAGE), "exec"), names)
