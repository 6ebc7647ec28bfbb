"""What language models and fine-tuned models have in common: they are plain data from which a network can be built."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from skulmfit.models.weights import Weights, load_numpy
from skulmfit.nn.encoder import Architecture
from skulmfit.text.any_tokenizer import AnyTokenizer

AnyNetwork = TypeVar("AnyNetwork", bound=torch.nn.Module)


@dataclass(frozen=True, eq=False)
class Model(ABC, Generic[AnyNetwork]):
    """Architecture, tokenizer and weights. Pickles and copies hold nothing else.

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
    def new_network(self) -> AnyNetwork:
        """A network of the architecture, its weights still to be loaded."""

    @cached_property
    def network(self) -> AnyNetwork:
        """The network with its weights, on the CPU and without dropout. Do not train it: others use it too."""
        network = self._empty_network()
        load_numpy(network, self.weights)
        return network.eval()

    def _empty_network(self) -> AnyNetwork:
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
        self.check_shapes(source, {name: array.shape for name, array in self.weights.items()})
        check_values(source, self.weights)

    def check_shapes(self, source: str, found: dict[str, tuple[int, ...]]) -> None:
        """Raise unless the vocabulary, and the shapes of the weights that were found, fit the architecture.

        Raises
        ------
        ValueError
        """
        if len(self.tokenizer) != self.architecture.vocab_size:
            raise ValueError(f"{source}: {len(self.tokenizer)} pieces, but {self.architecture.vocab_size} embeddings.")
        if self.architecture.n_layers > len(found):  # which would take long to build
            raise ValueError(
                f"{source} does not fit its own architecture: {self.architecture.n_layers} layers, but {len(found)} "
                "arrays."
            )
        expected = {name: tuple(value.shape) for name, value in self._empty_network().state_dict().items()}
        if expected != found:
            wrong = sorted(set(expected.items()) ^ set(found.items()))
            raise ValueError(f"{source} does not fit its own architecture: {wrong[:4]}.")


def check_values(source: str, arrays: Weights) -> None:
    """Raise unless all values of arrays are finite numbers; `source` is for the message.

    Raises
    ------
    ValueError
    """
    broken = [name for name, array in arrays.items() if array.dtype.kind not in "fiu" or not np.isfinite(array).all()]
    if broken:
        raise ValueError(f"{source} has values that are no finite numbers in {', '.join(broken[:4])}.")
