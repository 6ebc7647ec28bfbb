"""A language model as plain data: what is shipped, saved, and carried from stage to stage."""

import os
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from skulmfit.models import int8
from skulmfit.models.archive import Archive, open_archive, write_archive
from skulmfit.models.model import Model, check_values
from skulmfit.models.sentence_map import SentenceMap
from skulmfit.models.vocabulary_transfer import Transfer, transfer
from skulmfit.models.weights import load_numpy, to_numpy
from skulmfit.nn.dropout import Dropouts
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.pooling import POOLINGS
from skulmfit.text.any_tokenizer import AnyTokenizer, load_tokenizer

FORMAT = 3  # 3: int8 and a sentence map are possible
_KIND = "skulmfit language model"
_WEIGHT, _SENTENCE = "weight/", "sentence/"


@dataclass(frozen=True, eq=False)
class LanguageModel(Model[LanguageModelNetwork]):
    """A language model as plain data, from which a network can be built.

    Parameters
    ----------
    architecture : Architecture
    tokenizer : Tokenizer or WordTokenizer
    weights : dict of str to ndarray
        Arrays of `skulmfit.nn.networks.LanguageModelNetwork`, by name.
    card : dict
        Where the model comes from: data, licence, tokens seen, figures.
    sentence_map : SentenceMap, optional
        From the states of the last layer to sentence vectors; of models that learnt from a sentence encoder.

    Examples
    --------
    >>> from skulmfit import LMFineTuner
    >>> model = LMFineTuner(epochs=0).fit(["-"]).language_model()
    >>> model.direction, model.architecture.n_layers
    ('forward', 3)
    """

    card: dict[str, Any] = field(default_factory=dict)
    sentence_map: SentenceMap | None = None

    @classmethod
    def from_network(
        cls, network: LanguageModelNetwork, tokenizer: AnyTokenizer, card: dict[str, Any] | None = None
    ) -> "LanguageModel":
        """Copy a network's weights into plain arrays."""
        return cls(network.encoder.architecture, tokenizer, to_numpy(network), card or {})

    def with_weights(self, network: LanguageModelNetwork) -> "LanguageModel":
        """The same model, sentence map included, with the weights of a network that began as this one."""
        return replace(self, weights=to_numpy(network), card={})

    @classmethod
    def new(cls, architecture: Architecture, tokenizer: AnyTokenizer) -> "LanguageModel":
        """A language model that has learnt nothing yet. Its weights are drawn from torch's random state."""
        return cls.from_network(LanguageModelNetwork(Encoder(architecture)), tokenizer)

    def with_tokenizer(self, tokenizer: AnyTokenizer) -> tuple["LanguageModel", Transfer]:
        """Move the network to another vocabulary.

        Parameters
        ----------
        tokenizer : Tokenizer or WordTokenizer

        Returns
        -------
        model : LanguageModel
        transfer : Transfer
            Where the embeddings came from.
        """
        embedding, bias, moved = transfer(
            self.tokenizer, tokenizer, self.weights["encoder.embedding"], self.weights["decoder_bias"]
        )
        architecture = replace(self.architecture, vocab_size=len(embedding))
        weights = self.weights | {"encoder.embedding": embedding, "decoder_bias": bias}
        return replace(self, architecture=architecture, tokenizer=tokenizer, weights=weights), moved

    def new_network(self, dropouts: Dropouts = Dropouts()) -> LanguageModelNetwork:
        """A network of the architecture, its weights still to be loaded."""
        return LanguageModelNetwork(Encoder(self.architecture, dropouts))

    def build(self, dropouts: Dropouts = Dropouts()) -> LanguageModelNetwork:
        """Build a network with these weights that can be trained, in float32.

        Parameters
        ----------
        dropouts : Dropouts
            By default none.

        Returns
        -------
        LanguageModelNetwork
        """
        with torch.device("meta"):
            network = self.new_network(dropouts)
        load_numpy(network, self.weights)
        return network

    def save(self, path: str | os.PathLike, *, dtype: np.dtype | type = np.float16, levels: int = 127) -> None:
        """Write one .npz file without pickled objects.

        Parameters
        ----------
        path : str or path
            The file, replaced if there is one.
        dtype : dtype, default=float16
            Of the weights in the file. In int8, matrices have one step for each row, and vectors are float32.
        levels : int, default=127
            Steps on each side of 0 in int8: fewer make a smaller file.

        Raises
        ------
        ValueError
            If texts are split by a function of the user's, which a file cannot hold, or if a weight is too large for
            the type.
        """
        meta = {
            "architecture": asdict(self.architecture),
            "direction": self.tokenizer.direction,
            "card": self.card,
        }
        named = {_WEIGHT + name: array for name, array in self.weights.items()}
        if self.sentence_map is not None:
            named |= {_SENTENCE + name: array for name, array in vars(self.sentence_map).items()}
        is_int8 = np.dtype(dtype) == np.int8
        with np.errstate(over="ignore"):  # is refused below
            arrays = (
                int8.pack(named, levels) if is_int8 else {name: array.astype(dtype) for name, array in named.items()}
            )
        check_values(f"the model in {np.dtype(dtype)}", arrays)
        arrays["tokenizer"] = np.frombuffer(self.tokenizer.model, np.uint8)
        write_archive(path, _KIND, FORMAT, meta, arrays, compress=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "LanguageModel":
        """Read a file written by `save`.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        LanguageModel
            Weights in float32.

        Raises
        ------
        ValueError
            If the file is not a skulmfit language model, is damaged, or was written by a newer version.
        """
        with open_archive(path, _KIND, FORMAT) as (meta, archive):
            if not isinstance(meta["card"], dict):
                raise ValueError(f"its card is {meta['card']!r}")
            tokenizer = load_tokenizer(archive["tokenizer"].tobytes(), meta.get("direction", "forward"))
            empty = cls(Architecture(**meta["architecture"]), tokenizer, {}, meta["card"])
            names = [name for name in archive.names if name.startswith(_WEIGHT)]
            found = {name.removeprefix(_WEIGHT): archive.shape(name) for name in names}
            empty.check_shapes("it", found)  # before anything large is read
            weights = {name: int8.read(archive, _WEIGHT + name) for name in found}
            model = replace(empty, weights=weights, sentence_map=_read_sentence_map(archive))
            model.check("it")
        return model

    def check(self, source: str) -> None:
        """Raise unless vocabulary, weights and sentence map fit the architecture; `source` is for the message.

        Raises
        ------
        ValueError
        """
        super().check(source)
        if self.sentence_map is None:
            return
        weight, bias = self.sentence_map.weight, self.sentence_map.bias
        check_values(source, {"sentence map": weight, "its bias": bias})
        expected = (bias.size, len(POOLINGS) * self.architecture.embedding_dim)
        if weight.shape != expected or bias.ndim != 1:
            raise ValueError(
                f"{source} does not fit its own architecture: a sentence map of shape {weight.shape}, not {expected}."
            )


def _read_sentence_map(archive: Archive) -> SentenceMap | None:
    if not any(name.startswith(_SENTENCE) for name in archive.names):
        return None
    return SentenceMap(*(int8.read(archive, _SENTENCE + name) for name in ("weight", "bias")))
