"""Pretraining: a new language model on an encoded corpus, in one pass, from which a kill takes minutes at most."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.heads import LanguageModel
from skulmfit.pretrained.language_model import LanguageModelData
from skulmfit.pretraining.encoding import open_corpus
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.checkpoint import Checkpoint
from skulmfit.training.language_model import LanguageModelTask, language_model_groups
from skulmfit.training.loop import Monitor, OptimizerSettings, train
from skulmfit.training.progress import Progress
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import Stage


@dataclass(frozen=True)
class PretrainingSettings:
    """Everything a pretraining run depends on, besides its corpus."""

    tokens: int = 25_600_000  # from the start of the corpus, whole documents
    embedding_dim: int = 256
    hidden_dim: int = 640
    n_layers: int = 3
    learning_rate: float = 5e-3
    batch_size: int = 64
    bptt: int = 70
    seed: int = 0
    device: str = "auto"


def pretrain(
    folder: Path, settings: PretrainingSettings, *, checkpoint_path: Path, checkpoint_seconds: float
) -> LanguageModelData:
    """Train on the encoded corpus of a folder, continuing from the checkpoint if there is one.

    No dropout: a compact network that sees every token once has nothing to over-fit.
    """
    corpus, tokenizer = open_corpus(folder)
    corpus = first_documents(corpus, settings.tokens)
    runtime, rng = Runtime.resolve(settings.device), np.random.default_rng(settings.seed)
    architecture = Architecture(len(tokenizer), settings.embedding_dim, settings.hidden_dim, settings.n_layers)
    identity = asdict(settings) | {"corpus_tokens": len(corpus.ids), "vocab_size": len(tokenizer)}
    checkpoint = Checkpoint(checkpoint_path, checkpoint_seconds, identity)
    monitor = Monitor(on_step=Progress(verbose=1).on_step)
    with runtime.seeded(settings.seed):
        model = LanguageModel(AWDLSTM(architecture)).to(runtime.device)
        task = LanguageModelTask(
            model, corpus, runtime, rng, batch_size=settings.batch_size, bptt=settings.bptt, alpha=0.0, beta=0.0
        )  # fmt: skip
        groups = language_model_groups(model)
        stage = Stage("pretraining", dict.fromkeys(groups, settings.learning_rate), epochs=1)
        finished = train(
            model, groups, [(stage, task)],
            settings=OptimizerSettings(betas=(0.8, 0.99), weight_decay=0.01, clip=1.0),
            runtime=runtime, rng=rng, monitor=monitor, checkpoint=checkpoint,
        )  # fmt: skip
    if not finished:
        raise SystemExit(f"Interrupted. The same command continues from {checkpoint_path}.")
    card = {"settings": asdict(settings), "tokens_seen": len(corpus.ids)}
    return LanguageModelData.from_module(model, tokenizer, card)


def first_documents(corpus: TokenCorpus, n_tokens: int) -> TokenCorpus:
    """The documents from the start of a corpus that come nearest to `n_tokens` tokens from above."""
    n_documents = min(int(np.searchsorted(corpus.offsets, n_tokens)), len(corpus))
    return TokenCorpus(corpus.ids[: corpus.offsets[n_documents]], corpus.offsets[: n_documents + 1])
