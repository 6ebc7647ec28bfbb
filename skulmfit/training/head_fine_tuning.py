"""The second half of ULMFiT: the encoder is fine-tuned under a head (Howard & Ruder 2018, section 3.3)."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from skulmfit.inference.beginnings import Beginnings
from skulmfit.inference.documents import document_outputs
from skulmfit.models.fine_tuned_model import FineTunedModel, HeadShape, new_document_network
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.sentence_map import build_features
from skulmfit.models.weights import load_numpy, to_numpy
from skulmfit.nn.encoder import Encoder
from skulmfit.nn.heads import SolvedHead
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.contrastive_task import ContrastiveTask
from skulmfit.training.early_stopping import EarlyStopping
from skulmfit.training.head import Head, Readings, Solver, WordReadings, Words
from skulmfit.training.history import History
from skulmfit.training.layer_groups import HEAD, document_network_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.outcome import Outcome
from skulmfit.training.recipe import Recipe
from skulmfit.training.supervised_task import MAX_BACKPROP, Examples, HeadTask, OutputLoss, SupervisedTask


def fine_tune_with_head(
    language_model: LanguageModel,
    head: Head,
    examples: Examples,
    recipe: Recipe,
    *,
    runtime: Runtime,
    rng: np.random.Generator,
    validation: Examples | None = None,
    words: Words | None = None,
    patience: int = 3,
    callbacks: Sequence[Callback] = (),
) -> tuple[FineTunedModel, Outcome]:
    """Put a head on a language model's encoder, and train both by the stages of a recipe.

    The paper's head starts from nothing. A solved head starts as the best linear model of features that are computed
    once, before any layer trains. If sentence vectors are among them, and the targets put documents into groups,
    training draws those of a group together, and the head may end as the best model of the features as they are then.
    First weights and dropout draw from torch's random state, which the caller has seeded.

    Parameters
    ----------
    language_model : LanguageModel
    head : Head
    examples : Examples
        Encoded with the language model's tokenizer.
    recipe : Recipe
        Its first phases may train the head alone and unfreeze the layers below one by one.
    runtime : Runtime
    rng : numpy.random.Generator
        Of the order of the documents.
    validation : Examples, optional
        For early stopping.
    words : Words, optional
        Phrases that say what the classes are about, for the regression of a solved head.
    patience : int, default=3
        Epochs without improvement after which early stopping ends a stage.
    callbacks : sequence of Callback

    Returns
    -------
    model : FineTunedModel
    outcome : Outcome
    """
    shape = head.shape(language_model, recipe)
    network = with_new_head(language_model, shape, recipe).to(runtime.device)
    has_vectors = isinstance(network.head, SolvedHead) and network.head.features.sentence_dim > 0  # of sentences
    if words is not None and not has_vectors:
        raise ValueError(
            "label_texts needs sentence vectors under the head: a recipe whose features are 'auto', 'combined' or "
            "'sentence', and a language model that was taught by a sentence encoder, such as 'en'."
        )
    beginnings = Beginnings(examples.corpus, MAX_BACKPROP, runtime)
    if isinstance(network.head, SolvedHead):
        _solve(network, head.solve, examples, words, beginnings)
    trained = examples
    if words is not None:  # a class without examples would be forgotten
        trained = examples.beside(words.phrases)
        beginnings = Beginnings(trained.corpus, MAX_BACKPROP, runtime)
    groups, history = document_network_groups(network), History()
    together = head.groups(trained.targets) if has_vectors else None
    size = batch_size(recipe, len(trained.corpus))
    tasks = _Tasks(network, head, trained, validation, runtime, size, together, recipe.contrast, beginnings)
    stages = recipe.stages(list(groups), lambda alone: tasks.new(alone).n_batches())
    is_finished = train(
        network, groups, [(stage, tasks.new(list(stage.learning_rates) == [HEAD])) for stage in stages],
        settings=OptimizerSettings(recipe.betas, recipe.weight_decay, recipe.clip), runtime=runtime, rng=rng,
        callbacks=[EarlyStopping(patience), history, *callbacks],
    )  # fmt: skip
    if together is not None and head.ends_solved and _has_moved(network.encoder, language_model):
        is_finished = _solve_again(network, head.solve, examples, words, runtime) and is_finished
    model = FineTunedModel.from_network(network, language_model, shape)
    return model, Outcome(stages, history.rows, interrupted=not is_finished, losses=history.losses)


def with_new_head(language_model: LanguageModel, shape: HeadShape, recipe: Recipe) -> DocumentNetwork:
    """The whole encoder of a language model, embeddings and all layers, under a head that has learnt nothing yet."""
    network = new_document_network(language_model.architecture, shape, recipe.dropouts, recipe.dropout_multiplier)
    prefix, weights = "encoder.", language_model.weights
    own = {name.removeprefix(prefix): array for name, array in weights.items() if name.startswith(prefix)}
    load_numpy(network.encoder, own)
    if isinstance(network.head, SolvedHead) and shape.features is not None:
        network.head.features = build_features(
            shape.features, language_model.architecture, language_model.sentence_map
        )  # fmt: skip
    return network


def _solve(
    network: DocumentNetwork, solve: Solver, examples: Examples, words: Words | None, beginnings: Beginnings,
    *, is_fine_tuned: bool = False,
) -> None:  # fmt: skip
    """Make the head a regression on the features of the encoder as it is."""
    encoder, head = network.encoder, network.head
    assert isinstance(head, SolvedHead)

    def features(corpus: TokenCorpus) -> np.ndarray:
        if not len(corpus):
            return np.empty((0, head.features.n_features), np.float32)
        return document_outputs(encoder, corpus, beginnings.runtime, head=head.features)  # (n, F)

    in_words = None
    if words is not None:
        in_words = WordReadings(
            features(words.phrases.corpus), words.phrases.targets, features(words.unlabelled),
            head.features.sentence_dim, head.features.kind.sentence_scale,
        )  # fmt: skip
    beginnings.read(encoder, head.n_layers)
    is_empty = not len(examples.corpus)
    own = features(examples.corpus) if is_empty else beginnings.outputs(encoder, head.n_layers, head.features)
    weight, bias = solve(Readings(own, examples.targets, examples.weights, in_words, is_fine_tuned))
    head.solve(torch.from_numpy(weight), torch.from_numpy(bias))


def _has_moved(encoder: Encoder, start: LanguageModel) -> bool:
    """Whether an encoder is no longer that of the language model: a training may have ended before, or at its head."""
    now = to_numpy(encoder)
    return any(not np.array_equal(array, start.weights[f"encoder.{name}"]) for name, array in now.items())


def _solve_again(
    network: DocumentNetwork, solve: Solver, examples: Examples, words: Words | None, runtime: Runtime
) -> bool:
    """Make the head a regression on the features of a fine-tuned encoder; False if the user has no patience for it."""
    beginnings = Beginnings(examples.corpus, MAX_BACKPROP, runtime)
    try:
        _solve(network, solve, examples, words, beginnings, is_fine_tuned=True)
    except KeyboardInterrupt:
        warnings.warn("The last regression was interrupted by user; the head is that of the training.", stacklevel=3)
        return False
    return True


def batch_size(recipe: Recipe, n_documents: int) -> int:
    """Documents per update: enough updates for few documents, enough speed for many."""
    return min(max(n_documents // 80, 16), 64) if recipe.batch_size == "auto" else recipe.batch_size


@dataclass(frozen=True)
class _Tasks:
    """Makes the task of each stage. A task of the head alone computes the encoder's states only once."""

    network: DocumentNetwork
    head: Head
    examples: Examples
    validation: Examples | None
    runtime: Runtime
    batch_size: int
    together: np.ndarray | None
    contrast: float
    beginnings: Beginnings

    def new(self, head_alone: bool) -> SupervisedTask:
        kind = HeadTask if head_alone else SupervisedTask
        validation = None
        if self.validation is not None:
            validation = self._of(kind, self.validation, self.head.loss, score=self.head.score)
        trained: Callable[..., SupervisedTask] = kind
        if self.together is not None and self.contrast and not head_alone:
            trained = partial(ContrastiveTask, groups=self.together, weight=self.contrast)
        return self._of(
            trained, self.examples, self.head.training_loss, validation=validation, beginnings=self.beginnings
        )  # fmt: skip

    def _of(
        self, kind: Callable[..., SupervisedTask], examples: Examples, loss: OutputLoss, **options: Any
    ) -> SupervisedTask:
        return kind(self.network, examples, self.runtime, loss=loss, batch_size=self.batch_size, **options)
