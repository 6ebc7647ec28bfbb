"""What the scripts in benchmarks/ share."""

import sys
from pathlib import Path

import numpy as np
from sklearn.base import clone


def test_a_measurement_goes_on_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[1] / "benchmarks"), *sys.path])
    from json_lines import JSONLines

    path = tmp_path / "fits.jsonl"
    JSONLines(path).append({"set": "mr", "draw": 0, "accuracy": 71.0})
    fits = JSONLines(path)
    assert fits.has(set="mr", draw=0)
    assert not fits.has(set="mr", draw=1)
    fits.append({"set": "mr", "draw": 1, "accuracy": 72.0})
    assert [row["accuracy"] for row in JSONLines(path).rows] == [71.0, 72.0]


def test_without_a_file_rows_are_kept_in_memory(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[1] / "benchmarks"), *sys.path])
    from json_lines import JSONLines

    fits = JSONLines(None)
    fits.append({"draw": 0})
    assert fits.has(draw=0)


def test_a_text_is_read_once_in_all_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parents[1] / "benchmarks"), *sys.path])
    from vectors import Vectors

    monkeypatch.setattr(Vectors, "folder", tmp_path / "vectors")
    read = []

    class Lengths:
        def transform(self, texts):
            read.extend(texts)
            return np.array([[float(len(text))] for text in texts])

    for _ in range(2):  # runs
        vectors = Vectors("lengths", Lengths)
        assert vectors.transform(["a", "bb", "a"]).tolist() == [[1.0], [2.0], [1.0]]
        assert clone(vectors).transform(["bb"]).tolist() == [[2.0]]
    assert read == ["a", "bb"]
