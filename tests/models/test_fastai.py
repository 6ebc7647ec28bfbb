import collections
import io
import pickle
import tarfile

import numpy as np
import pytest
import sentencepiece
import torch
from helpers import TEXTS
from references import numpy_lstm, numpy_qrnn

from skulmfit import LMFineTuner
from skulmfit.interop import load_fastai
from skulmfit.text.rules import apply_rules

WORDS = [
    "xxunk",
    "xxpad",
    "xxbos",
    "xxeos",
    "xxfld",
    "xxrep",
    "xxwrep",
    "xxup",
    "xxmaj",
    "a",
    "film",
    "fine",
    "dull",
    ".",
]
V, E, H = len(WORDS), 6, 8
rng = np.random.default_rng(0)


def tensor(*shape):
    return torch.from_numpy(rng.normal(0, 0.3, shape).astype(np.float32))


def v2(n_rows=V):
    """A language model of fastai v2 with three layers."""
    embedding = tensor(n_rows, E)
    state = {"0.encoder.weight": embedding, "0.encoder_dp.emb.weight": embedding}
    for index, (into, out) in enumerate([(E, H), (H, H), (H, E)]):
        state |= {
            f"0.rnns.{index}.weight_hh_l0_raw": tensor(4 * out, out),
            f"0.rnns.{index}.module.weight_ih_l0": tensor(4 * out, into),
            f"0.rnns.{index}.module.bias_ih_l0": tensor(4 * out),
            f"0.rnns.{index}.module.bias_hh_l0": tensor(4 * out),
        }
    return state | {"1.decoder.weight": embedding, "1.decoder.bias": tensor(n_rows)}


def v1():
    """The same with a copy of the dropped weights, which must not be taken."""
    state = v2()
    return state | {
        f"0.rnns.{index}.module.weight_hh_l0": 0 * state[f"0.rnns.{index}.weight_hh_l0_raw"] for index in range(3)
    }


def v07():
    """Other names, and no bias of the decoder."""
    names = {"encoder_dp.emb": "encoder_with_dropout.embed", ".weight_hh_l0_raw": ".module.weight_hh_l0_raw"}
    state = v2()
    for old, new in names.items():
        state = {name.replace(old, new): value for name, value in state.items()}
    del state["1.decoder.bias"]
    return state


def encoder_only():
    return {name.removeprefix("0."): value for name, value in v2().items() if name.startswith("0.")}


def classifier():
    state = {name.replace("0.", "0.module.", 1): value for name, value in v2().items() if name.startswith("0.")}
    return state | {"1.layers.0.0.weight": tensor(3 * E), "1.layers.0.2.weight": tensor(50, 3 * E)}


def v1_encoder():
    """An encoder of fastai v1 that was saved without the raw weights, as it is at prediction."""
    return {name.replace(".weight_hh_l0_raw", ".module.weight_hh_l0"): value for name, value in encoder_only().items()}


def v07_encoder():
    return {name.removeprefix("0."): value for name, value in v07().items() if name.startswith("0.")}


def v1_classifier():
    """The head of fastai v1 stands in one flat list of layers."""
    state = classifier()
    return {name.replace("1.layers.0.", "1.layers."): value for name, value in state.items()}


def qrnn_encoder():
    """MultiFiT's `enc_best.pth`."""
    return {name.removeprefix("0."): value for name, value in qrnn().items() if name.startswith("0.")}


def qrnn_classifier():
    """MultiFiT's `cls_best.pth`."""
    state = {name.replace("0.", "0.module.", 1): value for name, value in qrnn().items() if name.startswith("0.")}
    return state | {"1.layers.0.weight": tensor(3 * E), "1.layers.2.weight": tensor(50, 3 * E)}


def qrnn(folder="linear"):
    """MultiFiT's four layers, the first with a window of 2."""
    embedding = tensor(V, E)
    state = {"0.encoder.weight": embedding, "0.encoder_dp.emb.weight": embedding}
    for index, (into, out) in enumerate([(2 * E, H), (H, H), (H, H), (H, E)]):
        weight = tensor(3 * out, into)
        state |= {
            f"0.rnns.{index}.{folder}.weight_raw": weight,
            f"0.rnns.{index}.{folder}.module.weight": 0 * weight,
            f"0.rnns.{index}.{folder}.module.bias": tensor(3 * out),
        }
    return state | {"1.decoder.weight": embedding, "1.decoder.bias": tensor(V)}


def stored(tmp_path, state, words=WORDS, **options):
    torch.save(state, tmp_path / "lm.pth", **options)
    (tmp_path / "itos.pkl").write_bytes(pickle.dumps(words))
    return tmp_path / "lm.pth", tmp_path / "itos.pkl"


def logits(data, ids):
    model = data.build().eval()
    encoded = model(torch.tensor(np.array([ids])), model.encoder.initial_state(1))
    return (encoded.output[0] @ model.encoder.embedding.T + model.decoder_bias).detach().numpy()


class Plain:
    """A layer of the reference: arrays by the names that it reads."""

    def __init__(self, hidden_dim, **arrays):
        self.hidden_dim = hidden_dim
        vars(self).update(arrays)


def expected(state, ids):
    """Logits of an LSTM language model in numpy, from tensors as fastai v2 calls them."""
    x = state["0.encoder.weight"].double().numpy()[ids]
    for index in range(3):
        names = {"weight_ih": "module.weight_ih_l0", "weight_hh": "weight_hh_l0_raw"}
        names |= {"bias_ih": "module.bias_ih_l0", "bias_hh": "module.bias_hh_l0"}
        arrays = {ours: state[f"0.rnns.{index}.{theirs}"] for ours, theirs in names.items()}
        x = numpy_lstm(Plain(arrays["weight_hh"].shape[1], **arrays), x)
    return x @ state["0.encoder.weight"].numpy().T + state["1.decoder.bias"].numpy()


IDS = [2, 8, 9, 11, 10, 13]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "bare"])
def test_a_language_model_of_fastai_v2_gives_its_logits(tmp_path, zipped, wrapped):
    state = v2()
    saved = {"model": state} if wrapped else state
    data = load_fastai(*stored(tmp_path, saved, _use_new_zipfile_serialization=zipped))
    np.testing.assert_allclose(logits(data, IDS), expected(state, IDS), atol=1e-5)


def test_the_copies_of_fastai_v1_are_not_taken(tmp_path):
    state = v1()
    np.testing.assert_allclose(logits(load_fastai(*stored(tmp_path, state)), IDS), expected(state, IDS), atol=1e-5)


def test_fastai_07_has_other_names_and_no_bias(tmp_path):
    state, words = v07(), ["_unk_", "_pad_", "xbos", "do", "n't", "t_up", *WORDS[6:]]
    renamed = {name.replace("module.weight_hh_l0_raw", "weight_hh_l0_raw"): value for name, value in state.items()} | {
        "1.decoder.bias": torch.zeros(V)
    }
    data = load_fastai(*stored(tmp_path, state, words))
    np.testing.assert_allclose(logits(data, IDS), expected(renamed, IDS), atol=1e-5)
    assert list(data.tokenizer.encode(["Don't"])[0]) == [2, 8, 3, 4]
    data = load_fastai(*stored(tmp_path, state, [word if word != "xxmaj" else "other" for word in words]))
    assert list(data.tokenizer.encode(["Don't"])[0]) == [2, 3, 4]  # it knew no marker of capitals


def test_repetitions_that_a_vocabulary_has_no_marker_for_stay_as_they_are(tmp_path):
    data = load_fastai(*stored(tmp_path, v2(), ["other" if word == "xxrep" else word for word in WORDS]))
    ids = data.tokenizer.encode(["A filmmm... a a a."])[0]
    assert [WORDS[index] for index in ids[1:]] == ["a", "xxunk", "xxunk", "xxwrep", "xxunk", "a", "."]


@pytest.mark.parametrize("layout", [encoder_only, classifier, v1_encoder, v1_classifier, v07_encoder])
def test_of_encoders_and_classifiers_the_encoder_is_taken(tmp_path, layout):
    state = layout()
    as_v2 = {"0." + name.removeprefix("0.module."): value for name, value in state.items()} | {
        "1.decoder.bias": torch.zeros(V)
    }
    raw = {name.replace(".module.weight_hh_l0", ".weight_hh_l0").removesuffix("_raw") + "_raw": value
           for name, value in as_v2.items() if "weight_hh" in name}  # fmt: skip
    data = load_fastai(*stored(tmp_path, state))
    np.testing.assert_allclose(logits(data, IDS), expected(as_v2 | raw, IDS), atol=1e-5)


def expected_of_qrnn(state, ids, folder="linear"):
    """Logits of MultiFiT's language model in numpy."""
    x = state["0.encoder.weight"].numpy()[ids]
    for index in range(4):
        weight, bias = (state[f"0.rnns.{index}.{folder}.{name}"] for name in ("weight_raw", "module.bias"))
        layer = Plain(len(bias) // 3, weight=weight, bias=bias, window=1 if index else 2)
        x = numpy_qrnn(layer, x, np.zeros(layer.hidden_dim), np.zeros(x.shape[1]))[0]
    return x @ state["0.encoder.weight"].numpy().T + state["1.decoder.bias"].numpy()


@pytest.mark.parametrize("folder", ["linear", "layers.0.linear"], ids=["old", "new"])
def test_multifits_qrnn_gives_its_logits(tmp_path, folder):
    state = qrnn(folder)
    data = load_fastai(*stored(tmp_path, state))
    np.testing.assert_allclose(logits(data, IDS), expected_of_qrnn(state, IDS, folder), atol=1e-5)


@pytest.mark.parametrize("layout", [qrnn_encoder, qrnn_classifier])
def test_of_multifits_encoders_and_classifiers_the_encoder_is_taken(tmp_path, layout):
    state = layout()
    as_language_model = {"0." + name.removeprefix("0.module."): value for name, value in state.items()}
    reference = expected_of_qrnn(as_language_model | {"1.decoder.bias": torch.zeros(V)}, IDS)
    np.testing.assert_allclose(logits(load_fastai(*stored(tmp_path, state)), IDS), reference, atol=1e-5)


def test_a_permuted_vocabulary_is_the_same_model(tmp_path):
    state, order = v2(), np.random.default_rng(1).permutation(V)
    permuted = {name: value[order] if len(value) == V else value for name, value in state.items()}
    one = load_fastai(*stored(tmp_path, state))
    other = load_fastai(*stored(tmp_path, permuted, [WORDS[index] for index in order]))
    ids = [data.tokenizer.encode(["A fine film."])[0] for data in (one, other)]
    np.testing.assert_allclose(logits(one, ids[0])[:, order], logits(other, ids[1]), atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*unknown words")  # 14 words are all it knows
def test_an_imported_model_can_be_stored_and_fine_tuned(tmp_path):
    data = load_fastai(*stored(tmp_path, v2()))
    data.save(tmp_path / "lm.npz")
    lm = LMFineTuner(tmp_path / "lm.npz", epochs=1, random_state=0).fit(TEXTS)
    assert lm.transform(TEXTS).shape == (24, 3 * E)
    assert lm.language_model().tokenizer.words == WORDS


def test_pieces_of_a_sentencepiece_model_find_their_rows(tmp_path):
    model = io.BytesIO()
    specials = [f"▁{word}" for word in WORDS[1:9]]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([apply_rules(text) for text in TEXTS]), model_writer=model, vocab_size=60, minloglevel=2,
        hard_vocab_limit=False, user_defined_symbols=specials, bos_id=-1, eos_id=-1, pad_id=-1, unk_id=0,
    )  # fmt: skip
    (tmp_path / "spm.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = [processor.id_to_piece(index) for index in range(len(processor))]
    words = [*WORDS[:9], *pieces]  # the special ones twice: in front without the boundary, never seen in training
    state = v2(len(words))
    data = load_fastai(*stored(tmp_path, state, words), sentencepiece_model=tmp_path / "spm.model")
    for piece in (pieces[12], pieces[-1], "▁xxmaj", "▁xxbos"):
        row = words.index(piece)
        ours = data.weights["encoder.embedding"][processor.piece_to_id(piece)]
        np.testing.assert_allclose(ours, state["0.encoder.weight"][row], rtol=1e-6)
    ids = data.tokenizer.encode(["A fine film."])[0]
    assert [pieces[index] for index in ids[:2]] == ["▁xxbos", "▁a"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("0.encoder.weight"), "has no encoder.weight"),
        (lambda state: [state.pop(name) for name in list(state) if "rnns" in name], r"has no 0\.rnns\.0"),
        (lambda state: state.pop("0.rnns.1.module.bias_hh_l0"), r"has no 0\.rnns\.1\.module\.bias_hh_l0"),
        (lambda state: state.update({"0.extra": torch.ones(1)}), r"not: \['0\.extra'\]"),
        (
            lambda state: state.update({"0.rnns.1.weight_hh_l0_raw": torch.ones(3, 3)}),
            "does not fit its own architecture",
        ),
        (lambda state: state["1.decoder.bias"].fill_(np.nan), r"not finite in \['1\.decoder\.bias'\]"),
        (lambda state: state.update({"1.decoder.weight": torch.ones(V, E)}), "only tied ones"),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused(tmp_path, change, message):
    state = v2()
    change(state)
    with pytest.raises(ValueError, match=message):
        load_fastai(*stored(tmp_path, state))


def test_a_vocabulary_of_another_length_is_refused(tmp_path):
    with pytest.raises(ValueError, match="13 tokens, but the embeddings have 14 rows"):
        load_fastai(*stored(tmp_path, v2(), WORDS[1:]))


def test_pickles_that_could_run_code_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"plain list of str.*collections\.OrderedDict"):
        load_fastai(*stored(tmp_path, v2(), collections.OrderedDict(a=1)))
    with pytest.raises(ValueError, match=r"learn\.save\(name, with_opt=False\)"):
        load_fastai(*stored(tmp_path, {"model": v2(), "opt": sigmoid}))


def test_an_archive_asks_to_be_unpacked(tmp_path):
    _, vocabulary = stored(tmp_path, v2())
    with tarfile.open(tmp_path / "fwd.tgz", "w:gz") as archive:
        archive.add(tmp_path / "lm.pth")
    with pytest.raises(ValueError, match=r"fwd\.tgz' is an archive: unpack it"):
        load_fastai(tmp_path / "fwd.tgz", vocabulary)


def test_a_truncated_file_is_refused(tmp_path):
    path, vocabulary = stored(tmp_path, v2())
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(ValueError, match="or is damaged"):
        load_fastai(path, vocabulary)


def broken(name, value):
    return lambda state: state.update({name: value(state[name])})


ROW = "0.encoder.weight"


@pytest.mark.parametrize(
    "value",
    [
        lambda tensor: tensor[0, 0],
        lambda tensor: tensor.to_sparse(),
        lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
        lambda tensor: tensor.to("meta"),
        lambda tensor: tensor.to(torch.complex64),
        lambda tensor: tensor.to(torch.int64),
        lambda tensor: tensor[None],
    ],
    ids=["0-d", "sparse", "quantised", "meta", "complex", "integer", "3-d"],
)
@pytest.mark.filterwarnings("ignore:.*quant")
@pytest.mark.filterwarnings("ignore:.*[Ss]torage")
def test_tensors_of_other_kinds_are_refused_with_what_to_give(tmp_path, value):
    state = v2()
    state[ROW] = value(state[ROW])
    with pytest.raises(ValueError, match=r"in '0.encoder.weight' a tensor of shape.*Give dense vectors and matrices"):
        load_fastai(*stored(tmp_path, state))


def test_parameters_are_read_as_tensors(tmp_path):
    state = v2()
    params = {name: torch.nn.Parameter(value) for name, value in state.items()}
    found, expected = (load_fastai(*stored(tmp_path, each)).weights for each in (params, state))
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_names_that_are_no_strings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="a tensor whose name is 3: a name must be a str"):
        load_fastai(*stored(tmp_path, v2() | {3: torch.ones(2)}))


def test_an_embedding_that_is_no_matrix_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must be a matrix with a row for each token, got shape \(14,\)"):
        load_fastai(*stored(tmp_path, v2() | {ROW: torch.ones(14)}))


def test_a_view_larger_than_its_file_is_refused(tmp_path):
    state = v2() | {ROW: torch.ones(1).expand(1 << 20, 1 << 11)}  # 8 GB
    with pytest.raises(ValueError, match=r"bytes holds tensors of 8,58.*bytes: views of a few numbers"):
        load_fastai(*stored(tmp_path, state))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x05]r\xff\xff\xff\x1f.", "counts 536870911 of what has 9 bytes"),  # a place in the memo
        (b"\x80\x05\x96\x00\x00\x00\x07\x01\x00\x00\x00.", "BYTEARRAY8|bytearray8"),
        (b"\x80\x05K\x01.", "it holds a BININT1"),
        (pickle.dumps(("xxunk",)), "it holds a TUPLE"),
        (pickle.dumps({"xxunk": 0}), "it holds a EMPTY_DICT"),
        (b"\x80\x05](", "before seeing STOP"),
        (b"", "pickle"),
    ],
)
def test_a_vocabulary_of_a_few_bytes_does_not_fill_the_memory(tmp_path, data, message):
    weights, vocabulary = stored(tmp_path, v2())
    vocabulary.write_bytes(data)
    with pytest.raises(ValueError, match=rf"is not the pickle of a plain list of str(?s:.*)({message})"):
        load_fastai(weights, vocabulary)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_vocabulary_of_any_protocol_is_read(tmp_path, protocol):
    weights, vocabulary = stored(tmp_path, v2())
    vocabulary.write_bytes(pickle.dumps(WORDS, protocol=protocol))
    assert load_fastai(weights, vocabulary).tokenizer.words == list(WORDS)


def test_a_flipped_bit_in_a_checkpoint_is_noticed(tmp_path):
    state = v2()
    weights, vocabulary = stored(tmp_path, state)
    data = bytearray(weights.read_bytes())
    data[data.index(state[ROW].numpy().tobytes()[:16]) + 3] ^= 2
    weights.write_bytes(data)
    with pytest.raises(ValueError, match=r"the checksum of .* is another"):
        load_fastai(weights, vocabulary)


def sigmoid(x):
    """Any function: a pickle of it is a reference to code."""
    return x
