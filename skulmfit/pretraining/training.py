"""Pretraining: a new language model is trained on an encoded corpus. A kill costs minutes at most."""

import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.pretraining.distributed import Processes, join_processes
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.progress import PretrainingProgress
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.pretraining.start import NetworkSettings, new_network, setting, starting_point
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.checkpoint import Checkpoint
from skulmfit.training.history import History
from skulmfit.training.language_model_task import LanguageModelTask
from skulmfit.training.layer_groups import EMBEDDING, language_model_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.parameters import check_number
from skulmfit.training.schedules import WarmupStableDecay
from skulmfit.training.stages import Stage


@dataclass(frozen=True)
class PretrainingSettings(NetworkSettings):
    """Everything a pretraining run depends on, besides its corpus and the number of processes."""

    tokens: int = setting(0, "tokens to read from the start of the corpus, in whole documents; 0 for all")
    epochs: int = setting(1, "passes over the corpus")
    learning_rate: float = setting(3e-3, "peak learning rate")
    embedding_rate: float = setting(0.5, "learning rate of the embeddings, as a share of the peak")
    warmup: float = setting(0.1, "share of the updates over which the rate rises to its peak")
    cooldown: float = setting(0.9, "share of the updates over which the rate falls at the end; 0 for no fall")
    batch_size: int = setting(32, "parallel streams of each process")
    bptt: int = setting(70, "mean number of tokens through which gradients flow back")
    alpha: float = setting(0.0, "activation regularisation (AR)")
    beta: float = setting(0.0, "temporal activation regularisation (TAR)")
    weight_decay: float = setting(0.01, "decoupled weight decay")
    clip: float = setting(1.0, "largest norm of the gradient")
    seed: int = setting(0, "seed of everything random")
    device: str = setting("auto", "where to compute; auto takes a GPU if there is one, else the CPU")

    def __post_init__(self):
        super().__post_init__()
        check_number(self.seed, "seed", Integral, low=0, high=2**63 - 1)
        for name in ("epochs", "batch_size"):
            check_number(getattr(self, name), name, Integral, low=1)
        check_number(self.bptt, "bptt", Integral, low=5)
        check_number(self.tokens, "tokens", Integral, low=0)
        for name in ("learning_rate", "clip"):
            check_number(getattr(self, name), name, Real, low=0, bounds="neither")
        for name in ("embedding_rate", "alpha", "beta", "weight_decay"):
            check_number(getattr(self, name), name, Real, low=0)
        for name in ("warmup", "cooldown"):
            check_number(getattr(self, name), name, Real, low=0, high=1)


def pretrain(
    folder: Path,
    settings: PretrainingSettings,
    checkpoint: CheckpointSettings,
    *,
    card: dict[str, Any] | None = None,
    callbacks: Sequence[Callback] = (),
) -> LanguageModel | None:
    """Train on the encoded corpus of a folder; None if the time was used up before the end.

    Under `torchrun` every process calls this, and each gets the model. The `callbacks` watch the training.
    """
    checkpoint.check()
    with join_processes(settings.device) as (processes, runtime):
        return _train(folder, settings, checkpoint, processes, runtime, card or {}, callbacks)


def _train(
    folder: Path,
    settings: PretrainingSettings,
    checkpoint: CheckpointSettings,
    processes: Processes,
    runtime: Runtime,
    card: dict[str, Any],
    callbacks: Sequence[Callback],
) -> LanguageModel | None:
    corpus, tokenizer, start = _read(folder, settings)
    history = History()
    identity = asdict(settings) | {"corpus": _checksum(corpus, tokenizer)}
    with runtime.seeded(settings.seed), one_thread_an_operation():
        network = new_network(settings, tokenizer, start).to(runtime.device)
        if processes.rank:  # the same weights in every process, but other dropouts
            torch.manual_seed(settings.seed + processes.rank)
        rng = np.random.default_rng(settings.seed)
        task = LanguageModelTask(
            network, corpus, runtime, rng, batch_size=settings.batch_size, bptt=settings.bptt, alpha=settings.alpha,
            beta=settings.beta, rank=processes.rank, world_size=processes.world_size, wrap=processes.wrap,
        )  # fmt: skip
        if task.n_batches() == 0:
            raise ValueError(
                f"{len(corpus.ids)} tokens are too few for {settings.batch_size} streams in each of "
                f"{processes.world_size} process(es); give a larger corpus or a smaller batch_size."
            )
        if processes.rank == 0:
            callbacks = [PretrainingProgress(len(corpus.ids) / task.n_batches()), *callbacks]
        finished = train(
            network, language_model_groups(network), [(_stage(settings, network), task)],
            settings=OptimizerSettings((0.8, 0.99), settings.weight_decay, settings.clip), runtime=runtime, rng=rng,
            callbacks=[history, *callbacks, checkpoint.callback(identity, processes, runtime)],
        )  # fmt: skip
    if not finished:
        return None
    seconds = sum(row["seconds"] for row in history.rows)
    figures = {"tokens_seen": len(corpus.ids) * settings.epochs, "hardware": runtime.description()}
    card = card | figures | _provenance(settings, start, processes.world_size, seconds)
    return LanguageModel.from_network(network, tokenizer, card)


def export(path: Path, folder: Path, *, card: dict[str, Any] | None = None) -> LanguageModel:
    """The language model as it stands in the checkpoint of an unfinished training."""
    identity, state = Checkpoint(path).read()
    names = [field.name for field in fields(PretrainingSettings)]
    if not identity.keys() >= set(names):
        raise ValueError(f"{path} is the checkpoint of another command than `train`, or of an older version of it.")
    settings = PretrainingSettings(**{name: identity[name] for name in names})
    corpus, tokenizer, start = _read(folder, settings)
    if _checksum(corpus, tokenizer) != identity.get("corpus"):
        raise ValueError(f"{folder} holds another corpus than the one of {path}. Give the folder that it trains on.")
    network = new_network(settings, tokenizer, start)
    network.load_state_dict(state["model"])
    history = state["callbacks"]["History"]
    seconds = history["seconds"] + sum(row["seconds"] for row in history["rows"])
    n_seen = len(corpus.ids) * state["epoch"] + int(sum(state["weights"])) * identity["processes"]
    provenance = _provenance(settings, start, identity["processes"], seconds)
    return LanguageModel.from_network(network, tokenizer, (card or {}) | {"tokens_seen": n_seen} | provenance)


def _provenance(
    settings: PretrainingSettings, start: LanguageModel | None, n_processes: int, seconds: float
) -> dict[str, Any]:
    """What the card says about a run, and about the run before it."""
    own = {"settings": asdict(settings), "processes": n_processes, "seconds": round(seconds)}
    return own | ({"start": start.card} if start else {})


def _read(folder: Path, settings: PretrainingSettings) -> tuple[TokenCorpus, AnyTokenizer, LanguageModel | None]:
    """What is trained on, in the direction it is read, and the language model to continue from."""
    corpus, tokenizer = open_corpus(folder)
    corpus = first_documents(corpus, settings.tokens or len(corpus.ids))
    if settings.direction == "backward":
        corpus = corpus.backward()
    tokenizer = tokenizer.in_direction(settings.direction)
    return corpus, tokenizer, starting_point(settings, tokenizer)


def _stage(settings: PretrainingSettings, network: LanguageModelNetwork) -> Stage:
    rates = dict.fromkeys(language_model_groups(network), settings.learning_rate)
    rates[EMBEDDING] *= settings.embedding_rate
    return Stage("pretraining", rates, settings.epochs, WarmupStableDecay(settings.warmup, settings.cooldown))


def _checksum(corpus: TokenCorpus, tokenizer: AnyTokenizer) -> int:
    """A number that another corpus, or the same ids of another tokenizer, do not share."""
    return zlib.crc32(tokenizer.model, zlib.crc32(corpus.offsets.data, zlib.crc32(corpus.ids.data)))


def first_documents(corpus: TokenCorpus, n_tokens: int) -> TokenCorpus:
    """As many documents from the start of a corpus as are needed for `n_tokens` tokens, or all."""
    n_documents = min(int(np.searchsorted(corpus.offsets, n_tokens)), len(corpus))
    return TokenCorpus(corpus.ids[: corpus.offsets[n_documents]], corpus.offsets[: n_documents + 1])
