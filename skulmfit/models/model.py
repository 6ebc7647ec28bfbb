"""What language models and fine-tuned models have in common: they are plain data from which a network can be built."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import torch

from skulmfit.models.weights import Weights, load_numpy
from skulmfit.nn.encoder import Architecture
from skulmfit.text.words import AnyTokenizer


@dataclass(frozen=True, eq=False)
class Model(ABC):
    """Architecture, tokenizer and weights; pickles and copies hold nothing else.

    Parameters
    ----------
    architecture : Architecture
    tokenizer : Tokenizer or WordTokenizer
        It knows the direction in which texts are read.
    weights : dict of str to ndarray
        Arrays of the network, by name.
    """

    architecture: Architecture
    tokenizer: AnyTokenizer
    weights: Weights

    @property
    def direction(self) -> str:
        """Which way the model reads: "forward" or "backward"."""
        return self.tokenizer.direction

    @abstractmethod
    def new_network(self) -> torch.nn.Module:
        """A network of the architecture, its weights still to be loaded."""

    @cached_property
    def network(self) -> Any:
        """The network with its weights, on the CPU and without dropout: to be read with, not to be trained."""
        network = self._empty_network()
        load_numpy(network, self.weights)
        return network.eval()

    def _empty_network(self) -> torch.nn.Module:
        """A network without memory for its weights."""
        with torch.device("meta"):
            return self.new_network()

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def check(self, source: str) -> None:
        """Raise unless vocabulary and weights fit the architecture; `source` is for the message.

        Raises
        ------
        ValueError
        """
        if len(self.tokenizer) != self.architecture.vocab_size:
            raise ValueError(f"{source}: {len(self.tokenizer)} pieces, but {self.architecture.vocab_size} embeddings.")
        expected, found = self._expected_shapes(), self._found_shapes()
        if expected != found:
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ValueError(f"{source} does not fit its own architecture: {wrong[:4]}.")

    def _expected_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(value.shape) for name, value in self._empty_network().state_dict().items()}

    def _found_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: array.shape for name, array in self.weights.items()}
