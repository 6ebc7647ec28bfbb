"""What may know what: folders import downwards, files in no circle, and what is public is written down here."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import skulmfit
from skulmfit import inspection, interop

ROOT = Path(skulmfit.__file__).parent
FILES = {".".join(("skulmfit", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}
LEVELS = [{"text", "nn"}, {"models"}, {"inference"}, {"training"}, {"estimators", "pretraining"}, {"inspection"}]
SHARED = {"version", "versions", "extras", "tables"}  # know nothing of the package
MAY_IMPORT = {folder: set().union(*LEVELS[:level]) for level, folders in enumerate(LEVELS) for folder in folders}


def imports(path):
    """Modules of the package that a file imports, wherever in it."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    names = {(node.module, alias.name) for node in nodes for alias in node.names if node.module.startswith("skulmfit")}
    return {f"{module}.{name}" if f"{module}.{name}" in FILES else module for module, name in names}


def test_folders_import_downwards_only():
    for name, path in FILES.items():
        folder = name.split(".")[1]
        others = {module.split(".")[1] for module in imports(path)} - {folder} - SHARED
        assert others <= MAY_IMPORT.get(folder, set(MAY_IMPORT)), name


def test_no_file_is_in_a_circle_of_imports():
    assert list(TopologicalSorter({name: imports(path) for name, path in FILES.items()}).static_order())


def test_there_are_few_folders_and_no_two_files_of_one_name():
    packages = {name.removesuffix(".__init__") for name in FILES if name.endswith("__init__")}
    assert packages == {"skulmfit", *(f"skulmfit.{name}" for name in MAY_IMPORT), "skulmfit.pretraining.teaching"}
    assert len(packages) <= 10
    assert len(LEVELS) + 1 <= 7
    names = [path.name for path in FILES.values() if not path.name.startswith("__")]
    assert len(names) == len(set(names))


def test_every_folder_says_what_it_knows():
    for name, path in FILES.items():
        assert not name.endswith("__init__") or ast.get_docstring(ast.parse(path.read_text())), name


def test_the_public_names():
    assert skulmfit.__all__ == [
        "CLASSIFIER_RECIPES", "LANGUAGE_MODEL_RECIPES", "EpochsForUpdates", "LMFineTuner", "LanguageModel", "Phase",
        "Recipe", "ULMFiTClassifier", "ULMFiTRegressor", "__version__", "available_models", "load",
        "show_versions",
    ]  # fmt: skip
    assert all(hasattr(skulmfit, name) for name in skulmfit.__all__)
    assert inspection.__all__ == [
        "Explanation", "Explanations", "LabelCurveDisplay", "LearningRateDisplay", "Mistakes", "PhraseCheck",
        "TrainingCurveDisplay", "check_phrases", "most_wrong",
    ]  # fmt: skip
    assert interop.__all__ == ["load_fastai"]
