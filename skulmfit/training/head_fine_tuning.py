"""The second half of ULMFiT: the encoder is fine-tuned under a head (Howard & Ruder 2018, section 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skulmfit.models.fine_tuned_model import FineTunedModel, new_document_network
from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.training.callback import Callback
from skulmfit.training.early_stopping import EarlyStopping
from skulmfit.training.history import History
from skulmfit.training.layer_groups import HEAD, document_network_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.outcome import Outcome
from skulmfit.training.recipe import Recipe
from skulmfit.training.supervised_task import Examples, HeadTask, OutputLoss, SupervisedTask


@dataclass(frozen=True)
class Head:
    """What stands on the encoder: its sizes, and the loss of its outputs.

    Parameters
    ----------
    n_outputs : int
    head_dim : int
        Width of the hidden layer.
    loss : callable
        Of outputs (B, C), targets (B, ...) and weights (B,).
    training_loss : callable
        The same in training, with label smoothing for example.
    """

    n_outputs: int
    head_dim: int
    loss: OutputLoss
    training_loss: OutputLoss


def fine_tune_with_head(
    language_model: LanguageModel,
    head: Head,
    examples: Examples,
    recipe: Recipe,
    *,
    runtime: Runtime,
    rng: np.random.Generator,
    validation: Examples | None = None,
    patience: int = 3,
    callbacks: Sequence[Callback] = (),
) -> tuple[FineTunedModel, Outcome]:
    """Put a new head on a language model's encoder, and train both by the stages of a recipe.

    The head's first weights and dropout draw from torch's random state, which the caller has seeded.

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
    patience : int, default=3
        Epochs without improvement after which early stopping ends a stage.
    callbacks : sequence of Callback

    Returns
    -------
    model : FineTunedModel
    outcome : Outcome
    """
    network = with_new_head(language_model, head, recipe).to(runtime.device)
    groups, history = document_network_groups(network), History()
    tasks = _Tasks(network, head, examples, validation, runtime, batch_size(recipe, len(examples.corpus)))
    stages = recipe.stages(list(groups), lambda alone: tasks.new(alone).n_batches())
    is_finished = train(
        network, groups, [(stage, tasks.new(list(stage.learning_rates) == [HEAD])) for stage in stages],
        settings=OptimizerSettings(recipe.betas, recipe.weight_decay, recipe.clip), runtime=runtime, rng=rng,
        callbacks=[EarlyStopping(patience), history, *callbacks],
    )  # fmt: skip
    model = FineTunedModel.from_network(network, language_model, head.n_outputs, head.head_dim)
    return model, Outcome(stages, history.rows, interrupted=not is_finished)


def with_new_head(language_model: LanguageModel, head: Head, recipe: Recipe) -> DocumentNetwork:
    """The whole encoder of a language model, embeddings and all layers, under a head that has learnt nothing yet."""
    network = new_document_network(
        language_model.architecture, head.n_outputs, head.head_dim, recipe.dropouts, recipe.dropout_multiplier
    )
    network.encoder.load_state_dict(language_model.network.encoder.state_dict())
    return network


def batch_size(recipe: Recipe, n_documents: int) -> int:
    """Documents per update: enough updates for few documents, enough speed for many."""
    return min(max(n_documents // 80, 16), 64) if recipe.batch_size == "auto" else recipe.batch_size


@dataclass(frozen=True)
class _Tasks:
    """Makes the task of each stage: a stage of the head alone reads the encoder's states once."""

    network: DocumentNetwork
    head: Head
    examples: Examples
    validation: Examples | None
    runtime: Runtime
    batch_size: int

    def new(self, head_alone: bool) -> SupervisedTask:
        kind = HeadTask if head_alone else SupervisedTask
        validation = None if self.validation is None else self._of(kind, self.validation, self.head.loss)
        return self._of(kind, self.examples, self.head.training_loss, validation)

    def _of(
        self, kind: type[SupervisedTask], examples: Examples, loss: OutputLoss, validation: SupervisedTask | None = None
    ) -> SupervisedTask:
        return kind(self.network, examples, self.runtime, loss=loss, batch_size=self.batch_size, validation=validation)
