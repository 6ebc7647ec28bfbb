import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import TEXTS

import skulmfit
from skulmfit import LMFineTuner
from skulmfit.models.card import render, training_runs
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.registry import available_models, load_pretrained
from skulmfit.models.sentence_map import SentenceMap


@pytest.fixture
def saved(tmp_path, tiny_lm):
    path = tmp_path / "lm.npz"
    tiny_lm.language_model().save(path, dtype=np.float32)
    return path


def rewrite(path, **changes):
    """Write the file again with some arrays replaced, or left out where None."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files} | changes
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_a_saved_model_comes_back_bit_for_bit(saved, tiny_lm):
    loaded, original = LanguageModel.load(saved), tiny_lm.language_model()
    assert loaded.architecture == original.architecture
    assert loaded.tokenizer.model == original.tokenizer.model
    for name, array in original.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], array)


def test_float16_changes_features_by_rounding_only(tmp_path, tiny_lm):
    path = tmp_path / "half.npz"
    tiny_lm.language_model().save(path)
    half = LMFineTuner(path, epochs=0).fit(TEXTS).transform(TEXTS)
    np.testing.assert_allclose(half, tiny_lm.transform(TEXTS), atol=0.01)


def test_int8_moves_no_weight_by_more_than_half_a_step_of_its_row(tmp_path, tiny_lm):
    path, original = tmp_path / "bytes.npz", tiny_lm.language_model()
    original.save(path, dtype=np.int8)
    loaded = LanguageModel.load(path)
    for name, array in original.weights.items():
        step = np.abs(array).max(axis=-1, keepdims=True) / 127 if array.ndim == 2 else 0.0
        assert (np.abs(loaded.weights[name] - array) <= step / 2 + 1e-7).all()
        assert loaded.weights[name].dtype == np.float32
    with np.load(path) as file:
        assert {file[name].dtype for name in file.files if file[name].ndim == 2} == {np.dtype(np.int8)}


def test_fewer_levels_make_a_smaller_file_and_coarser_weights(tmp_path, tiny_lm):
    original, errors, sizes = tiny_lm.language_model(), [], []
    for levels in (7, 31, 127):
        original.save(tmp_path / "bytes.npz", dtype=np.int8, levels=levels)
        sizes.append((tmp_path / "bytes.npz").stat().st_size)
        difference = (
            LanguageModel.load(tmp_path / "bytes.npz").weights["encoder.embedding"]
            - original.weights["encoder.embedding"]
        )
        errors.append(np.abs(difference).max())
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    assert sizes == sorted(sizes)


def test_int8_keeps_a_row_of_zeros(tmp_path, tiny_lm):
    original = tiny_lm.language_model()
    original.weights["encoder.embedding"][3] = 0
    original.save(tmp_path / "bytes.npz", dtype=np.int8)
    assert not LanguageModel.load(tmp_path / "bytes.npz").weights["encoder.embedding"][3].any()


def with_sentence_map(tiny_lm, n_dimensions=5):
    data, rng = tiny_lm.language_model(), np.random.default_rng(0)
    width = 3 * data.architecture.embedding_dim
    weight, bias = rng.normal(size=(n_dimensions, width)), rng.normal(size=n_dimensions)
    return replace(data, sentence_map=SentenceMap(weight.astype(np.float32), bias.astype(np.float32)))


def test_a_sentence_map_is_kept_and_gives_vectors_of_length_one(tmp_path, tiny_lm):
    data = with_sentence_map(tiny_lm)
    data.save(tmp_path / "lm.npz", dtype=np.float32)
    pooled = tiny_lm.transform(TEXTS)
    found = LMFineTuner(tmp_path / "lm.npz", epochs=0, features="sentence").fit(TEXTS).transform(TEXTS)
    expected = [data.sentence_map.weight @ row + data.sentence_map.bias for row in pooled]
    expected = [vector / np.sqrt((vector**2).sum()) for vector in expected]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_sentence_map_of_another_width_is_refused(tmp_path, tiny_lm):
    data = with_sentence_map(tiny_lm)
    data.save(tmp_path / "lm.npz", dtype=np.float32)
    rewrite(tmp_path / "lm.npz", **{"sentence/weight": data.sentence_map.weight[:, :-1]})
    with pytest.raises(ValueError, match=r"does not fit its own architecture.*sentence map"):
        LanguageModel.load(tmp_path / "lm.npz")


def test_a_file_that_is_not_ours_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    path.write_text("hello")
    with pytest.raises(ValueError, match=r"other\.npz' is not a skulmfit language model"):
        LanguageModel.load(path)
    np.savez(path, something=np.ones(3))
    with pytest.raises(ValueError, match="is not a skulmfit language model"):
        LanguageModel.load(path)


def test_a_damaged_file_is_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-2000])
    with pytest.raises(ValueError, match="damaged"):
        LanguageModel.load(saved)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_byte_is_refused_or_harmless(saved, tiny_lm, seed):
    content = bytearray(saved.read_bytes())
    position = int(np.random.default_rng(seed).integers(len(content)))
    content[position] ^= 0xFF
    saved.write_bytes(content)
    try:
        loaded = LanguageModel.load(saved)
    except ValueError as error:
        assert "lm.npz" in str(error)
    else:
        for name, array in tiny_lm.language_model().weights.items():
            np.testing.assert_array_equal(loaded.weights[name], array)


def test_pickled_objects_are_refused(saved):
    rewrite(saved, meta=np.array([{"kind": "skulmfit language model"}], dtype=object))
    with pytest.raises(ValueError, match="is not a skulmfit language model"):
        LanguageModel.load(saved)


def test_a_newer_format_asks_for_an_upgrade(saved):
    with np.load(saved) as file:
        meta = json.loads(file["meta"].tobytes()) | {"format": 99}
    rewrite(saved, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8))
    with pytest.raises(ValueError, match=r"format 99.*Upgrade"):
        LanguageModel.load(saved)


@pytest.mark.parametrize("array", [None, np.ones((3, 3), np.float32)], ids=["missing", "wrong shape"])
def test_weights_that_do_not_fit_the_architecture_are_refused(saved, array):
    rewrite(saved, **{"weight/encoder.layers.0.weight_ih": array})
    with pytest.raises(ValueError, match=r"does not fit its own architecture.*weight_ih"):
        LanguageModel.load(saved)


def edit_meta(path, edit):
    with np.load(path) as file:
        meta = json.loads(file["meta"].tobytes())
    edit(meta)
    rewrite(path, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8))


@pytest.mark.parametrize("name", ["vocab_size", "embedding_dim", "hidden_dim", "n_layers", "embedding_scale", "kind"])
@pytest.mark.parametrize("value", [None, "x", [1], {}, True, -1, 0, 1e300, 10**30, float("nan")])
def test_an_architecture_of_other_types_or_sizes_is_refused(saved, name, value):
    if name == "embedding_scale" and value in (1e300, 10**30):
        pytest.skip("is a scale")
    edit_meta(saved, lambda meta: meta["architecture"].update({name: value}))
    with pytest.raises(ValueError, match=r"lm.npz' is not a skulmfit language model, or is damaged"):
        LanguageModel.load(saved)


@pytest.mark.parametrize("n_layers", [3, 10**8])
def test_a_number_of_layers_is_held_against_the_arrays_before_any_is_built(saved, n_layers):
    edit_meta(saved, lambda meta: meta["architecture"].update(n_layers=n_layers))
    with pytest.raises(ValueError, match="does not fit its own architecture"):
        LanguageModel.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokenizer": np.empty(0, np.uint8)}, "not a SentencePiece model"),
        ({"tokenizer": np.frombuffer(b"{}", np.uint8)}, "words"),
        ({"weight/decoder_bias": np.full(305, np.nan, np.float32)}, "no finite numbers in decoder_bias"),
        ({"weight/decoder_bias": np.full(305, np.inf, np.float16)}, "no finite numbers in decoder_bias"),
        ({"weight/decoder_bias": np.full(305, 1e300)}, "no finite numbers in decoder_bias"),
        ({"weight/decoder_bias": np.full(305, 1j)}, "of type complex128"),
        ({"weight/decoder_bias": np.full(305, "1")}, "of type <U1"),
        ({"weight/decoder_bias": np.full(305, 1, np.int8)}, "of type int8, without steps"),
        ({"step/weight/decoder_bias": np.ones(1, np.float32)}, "of type float32, with steps"),
        ({"sentence/weight": np.ones((2, 24), np.float32)}, "sentence/bias"),
        (
            {"sentence/weight": np.ones((2, 23), np.float32), "sentence/bias": np.ones(2, np.float32)},
            r"a sentence map of shape \(2, 23\), not \(2, 24\)",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arrays_that_are_not_what_they_should_be_are_refused(saved, changes, message):
    with np.load(saved) as file:
        n_pieces = len(file["weight/decoder_bias"])
    changes = {name: np.resize(array, n_pieces) if len(array) == 305 else array for name, array in changes.items()}
    rewrite(saved, **changes)
    with pytest.raises(ValueError, match=message):
        LanguageModel.load(saved)


def test_an_array_that_nothing_names_is_not_read(saved):
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    np.savez_compressed(saved, **arrays, zeros=np.zeros(100 << 20, np.int8))
    tracemalloc.start()
    LanguageModel.load(saved)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()


def test_weights_too_large_for_a_type_are_not_saved_in_it(tmp_path, tiny_lm):
    model = tiny_lm.language_model()
    model.weights["decoder_bias"][0] = 1e6
    with pytest.raises(ValueError, match="the model in float16 has values that are no finite numbers in weight/dec"):
        model.save(tmp_path / "half.npz")
    model.save(tmp_path / "single.npz", dtype=np.float32)
    assert LanguageModel.load(tmp_path / "single.npz").weights["decoder_bias"][0] == 1e6


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"pretrained='klingon' is neither a shipped language model \(.*en.*\)"):
        load_pretrained("klingon")


@pytest.mark.parametrize("name", ["en", "en-backward", "en-lm"])
def test_an_english_language_model_is_in_the_package(name):
    assert name in available_models()
    data = load_pretrained(name)
    assert len(data.tokenizer) == data.architecture.vocab_size >= 12_000
    assert sum(run["tokens_seen"] for run in training_runs(data.card)) >= 40_000_000
    assert (data.sentence_map is None) == (name == "en-lm")


@pytest.mark.parametrize("name", ["en", "en-backward", "en-lm"])
def test_the_card_in_the_package_shows_the_figures_of_its_model(name):
    path = Path(skulmfit.__file__).parent / "pretrained" / f"{name}.npz"
    shown = path.with_suffix(".md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in render(load_pretrained(name), path).splitlines() if not line.startswith("| data")]
    assert [line for line in rows if line not in shown] == []


def test_both_directions_ship():
    both = LMFineTuner(direction="both", epochs=0, features="sentence").fit(["-"])
    vectors = both.transform(["How do I reset my password?", "I cannot log in any more.", "The soup was cold."])
    backward = vectors[:, vectors.shape[1] // 2 :]
    assert backward[0] @ backward[1] > 0.1 + max(backward[0] @ backward[2], backward[1] @ backward[2])


def test_the_sentence_vectors_of_the_shipped_model_know_what_texts_are_about():
    texts = ["How do I reset my password?", "I cannot log in any more.", "The soup was cold.", "Our meal was awful."]
    vectors = LMFineTuner("en", epochs=0, features="sentence").fit(["-"]).transform(texts)
    cosines = vectors @ vectors.T
    assert min(cosines[0, 1], cosines[2, 3]) > max(cosines[0, 2], cosines[0, 3], cosines[1, 2], cosines[1, 3]) + 0.1


def test_the_shipped_model_knows_english():
    lm = LMFineTuner("en", epochs=0).fit(["-"])
    english = "The city was founded in the 18th century and is the largest in the region."
    shuffled = " ".join(sorted(english.split()))
    assert lm.perplexity([english]) < 100 < lm.perplexity([shuffled])
