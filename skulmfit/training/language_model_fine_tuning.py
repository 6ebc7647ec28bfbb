"""The first half of ULMFiT: a language model is fine-tuned on documents (Howard & Ruder 2018, section 3.2)."""

from collections.abc import Sequence

import numpy as np

from skulmfit.models.language_model import LanguageModel
from skulmfit.nn.runtime import Runtime
from skulmfit.text.streams import n_streams
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.callback import Callback
from skulmfit.training.early_stopping import EarlyStopping
from skulmfit.training.history import History
from skulmfit.training.language_model_task import LanguageModelTask
from skulmfit.training.layer_groups import language_model_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.outcome import Outcome
from skulmfit.training.recipe import Recipe


def fine_tune_language_model(
    start: LanguageModel,
    corpus: TokenCorpus,
    recipe: Recipe,
    *,
    bptt: int,
    runtime: Runtime,
    rng: np.random.Generator,
    validation: TokenCorpus | None = None,
    patience: int = 2,
    callbacks: Sequence[Callback] = (),
) -> tuple[LanguageModel, Outcome]:
    """Fine-tune a language model on documents with discriminative learning rates.

    Dropout draws from torch's random state, which the caller has seeded.

    Parameters
    ----------
    start : LanguageModel
    corpus : TokenCorpus
        In the direction that the model reads.
    recipe : Recipe
    bptt : int
        Mean number of tokens through which gradients flow back.
    runtime : Runtime
    rng : numpy.random.Generator
        Of the order of the documents and the lengths of the batches.
    validation : TokenCorpus, optional
        Documents for early stopping.
    patience : int, default=2
        Epochs without improvement after which early stopping ends a stage.
    callbacks : sequence of Callback

    Returns
    -------
    model : LanguageModel
    outcome : Outcome

    Raises
    ------
    ValueError
        If the recipe is one of a classifier, without a number of streams.
    """
    if recipe.batch_size == "auto":
        raise ValueError(
            "A language model needs a recipe with a number of streams, but its batch_size is 'auto'. "
            "Start from one of skulmfit.LANGUAGE_MODEL_RECIPES."
        )
    network = start.build(recipe.dropouts * recipe.dropout_multiplier).to(runtime.device)
    task = LanguageModelTask(
        network, corpus, runtime, rng, batch_size=n_streams(len(corpus.ids), recipe.batch_size, bptt), bptt=bptt,
        alpha=recipe.alpha, beta=recipe.beta, validation=validation,
    )  # fmt: skip
    outcome = Outcome()
    if not recipe.trains_nothing and task.n_batches() > 0 and len(corpus.ids) >= recipe.least_tokens:
        groups, history = language_model_groups(network), History()
        stages = recipe.stages(list(groups), lambda alone: task.n_batches(), whole="language model")
        is_finished = train(
            network, groups, [(stage, task) for stage in stages],
            settings=OptimizerSettings(recipe.betas, recipe.weight_decay, recipe.clip), runtime=runtime, rng=rng,
            callbacks=[EarlyStopping(patience), history, *callbacks],
        )  # fmt: skip
        outcome = Outcome(stages, history.rows, interrupted=not is_finished, losses=history.losses)
    return start.with_weights(network), outcome
