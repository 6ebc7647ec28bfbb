"""Pretraining: a new language model on an encoded corpus, from which a kill takes minutes at most."""

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.dropout import LM_DROPOUTS
from skulmfit.nn.heads import LanguageModel
from skulmfit.pretrained.language_model import LanguageModelData, load_numpy
from skulmfit.pretrained.registry import load_pretrained
from skulmfit.pretraining.distributed import Processes, SharedCheckpoint, join_processes
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.pretraining.progress import PretrainingProgress
from skulmfit.text.corpus import TokenCorpus
from skulmfit.text.tokenizer import Tokenizer
from skulmfit.training.checkpoint import Checkpoint
from skulmfit.training.language_model import LanguageModelTask, language_model_groups
from skulmfit.training.loop import Monitor, OptimizerSettings, train
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import EMBEDDING, Stage


@dataclass(frozen=True)
class PretrainingSettings:
    """Everything a pretraining run depends on, besides its corpus and the number of processes."""

    tokens: int = 0  # from the start of the corpus, whole documents; 0 takes all
    epochs: int = 1
    direction: str = "forward"
    start_from: str = ""  # a language model to continue from, whose size counts then; "" for a new one
    embedding_dim: int = 256
    hidden_dim: int = 640
    n_layers: int = 3
    learning_rate: float = 3e-3
    embedding_rate: float = 0.3  # the embeddings' rate as a share of the learning rate
    batch_size: int = 16  # of each process
    bptt: int = 70
    alpha: float = 0.0
    beta: float = 0.0
    dropout_multiplier: float = 0.0  # a compact network that sees every token once has nothing to over-fit
    weight_decay: float = 0.01
    clip: float = 1.0
    seed: int = 0
    device: str = "auto"


_SIZES = ("embedding_dim", "hidden_dim", "n_layers")


@dataclass(frozen=True)
class CheckpointSettings:
    """Where a run keeps its checkpoint, how often, and for how long it may go on before it stops."""

    path: Path
    minutes: float = math.inf
    interval_seconds: float = 120.0
    resume: bool = False


def pretrain(
    folder: Path, settings: PretrainingSettings, checkpoint: CheckpointSettings, *, card: dict[str, Any] | None = None
) -> LanguageModelData | None:
    """Train on the encoded corpus of a folder; None if the time was used up before the end.

    Under `torchrun` every process calls this, and each gets the model.
    """
    if checkpoint.path.exists() and not checkpoint.resume:
        raise FileExistsError(
            f"{checkpoint.path} is the checkpoint of an unfinished training: continue it with --resume, or remove it."
        )
    with join_processes(settings.device) as (processes, runtime):
        return _train(folder, settings, checkpoint, processes, runtime, card or {})


def _train(
    folder: Path,
    settings: PretrainingSettings,
    checkpoint: CheckpointSettings,
    processes: Processes,
    runtime: Runtime,
    card: dict[str, Any],
) -> LanguageModelData | None:
    corpus, tokenizer = _read(folder, settings)
    start = _starting_point(settings, tokenizer)
    if start:
        settings = replace(settings, **{name: getattr(start.architecture, name) for name in _SIZES})
    monitor = Monitor()
    with runtime.seeded(settings.seed):
        model = LanguageModel(_encoder(settings, tokenizer))
        if start:
            load_numpy(model, start.weights)
        model = model.to(runtime.device)
        if processes.rank:  # the same weights in every process, but other dropouts
            torch.manual_seed(settings.seed + processes.rank)
        rng = np.random.default_rng(settings.seed)
        task = LanguageModelTask(
            model, corpus, runtime, rng, batch_size=settings.batch_size, bptt=settings.bptt, alpha=settings.alpha,
            beta=settings.beta, rank=processes.rank, world_size=processes.world_size, wrap=processes.wrap,
        )  # fmt: skip
        if processes.rank == 0:
            monitor.on_step = PretrainingProgress(len(corpus.ids) / task.n_batches()).on_step
        finished = train(
            model, language_model_groups(model), [(_stage(settings), task)],
            settings=OptimizerSettings((0.8, 0.99), settings.weight_decay, settings.clip), runtime=runtime, rng=rng,
            monitor=monitor, checkpoint=_checkpoint(settings, checkpoint, len(corpus.ids), len(tokenizer), processes),
        )  # fmt: skip
    if not finished:
        return None
    seconds = sum(row["seconds"] for row in monitor.history)
    figures = {"tokens_seen": len(corpus.ids) * settings.epochs, "seconds": round(seconds)}
    settled = {"settings": asdict(settings), "processes": processes.world_size}
    earlier = {"start": start.card} if start else {}
    return LanguageModelData.from_module(model, tokenizer, card | figures | settled | earlier)


def export(path: Path, folder: Path, *, card: dict[str, Any] | None = None) -> LanguageModelData:
    """The language model as it stands in the checkpoint of an unfinished training."""
    identity, state = Checkpoint(path).read()
    settings = PretrainingSettings(**{field.name: identity[field.name] for field in fields(PretrainingSettings)})
    corpus, tokenizer = _read(folder, settings)
    model = LanguageModel(_encoder(settings, tokenizer))
    model.load_state_dict(state["model"])
    seconds = state["seconds"] + sum(row["seconds"] for row in state["history"])
    n_seen = len(corpus.ids) * state["epoch"] + int(sum(state["weights"])) * identity["processes"]
    figures = {"tokens_seen": n_seen, "seconds": round(seconds)}
    settled = {"settings": asdict(settings), "processes": identity["processes"]}
    return LanguageModelData.from_module(model, tokenizer, (card or {}) | figures | settled)


def _read(folder: Path, settings: PretrainingSettings) -> tuple[TokenCorpus, Tokenizer]:
    """What is trained on, in the direction it is read."""
    corpus, tokenizer = open_corpus(folder)
    corpus = first_documents(corpus, settings.tokens or len(corpus.ids))
    if settings.direction == "backward":
        corpus = corpus.backward()
    return corpus, Tokenizer(tokenizer.model, settings.direction)


def _starting_point(settings: PretrainingSettings, tokenizer: Tokenizer) -> LanguageModelData | None:
    """The language model to continue from; it must read the ids of the corpus, and in the same direction."""
    if not settings.start_from:
        return None
    start = load_pretrained(settings.start_from)
    if start.tokenizer.model != tokenizer.model:
        raise ValueError(
            f"The corpus was encoded with another tokenizer than that of {settings.start_from!r}. Encode it with "
            f"`encode --tokenizer {settings.start_from}`."
        )
    if start.tokenizer.direction != tokenizer.direction:
        raise ValueError(f"{settings.start_from!r} reads {start.tokenizer.direction}; give that as --direction.")
    return start


def _encoder(settings: PretrainingSettings, tokenizer: Tokenizer) -> AWDLSTM:
    architecture = Architecture(len(tokenizer), settings.embedding_dim, settings.hidden_dim, settings.n_layers)
    return AWDLSTM(architecture, LM_DROPOUTS * settings.dropout_multiplier)


def _stage(settings: PretrainingSettings) -> Stage:
    rate = settings.learning_rate
    rates = {f"lstm{index}": rate for index in range(settings.n_layers)}
    return Stage("pretraining", rates | {EMBEDDING: rate * settings.embedding_rate}, settings.epochs)


def _checkpoint(
    settings: PretrainingSettings, checkpoint: CheckpointSettings, n_tokens: int, vocab_size: int, processes: Processes
) -> Checkpoint:
    identity = asdict(settings) | {
        "corpus_tokens": n_tokens, "vocab_size": vocab_size, "processes": processes.world_size,
    }  # fmt: skip
    kind = Checkpoint if processes.world_size == 1 else SharedCheckpoint
    return kind(checkpoint.path, checkpoint.interval_seconds, identity, max_seconds=60 * checkpoint.minutes)


def first_documents(corpus: TokenCorpus, n_tokens: int) -> TokenCorpus:
    """The documents from the start of a corpus that come nearest to `n_tokens` tokens from above."""
    n_documents = min(int(np.searchsorted(corpus.offsets, n_tokens)), len(corpus))
    return TokenCorpus(corpus.ids[: corpus.offsets[n_documents]], corpus.offsets[: n_documents + 1])
