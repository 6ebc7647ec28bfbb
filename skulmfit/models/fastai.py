"""Import of published ULMFiT and MultiFiT checkpoints: fastai 0.7, v1, v2, their encoders, classifiers and QRNNs."""

import io
import os
import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.encoder import Architecture
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.text.words import WordTokenizer

Arrays = dict[str, np.ndarray]

_PREFIXES = ("0.module.", "0.", "")  # of a classifier, a language model, an encoder
_LAYER = re.compile(r"rnns\.(\d+)\.")
# Copies of other tensors, and the head of a classifier.
_UNUSED = re.compile(
    r"(0\.(module\.)?)?(encoder_dp\.emb|encoder_with_dropout\.embed)\.weight|1\.(layers|decoder\.weight).*"
)
_HIDDEN_TO_HIDDEN = ("weight_hh_l0_raw", "module.weight_hh_l0_raw", "module.weight_hh_l0")  # the first one there counts
# A checkpoint has its embeddings three times in one storage: as encoder, under dropout, and as decoder.
_MOST_SHARED = 4
_PLAIN_OPCODES = frozenset(
    "PROTO FRAME STOP MARK EMPTY_LIST LIST APPEND APPENDS UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 STRING "
    "SHORT_BINSTRING BINSTRING PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET".split()
)
_QRNN_WEIGHTS = ("weight_raw", "module.weight", "weight")


def load_fastai(
    weights: str | os.PathLike,
    vocabulary: str | os.PathLike | Sequence[str],
    *,
    sentencepiece_model: str | os.PathLike | None = None,
    direction: str = "forward",
) -> LanguageModel:
    """Read a language model that was trained with fastai.

    Its `save(path)` writes a file that `LMFineTuner(pretrained=path)` takes.

    Parameters
    ----------
    weights : path
        A `.pth` or `.h5` file of fastai 0.7, v1 or v2: a language model, an encoder (`save_encoder`), or a classifier,
        of which the encoder is taken. Read with torch's `weights_only`.
    vocabulary : path or list of str
        `itos`: the tokens in the order of the embeddings' rows, or the pickle of that list. A pickle with anything but
        strings in a list is refused, since reading it could run code.
    sentencepiece_model : path, optional
        `spm.model`, where the tokens are pieces; without it they are words, and texts are split by ULMFiT's rules.
    direction : {"forward", "backward"}, default="forward"
        Which way the model reads; no file says.

    Returns
    -------
    LanguageModel

    Raises
    ------
    ValueError
        If a file is of another kind or damaged, if shapes do not fit each other, or if tensors are left over.
    """
    state = _read_tensors(Path(weights))
    prefix = next((prefix for prefix in _PREFIXES if f"{prefix}encoder.weight" in state), None)
    if prefix is None:
        raise ValueError(f"{os.fspath(weights)!r} has no encoder.weight; its tensors are {sorted(state)[:8]}.")
    reader = _Reader(state, prefix)
    embedding = reader.take("encoder.weight")
    if embedding.ndim != 2:
        raise ValueError(f"encoder.weight must be a matrix with a row for each token, got shape {embedding.shape}.")
    words = list(vocabulary) if not isinstance(vocabulary, str | os.PathLike) else _read_vocabulary(Path(vocabulary))
    if len(words) != len(embedding):
        raise ValueError(f"The vocabulary has {len(words)} tokens, but the embeddings have {len(embedding)} rows.")
    n_layers = len({match[1] for name in state if (match := _LAYER.search(name))}) or 1  # of none, the first is missed
    kind = "qrnn" if any("linear" in name for name in state) else "lstm"
    layer = _qrnn_layer if kind == "qrnn" else _lstm_layer
    arrays: Arrays = {"encoder.embedding": embedding}
    for index in range(n_layers):
        arrays |= {f"encoder.layers.{index}.{name}": array for name, array in layer(reader, index).items()}
    decoder, bias = (reader.state.pop(f"1.decoder.{name}", None) for name in ("weight", "bias"))
    if decoder is not None and not np.array_equal(decoder, embedding):
        raise ValueError("The decoder's weights are not the embeddings; only tied ones can be imported.")
    arrays["decoder_bias"] = np.zeros(len(embedding), np.float32) if bias is None else bias  # 0.7 has none
    reader.finish()
    hidden_dim = len(arrays["encoder.layers.0.weight" if kind == "qrnn" else "encoder.layers.0.weight_ih"])
    architecture = Architecture(
        len(words), embedding.shape[1], hidden_dim // (3 if kind == "qrnn" else 4), n_layers, 1.0, 1.0, kind
    )
    card = {"notes": f"Imported from the fastai checkpoint {Path(weights).name}."}
    if sentencepiece_model is None:
        model = LanguageModel(architecture, WordTokenizer(words, direction=direction), arrays, card)
    else:
        pieces = LanguageModel(architecture, _Pieces(words), arrays, card)  # type: ignore[arg-type]
        model = _onto(pieces, Tokenizer(Path(sentencepiece_model).read_bytes(), direction))
    model.check(repr(os.fspath(weights)))
    return model


@dataclass(frozen=True)
class _Pieces:
    """A list of SentencePiece's pieces in an order of fastai's, for moving rows."""

    pieces: Sequence[str]

    def spell(self, piece: str) -> list[int]:
        return []


def _onto(model: LanguageModel, tokenizer: Tokenizer) -> LanguageModel:
    """Rows in the order of a SentencePiece model's ids."""
    moved, transfer = model.with_tokenizer(tokenizer)
    if transfer.kept.mean() < 0.5:
        raise ValueError(
            f"The vocabulary has only {transfer.kept.sum()} of the {len(transfer.kept)} pieces of the SentencePiece "
            "model: they are of different models."
        )
    return moved


class _Reader:
    """Tensors that are taken one by one, so that what is left over shows."""

    def __init__(self, state: Arrays, prefix: str):
        self.state, self.prefix = dict(state), prefix

    def take(self, *names: str) -> np.ndarray:
        """The first of some tensors that is there; the others, being copies, are taken away with it."""
        found = [self.state.pop(self.prefix + name) for name in names if self.prefix + name in self.state]
        if not found:
            raise ValueError(f"The checkpoint has no {self.prefix}{names[0]}.")
        return found[0]

    def finish(self) -> None:
        """Raise if there are tensors that nothing has asked for."""
        left = sorted(name for name in self.state if not _UNUSED.fullmatch(name))
        if left:
            raise ValueError(f"The checkpoint has tensors that a ULMFiT encoder has not: {left[:8]}.")


def _lstm_layer(reader: _Reader, index: int) -> Arrays:
    names = {"weight_ih": "module.weight_ih_l0", "bias_ih": "module.bias_ih_l0", "bias_hh": "module.bias_hh_l0"}
    arrays = {ours: reader.take(f"rnns.{index}.{theirs}") for ours, theirs in names.items()}
    return arrays | {"weight_hh": reader.take(*(f"rnns.{index}.{name}" for name in _HIDDEN_TO_HIDDEN))}


def _qrnn_layer(reader: _Reader, index: int) -> Arrays:
    folders = (f"rnns.{index}.linear", f"rnns.{index}.layers.0.linear")
    weight = reader.take(*(f"{folder}.{name}" for folder in folders for name in _QRNN_WEIGHTS))
    bias = reader.take(*(f"{folder}.{name}" for folder in folders for name in ("module.bias", "bias")))
    return {"weight": weight, "bias": bias}


def _read_tensors(path: Path) -> Arrays:
    """Float32 arrays by name of a file of torch's."""
    if path.name.endswith((".tgz", ".tar.gz", ".tar")):
        raise ValueError(f"{os.fspath(path)!r} is an archive: unpack it, and give the files of weights and vocabulary.")
    try:
        if zipfile.is_zipfile(path):
            _check_zip(path)
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever it is that torch's reader stumbles over
        raise ValueError(
            f"{os.fspath(path)!r} is not a file of tensors only, or is damaged. A Learner (export.pkl), or one saved "
            f"with its optimiser, must be saved again in fastai: learn.save(name, with_opt=False). ({error})"
        ) from error
    state = state.get("model", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{os.fspath(path)!r} holds no dict of tensors.")
    _check_tensors(state, path)
    arrays = {name: value.detach().float().numpy() for name, value in state.items() if _is_usual(value)}
    broken = [name for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        raise ValueError(f"{os.fspath(path)!r} has values that are not finite in {broken[:4]}.")
    return arrays


def _check_zip(path: Path) -> None:
    """Raise unless all parts of a file are as long as they say, and have the checksums that torch does not look at."""
    with zipfile.ZipFile(path) as file:
        if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
            raise ValueError("it is compressed, which torch does not do")
        damaged = file.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is another")


def _check_tensors(state: dict[Any, torch.Tensor], path: Path) -> None:
    """Raise unless names are strings, and all tensors of an encoder are vectors and matrices of floats in the file."""
    for name, value in state.items():
        if not isinstance(name, str):
            raise ValueError(f"{os.fspath(path)!r} has a tensor whose name is {name!r}: a name must be a str.")
        if not _is_usual(value) and not _UNUSED.fullmatch(name):
            raise ValueError(
                f"{os.fspath(path)!r} has in {name!r} a tensor of shape {tuple(value.shape)}, {value.dtype} and "
                f"{value.layout} on {value.device.type!r}. Give dense vectors and matrices of floats: "
                "{name: value.detach().cpu().float() for name, value in model.state_dict().items()}."
            )
    n_bytes = sum(value.numel() * value.element_size() for value in state.values() if _is_usual(value))
    if n_bytes > _MOST_SHARED * path.stat().st_size:  # tensors may be views of one storage
        raise ValueError(
            f"{os.fspath(path)!r} of {path.stat().st_size:,} bytes holds tensors of {n_bytes:,} bytes: views of a few "
            "numbers. Save copies of the tensors: value.clone()."
        )


def _is_usual(value: torch.Tensor) -> bool:
    """Whether a tensor is a dense vector or matrix of real numbers in memory."""
    is_dense = value.layout is torch.strided and not value.is_quantized and value.device.type == "cpu"
    return is_dense and value.dtype.is_floating_point and value.ndim in (1, 2)


def _read_vocabulary(path: Path) -> list[str]:
    """The pickle of a list of strings; nothing else is read."""
    data = path.read_bytes()
    try:
        _check_is_plain(data)
        words = _PlainUnpickler(io.BytesIO(data)).load()
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} is not the pickle of a plain list of str. Save it again where it was made with "
            f"pickle.dump(list(map(str, vocab)), file), vocab[0] where it is a classifier's. ({error})"
        ) from error
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"{os.fspath(path)!r} holds a {type(words).__name__}, not a list of str.")
    return words


def _check_is_plain(data: bytes) -> None:
    """Raise unless a pickle has lists and strings only, and no number in it makes the reader take more memory."""
    strings: list[str] = []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "STACK_GLOBAL":  # its module and name are the strings before it
            raise pickle.UnpicklingError(f"it holds a {'.'.join(strings[-2:])}")
        if opcode.name not in _PLAIN_OPCODES:
            raise pickle.UnpicklingError(f"it holds a {opcode.name} {argument or ''}".strip())
        if isinstance(argument, int) and argument > len(data) and opcode.name != "PROTO":
            raise pickle.UnpicklingError(f"it counts {argument} of what has {len(data)} bytes")
        strings += [argument] if isinstance(argument, str) else []


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists and strings, and no object of any class."""

    def find_class(self, module: str, name: str) -> Callable:
        raise pickle.UnpicklingError(f"it holds a {module}.{name}")
