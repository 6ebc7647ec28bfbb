"""A language model as plain data: what is shipped, saved, and carried from stage to stage."""

import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from skulmfit.archive import damage_reported, read_archive, write_archive
from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.dropout import Dropouts
from skulmfit.nn.heads import LanguageModel
from skulmfit.pretrained import int8
from skulmfit.text.vocabulary import Transfer, transfer
from skulmfit.text.words import AnyTokenizer, load_tokenizer

FORMAT = 3  # 3: int8 and a sentence map are possible
_KIND = "skulmfit language model"
_WEIGHT, _SENTENCE = "weight/", "sentence/"


@dataclass(frozen=True)
class SentenceMap:
    """Linear map from pooled states of the last layer, [last, max, mean], onto the vectors of a sentence encoder.

    Parameters
    ----------
    weight : ndarray of shape (n_dimensions, 3 * embedding_dim), float32
    bias : ndarray of shape (n_dimensions,), float32
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, pooled: np.ndarray) -> np.ndarray:
        """Sentence vectors of length 1, (n_texts, n_dimensions), of pooled states (n_texts, 3 * embedding_dim)."""
        vectors = pooled @ self.weight.T + self.bias
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@dataclass(frozen=True)
class LanguageModelData:
    """Architecture, tokenizer, named arrays and provenance of a language model.

    Parameters
    ----------
    architecture : Architecture
    tokenizer : Tokenizer or WordTokenizer
    weights : dict of str to ndarray
        Arrays of `skulmfit.nn.heads.LanguageModel`, by name.
    card : dict
        Where the model comes from: data, licence, tokens seen, figures.
    sentence_map : SentenceMap, optional
        From the states of the last layer to sentence vectors; of models that learnt from a sentence encoder.
    """

    architecture: Architecture
    tokenizer: AnyTokenizer
    weights: dict[str, np.ndarray]
    card: dict[str, Any] = field(default_factory=dict)
    sentence_map: SentenceMap | None = None

    @classmethod
    def from_module(cls, model: LanguageModel, tokenizer: AnyTokenizer, card: dict[str, Any]) -> "LanguageModelData":
        """Copy a network's weights into plain arrays."""
        return cls(model.encoder.architecture, tokenizer, to_numpy(model), card)

    def with_tokenizer(self, tokenizer: AnyTokenizer) -> tuple["LanguageModelData", Transfer]:
        """The same network over another vocabulary, and where its embeddings came from."""
        embedding, bias, moved = transfer(
            self.tokenizer, tokenizer, self.weights["encoder.embedding"], self.weights["decoder_bias"]
        )
        architecture = replace(self.architecture, vocab_size=len(embedding))
        weights = self.weights | {"encoder.embedding": embedding, "decoder_bias": bias}
        return replace(self, architecture=architecture, tokenizer=tokenizer, weights=weights), moved

    def build(self, dropouts: Dropouts = Dropouts()) -> LanguageModel:
        """A network with these weights, in float32."""
        with torch.device("meta"):
            model = LanguageModel(AWDLSTM(self.architecture, dropouts))
        load_numpy(model, self.weights)
        return model

    def save(self, path: str | os.PathLike, *, dtype: np.dtype | type = np.float16) -> None:
        """Write one .npz file without pickled objects, weights in `dtype`; in int8, with one step for each row."""
        meta = {
            "architecture": asdict(self.architecture),
            "direction": self.tokenizer.direction,
            "card": self.card,
        }
        named = {_WEIGHT + name: array for name, array in self.weights.items()}
        if self.sentence_map is not None:
            named |= {_SENTENCE + name: array for name, array in vars(self.sentence_map).items()}
        is_int8 = np.dtype(dtype) == np.int8
        arrays = int8.pack(named) if is_int8 else {name: array.astype(dtype) for name, array in named.items()}
        arrays["tokenizer"] = np.frombuffer(self.tokenizer.model, np.uint8)
        write_archive(path, _KIND, FORMAT, meta, arrays, compress=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LanguageModelData":
        """Read a file written by `save`.

        Raises
        ------
        ValueError
            If the file is not a skulmfit language model, is damaged, or was written by a newer version.
        """
        meta, arrays = read_archive(path, _KIND, FORMAT)
        with damage_reported(path, _KIND):
            tokenizer = load_tokenizer(arrays.pop("tokenizer").tobytes(), meta.get("direction", "forward"))
            arrays = int8.unpack(arrays)
            sentence = _take_out(_SENTENCE, arrays)
            sentence_map = SentenceMap(**sentence) if sentence else None
            weights = {name.removeprefix(_WEIGHT): array for name, array in arrays.items()}
            data = cls(Architecture(**meta["architecture"]), tokenizer, weights, meta["card"], sentence_map)
        data.check_weights(path)
        return data

    def check_weights(self, path: str | os.PathLike) -> None:
        """Raise unless names and shapes of the arrays are those of the architecture; `path` is for the message."""
        with torch.device("meta"):
            expected = {
                name: tuple(value.shape)
                for name, value in LanguageModel(AWDLSTM(self.architecture)).state_dict().items()
            }
        found = {name: array.shape for name, array in self.weights.items()}
        if self.sentence_map is not None:
            weight, bias = self.sentence_map.weight, self.sentence_map.bias
            found |= {"sentence map": weight.shape, "its bias": bias.shape}
            expected |= {"sentence map": (len(bias), 3 * self.architecture.embedding_dim), "its bias": (bias.size,)}
        if expected != found:
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ValueError(f"{os.fspath(path)!r} does not fit its own architecture: {wrong[:4]}.")


def _take_out(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Remove the arrays whose names begin with a prefix, and return them by the rest of their names."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}


def to_numpy(module: torch.nn.Module) -> dict[str, np.ndarray]:
    """A network's state as arrays of its own."""
    return {name: value.detach().cpu().numpy().copy() for name, value in module.state_dict().items()}


def load_numpy(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    """Give a network, which may be an empty one on the meta device, copies of arrays, which may be read-only."""
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    module.load_state_dict(state, assign=True)
