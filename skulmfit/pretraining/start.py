"""What a training starts with: a new network, or a language model to continue from."""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from skulmfit.models.language_model import LanguageModel
from skulmfit.models.registry import load_pretrained
from skulmfit.models.weights import load_numpy, to_numpy
from skulmfit.nn.dropout import LM_DROPOUTS
from skulmfit.nn.encoder import KINDS, Architecture, Encoder
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import DIRECTIONS
from skulmfit.training.parameters import check_choice, check_number

START_WITH = ("all", "embeddings", "turned")


def setting(default: Any, meaning: str) -> Any:
    """A field of a dataclass of settings, and what the command line says of it."""
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class NetworkSettings:
    """The network that is trained, and which way it reads."""

    direction: str = setting("forward", "forward, or backward to read every document from its end")
    start_from: str = setting("", "a language model to continue from, with its own sizes; '' for a new one")
    start_with: str = setting(
        "all", "what to take of it: all; embeddings, with new layers on them; or turned: all, to read the other way"
    )
    architecture: str = setting("lstm", "lstm or qrnn")
    embedding_dim: int = setting(256, "width of embeddings and last layer")
    hidden_dim: int = setting(640, "width of the other layers")
    n_layers: int = setting(3, "recurrent layers")
    embedding_scale: float = setting(16.0, "factor on the embeddings as they enter the first layer")
    # A compact network that sees every token once does not overfit.
    dropout_multiplier: float = setting(0.0, "factor on AWD-LSTM's dropouts")

    def __post_init__(self):
        for name in ("embedding_dim", "hidden_dim", "n_layers"):
            check_number(getattr(self, name), name, Integral, low=1)
        check_number(self.embedding_scale, "embedding_scale", Real, low=0, bounds="neither")
        check_number(self.dropout_multiplier, "dropout_multiplier", Real, low=0)
        check_choice(self.direction, "direction", DIRECTIONS)
        check_choice(self.architecture, "architecture", KINDS)
        check_choice(self.start_with, "start_with", START_WITH)


def starting_point(settings: NetworkSettings, tokenizer: AnyTokenizer) -> LanguageModel | None:
    """The language model to continue from, if there is one.

    Raises
    ------
    ValueError
        If its tokenizer is not that of the corpus, or it reads in the other direction and should not be turned.
    """
    if not settings.start_from:
        return None
    start = load_pretrained(settings.start_from)
    if start.tokenizer.model != tokenizer.model:
        raise ValueError(
            f"The corpus was encoded with another tokenizer than that of {settings.start_from!r}. Encode it with "
            f"`encode --tokenizer {settings.start_from}`."
        )
    if settings.start_with == "all" and start.tokenizer.direction != tokenizer.direction:
        raise ValueError(
            f"{settings.start_from!r} reads {start.tokenizer.direction}; give that as --direction, or take its weights "
            "for reading the other way with --start-with turned."
        )
    return start


def new_network(
    settings: NetworkSettings, tokenizer: AnyTokenizer, start: LanguageModel | None
) -> LanguageModelNetwork:
    """The network that a run begins with, on a tokenizer's vocabulary."""
    dropouts = LM_DROPOUTS * settings.dropout_multiplier
    if start and settings.start_with != "embeddings":
        return start.build(dropouts)
    sizes = (settings.embedding_dim, settings.hidden_dim, settings.n_layers)
    architecture = Architecture(
        len(tokenizer), *sizes, embedding_scale=settings.embedding_scale, kind=settings.architecture
    )
    network = LanguageModelNetwork(Encoder(architecture, dropouts))
    if start:
        embeddings = {name: start.weights[name] for name in ("encoder.embedding", "decoder_bias")}
        if embeddings["encoder.embedding"].shape != tuple(network.encoder.embedding.shape):
            raise ValueError(
                f"embedding_dim={settings.embedding_dim} is not that of {settings.start_from!r}, "
                f"{start.architecture.embedding_dim}. Give that as --embedding-dim."
            )
        load_numpy(network, to_numpy(network) | embeddings)
    return network
