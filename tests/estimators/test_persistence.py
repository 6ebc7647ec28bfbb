import copy
import io
import json
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from golden import FOLDER, output
from helpers import LABELS, TEXTS, TINY, small_classifier, small_lm
from joblib import Parallel, delayed
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

import skulmfit
from skulmfit import CLASSIFIER_RECIPES, LMFineTuner, ULMFiTClassifier, ULMFiTRegressor
from skulmfit.models import archive


def reloaded(estimator, folder):
    estimator.save(folder / "model.npz")
    return skulmfit.load(folder / "model.npz")


@pytest.fixture(scope="module")
def classifier():
    return small_classifier(class_weight={"good": 2.0}, early_stopping=True).fit(TEXTS, LABELS)


@pytest.fixture
def saved(classifier, tmp_path):
    path = tmp_path / "classifier.npz"
    classifier.save(path)
    return path


def edited(path, edit):
    """A copy of a file whose JSON or arrays were changed."""
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    meta = json.loads(arrays["meta"].tobytes())
    edit(meta, arrays)
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)
    return path


ESTIMATORS = {
    "features": lambda: LMFineTuner(**TINY, epochs=1, pooling="max").fit(TEXTS),
    "classifier": lambda: small_classifier().fit(TEXTS, LABELS),
    "several labels": lambda: small_classifier().fit(TEXTS, np.eye(3, dtype=int)[np.arange(24) % 3]),
    "regressor": lambda: ULMFiTRegressor(LMFineTuner(**TINY), epochs=1).fit(TEXTS, np.arange(24.0)),
    "several targets": lambda: ULMFiTRegressor(LMFineTuner(**TINY), epochs=1).fit(
        TEXTS, np.arange(48.0).reshape(24, 2)
    ),
    "both directions": lambda: ULMFiTClassifier(LMFineTuner(**TINY, direction="both"), epochs=1).fit(TEXTS, LABELS),
    "frozen": lambda: ULMFiTClassifier(FrozenEstimator(LMFineTuner(**TINY).fit(TEXTS)), epochs=1).fit(TEXTS, LABELS),
    "qrnn": lambda: LMFineTuner(**TINY, architecture="qrnn", epochs=1).fit(TEXTS),
    "own vocabulary": lambda: LMFineTuner(tokenizer="train", vocab_size=300, epochs=0).fit(TEXTS),
    "recipe": lambda: ULMFiTClassifier(LMFineTuner(**TINY), recipe="multifit", epochs=1).fit(TEXTS, LABELS),
    "own recipe": lambda: small_classifier(recipe=replace(CLASSIFIER_RECIPES["fastai"], clip=0.5)).fit(TEXTS, LABELS),
}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_loaded_estimator_is_the_one_that_was_saved(kind, tmp_path):
    estimator = ESTIMATORS[kind]()
    twin = reloaded(estimator, tmp_path)
    np.testing.assert_array_equal(output(twin), output(estimator))
    assert repr(twin) == repr(estimator)
    for name in ("history_", "stages_", "recipe_", "n_iter_", "vocab_size_", "vocab_transfer_"):
        assert getattr(twin, name, None) == getattr(estimator, name, None)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_loaded_estimator_has_every_attribute(kind, tmp_path):
    estimator = ESTIMATORS[kind]()
    assert set(vars(reloaded(estimator, tmp_path))) == {name for name in vars(estimator) if "callback" not in name}


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["a", "b"]), np.array(["a", "b"], dtype=object),
        np.array([3, 7], dtype=np.uint8), np.array([False, True]), np.array([0.0, 2.0]),
    ],
    ids=lambda classes: f"{classes.dtype.kind}-{classes.tolist()[0]}",
)  # fmt: skip
def test_labels_keep_their_type(classes, tmp_path):
    labels = classes[np.arange(24) % 2]
    estimator = small_classifier().fit(TEXTS, labels)
    twin = reloaded(estimator, tmp_path)
    assert twin.classes_.dtype == estimator.classes_.dtype
    np.testing.assert_array_equal(twin.predict(TEXTS), estimator.predict(TEXTS))


def test_a_loaded_estimator_can_be_fitted_again(saved, classifier):
    refitted = skulmfit.load(saved).fit(TEXTS, LABELS)
    np.testing.assert_array_equal(refitted.predict_proba(TEXTS), classifier.predict_proba(TEXTS))


def test_the_kind_of_output_is_kept(tmp_path):
    lm = LMFineTuner(**TINY, epochs=1).set_output(transform="pandas").fit(TEXTS)
    assert list(reloaded(lm, tmp_path).transform(TEXTS).columns) == list(lm.get_feature_names_out())


def test_another_process_predicts_the_same_and_unpickles_nothing(saved, classifier):
    script = (
        "import json, pickle, sys, numpy as np, skulmfit\n"
        "pickle.Unpickler = pickle.load = pickle.loads = None\n"
        "classifier = skulmfit.load(sys.argv[1])\n"
        "print(json.dumps(classifier.predict_proba(json.loads(sys.argv[2])).tolist()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(saved), json.dumps(TEXTS)], check=True, stdout=subprocess.PIPE, text=True
    )
    np.testing.assert_allclose(json.loads(run.stdout), classifier.predict_proba(TEXTS), rtol=1e-5)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.npz")), ids=lambda path: path.stem)
def test_files_of_earlier_releases_are_read_and_predict_what_they_did(path):
    expected = json.loads(path.with_suffix(".json").read_text())
    np.testing.assert_allclose(output(skulmfit.load(path)), expected, atol=1e-4)


def test_a_file_of_format_1_is_written_as_format_2(tmp_path):
    old = skulmfit.load(FOLDER / "directions-1.npz")
    new = reloaded(old, tmp_path)
    np.testing.assert_array_equal(output(new), output(old))
    assert [row["direction"] for row in new.history_] == [row["direction"] for row in old.history_]
    assert list(new.directions_) == ["forward", "backward"]


def test_an_unfitted_estimator_is_not_saved(tmp_path):
    with pytest.raises(NotFittedError):
        LMFineTuner().save(tmp_path / "lm.npz")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"random_state": np.random.RandomState(0)}, r"ULMFiTClassifier\.random_state=RandomState.*joblib\.dump"),
        ({"lm": LMFineTuner(**TINY, tokenizer=str.split)}, r"lm\.tokenizer=<method 'split'.*joblib\.dump"),
    ],
)
def test_what_only_code_can_describe_is_not_saved(params, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        small_classifier().set_params(**params).fit(TEXTS, LABELS).save(tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_file_names_no_folder_of_pickles(tmp_path):
    for memory in (str(tmp_path / "cache"), joblib.Memory(tmp_path / "cache", verbose=0)):
        assert reloaded(small_classifier(memory=memory).fit(TEXTS, LABELS), tmp_path).memory is None


def test_a_failed_save_leaves_the_file_that_was_there(saved, classifier, monkeypatch):
    before = saved.read_bytes()

    def fail(file, **arrays):
        file.write(b"half of it")
        raise OSError("the disk is full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="the disk is full"):
        classifier.save(saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_one_file_may_be_saved_from_several_threads(classifier, tmp_path):
    Parallel(n_jobs=4, backend="threading")(delayed(classifier.save)(tmp_path / "model.npz") for _ in range(20))
    assert skulmfit.load(tmp_path / "model.npz").n_iter_ == classifier.n_iter_


def newer(meta, arrays):
    meta["format"] = 99


def language_model(meta, arrays):
    meta["kind"] = "skulmfit language model"


def root(meta):
    return meta["root"]["estimator"]


def state(meta):
    return root(meta)["fitted"]["data"][1]


def model(meta):
    return state(meta)["models"]["tuple"][0]["data"][1]


def weights(meta):
    return model(meta)["weights"]["dict"]


def other_class(meta, arrays):
    root(meta)["name"] = "Popen"


def other_value(meta, arrays):
    root(meta)["params"]["memory"] = {"call": "os.system"}


def other_parameter(meta, arrays):
    root(meta)["params"]["predict"] = 1


def other_data(meta, arrays):
    root(meta)["fitted"]["data"][0] = "Popen"


def no_estimator(meta, arrays):
    meta["root"] = 7


def no_model(meta, arrays):
    state(meta)["models"]["tuple"].clear()


def lost_classes(meta, arrays):
    del state(meta)["targets"]["data"][1]["classes"]


def lost_weight(meta, arrays):
    weights(meta).pop()


def other_weight_name(meta, arrays):
    weights(meta)[0][0] = "encoder.something"


def other_shape(meta, arrays):
    arrays[weights(meta)[0][1]["array"]] = np.zeros((2, 2), np.float32)


def other_precision(meta, arrays):
    name = weights(meta)[0][1]["array"]
    arrays[name] = arrays[name].astype(np.float64)


def other_vocabulary(meta, arrays):
    model(meta)["architecture"]["data"][1]["vocab_size"] = 5


def other_outputs(meta, arrays):
    state(meta)["targets"]["data"][1]["classes"] = {"array": [[3], ["a", "b", "c"]]}


def other_targets(meta, arrays):
    state(meta)["targets"] = None


def other_type(meta, arrays):
    state(meta)["outcomes"]["tuple"][0]["data"][1]["history"] = 7


def second_outcome(meta, arrays):
    state(meta)["outcomes"]["tuple"] *= 2


def nan_weight(meta, arrays):
    arrays[weights(meta)[0][1]["array"]][:] = np.nan


def deep_network(meta, arrays):
    model(meta)["architecture"]["data"][1]["n_layers"] = 10**8


def odd_size(meta, arrays):
    model(meta)["architecture"]["data"][1]["hidden_dim"] = "12"


def unsorted_classes(meta, arrays):
    state(meta)["targets"]["data"][1]["classes"] = {"array": [[2], ["b", "a"]]}


def missing_class(meta, arrays):
    state(meta)["targets"]["data"][1]["classes"] = {"array": [[2], ["a", None]]}


def odd_class_weight(meta, arrays):
    arrays["array/odd"] = np.array([1.0, np.inf])
    state(meta)["targets"]["data"][1]["class_weights"] = {"array": "array/odd"}


def odd_parameter(meta, arrays):
    root(meta)["params"]["n_iter_no_change"] = "3"


def odd_output(meta, arrays):
    root(meta)["output"] = {"dict": [["transform", "shell"]]}


def odd_recipe(meta, arrays):
    state(meta)["recipe"]["data"][1]["learning_rate"] = -1.0


def same_direction_twice(meta, arrays):
    for part in ("models", "outcomes", "lm_outcomes", "vocab_transfers"):
        state(meta)[part]["tuple"] *= 2


def deep_json(meta, arrays):
    for _ in range(300):
        meta["root"] = [meta["root"]]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (nan_weight, "no finite numbers in encoder.embedding"),
        (deep_network, "100000000 layers, but"),
        (odd_size, "hidden_dim of Architecture is of type str"),
        (unsorted_classes, "classes that are not sorted"),
        (missing_class, "classes contains NaN or another missing value: row 1 is None"),
        (odd_class_weight, "class_weights of 2 targets"),
        (odd_parameter, "n_iter_no_change must be an instance of Integral"),
        (odd_output, "the output"),
        (odd_recipe, "learning_rate of a Recipe == -1.0"),
        (same_direction_twice, "two models that read forward and forward"),
        (deep_json, "a list"),
        (newer, "format 99; this version of skulmfit reads up to 2"),
        (language_model, "holds a 'skulmfit language model', not a 'skulmfit estimator'"),
        (no_estimator, "a int"),
        (other_class, "an estimator 'Popen'"),
        (other_value, r"a value of an unknown kind, with \['call'\]"),
        (other_parameter, "ULMFiTClassifier with the parameters predict"),
        (other_data, "Popen"),
        (no_model, "ULMFiTClassifier without its models"),
        (lost_classes, "classes"),
        (lost_weight, "does not fit its own architecture"),
        (other_weight_name, r"does not fit its own architecture.*encoder\.something"),
        (other_shape, "does not fit its own architecture"),
        (other_precision, "weights that are not float32: encoder.embedding"),
        (other_vocabulary, "pieces, but 5 embeddings"),
        (other_outputs, "2 outputs, but 3 targets"),
        (other_targets, "targets of SupervisedState is of type NoneType"),
        (other_type, "history of Outcome is of type int"),
        (second_outcome, "1 models, but another number of what belongs to each"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(saved, edit, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        skulmfit.load(edited(saved, edit))


@contextmanager
def little_memory(megabytes=64):
    """No more than some memory beside what this process has."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < megabytes << 20
    finally:
        tracemalloc.stop()


def test_an_array_that_nothing_names_is_not_read(saved):
    with np.load(saved) as file:
        arrays = dict(file)
    np.savez_compressed(saved, **arrays, zeros=np.zeros(100 << 20, np.int8))
    with little_memory():
        skulmfit.load(saved)


@pytest.mark.parametrize("name", ["meta", "array/0"])
def test_a_small_file_does_not_fill_the_memory(saved, name):
    with np.load(saved) as file:
        arrays = dict(file)
    arrays[name] = np.full(200 << 20, ord("["), np.uint8)
    np.savez_compressed(saved, **arrays)
    with little_memory(), pytest.raises(ValueError, match=r"bytes of JSON|larger than a file of this size can hold"):
        skulmfit.load(saved)


def test_a_header_does_not_claim_more_than_there_is(saved):
    with np.load(saved) as file:
        arrays = dict(file)
    np.savez(saved, **{name: array for name, array in arrays.items() if name != "array/0"})
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(saved, "a") as file:
        file.writestr("array/0.npy", header.getvalue())
    with little_memory(), pytest.raises(ValueError, match="larger than a file of this size can hold"):
        skulmfit.load(saved)


def test_more_names_than_a_file_may_have_are_not_saved(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_MAX_META", 1000)
    with pytest.raises(ValueError, match="bytes of names and labels are too many for a file"):
        classifier.save(tmp_path / "model.npz")


def test_a_file_with_a_pickle_in_it_is_refused_unread(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return Path.touch, (tmp_path / "exploded",)

    with np.load(saved) as file:
        arrays = dict(file)
    first = next(name for name in arrays if name.startswith("array/"))
    arrays[first] = np.array([Bomb()], dtype=object)
    np.savez(saved, allow_pickle=True, **arrays)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        skulmfit.load(saved)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is not a skulmfit estimator, or is damaged"):
        skulmfit.load(tmp_path / "model.npz")


def test_a_pickle_is_named_with_who_can_read_it(classifier, tmp_path):
    joblib.dump(classifier, tmp_path / "model.joblib")
    with pytest.raises(ValueError, match=r"model.joblib' is not a skulmfit estimator.*joblib.load\(path\)") as error:
        skulmfit.load(tmp_path / "model.joblib")
    assert "allow_pickle" not in str(error.value)


def test_a_folder_is_named_as_one(tmp_path):
    with pytest.raises(ValueError, match="is a folder, not the file of a skulmfit estimator"):
        skulmfit.load(tmp_path)


def test_a_missing_file_is_one():
    with pytest.raises(FileNotFoundError):
        skulmfit.load("nowhere.npz")


@pytest.mark.parametrize(("parameter", "default"), [("device", "auto"), ("memory", None), ("checkpoint", None)])
def test_what_a_file_says_of_this_machine_is_not_taken_over(saved, parameter, default, tmp_path):
    def name(meta, arrays):
        root(meta)["params"][parameter] = str(tmp_path / "cache") if default is None else "cuda:7"

    classifier = skulmfit.load(edited(saved, name))
    assert getattr(classifier, parameter) == default
    classifier.fit(TEXTS, LABELS).predict(TEXTS)
    assert not (tmp_path / "cache").exists()


def test_a_file_does_not_say_where_an_estimator_computed(tmp_path):
    estimator = small_classifier(small_lm(device="cpu"), device="cpu").fit(TEXTS, LABELS)
    assert reloaded(estimator, tmp_path).get_params()["lm__device"] == "auto"


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def through_skops(estimator, folder):
    io = pytest.importorskip("skops.io", reason="skops is not installed")
    data = io.dumps(estimator)
    names = io.get_untrusted_types(data=data)
    assert all(name.startswith("skulmfit.") for name in names)
    return io.loads(data, trusted=names)


WAYS = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "joblib": through_joblib,
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
    "skops": through_skops,
}


@pytest.mark.parametrize("way", WAYS)
def test_other_ways_of_keeping_an_estimator_work_too(classifier, tmp_path, way):
    twin = WAYS[way](classifier, tmp_path)
    np.testing.assert_array_equal(twin.predict_proba(TEXTS), classifier.predict_proba(TEXTS))


def probabilities(path):
    return joblib.load(path, mmap_mode="r").predict_proba(TEXTS)


def test_several_processes_load_one_memory_mapped_file(classifier, tmp_path):
    joblib.dump(classifier, tmp_path / "model.joblib")
    for result in Parallel(n_jobs=2)(delayed(probabilities)(tmp_path / "model.joblib") for _ in range(2)):
        np.testing.assert_allclose(result, classifier.predict_proba(TEXTS), rtol=1e-5)
