"""What classifier and regressor share: one fit of a language-model stage and the stages of the head."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache, partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted, check_memory

from skulmfit.base import POOLINGS, TextEstimator, check_device, n_threads
from skulmfit.caching import encode, fit_language_model
from skulmfit.callbacks import FitTasks
from skulmfit.finetuner import LMFineTuner
from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.dropout import MAX_DROPOUT
from skulmfit.nn.heads import PoolingHead, TextClassifier
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.loop import Monitor, Observer, OptimizerSettings, train
from skulmfit.training.progress import Progress
from skulmfit.training.recipes import CLASSIFIER_RECIPES, Auto, Phase, Recipe, classifier_batch_size
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import HEAD, Stage
from skulmfit.training.supervised import HeadTask, SupervisedTask, classifier_groups
from skulmfit.validation import check_choice, check_epochs, check_number, check_number_or_auto, check_weights

_SECOND_HEAD_DROPOUT = 0.1  # of the authors' code, for a multiplier of 1


@dataclass(frozen=True)
class Targets:
    """What is to be learnt of a y."""

    values: np.ndarray  # (n_texts, ...), as the loss takes them
    n_outputs: int  # of the head
    loss: Callable[..., Any]
    loss_options: dict[str, Any] = field(default_factory=dict)  # in training, such as label smoothing
    strata: np.ndarray | None = None  # (n_texts,): classes whose proportions early stopping keeps
    class_weights: np.ndarray | None = None  # (n_classes,)
    fitted: dict[str, Any] = field(default_factory=dict)  # attributes that the fitted estimator gets


class SupervisedEstimator(TextEstimator):
    """A language model's encoder under a pooling head, fine-tuned on targets; subclasses say what targets are."""

    def __init__(
        self,
        lm=None,
        *,
        recipe="skulmfit",
        epochs="auto",
        learning_rate="auto",
        lr_decay="auto",
        batch_size="auto",
        gradual_unfreezing="auto",
        dropout_multiplier="auto",
        weight_decay="auto",
        hidden_dim=50,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        memory=None,
        device="auto",
        random_state=None,
        verbose=0,
    ):
        self.lm = lm
        self.recipe = recipe
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.batch_size = batch_size
        self.gradual_unfreezing = gradual_unfreezing
        self.dropout_multiplier = dropout_multiplier
        self.weight_decay = weight_decay
        self.hidden_dim = hidden_dim
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.memory = memory
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _check_targets(self, y: Any, texts: list[str], weights: np.ndarray) -> tuple[Targets, np.ndarray]:
        """What is to be learnt of y, and the weights of the texts with those of their classes in them."""
        raise NotImplementedError

    def _held_out(self, y: Any, texts: list[str], targets: Targets) -> tuple[np.ndarray, np.ndarray]:
        """The y of held-out texts, as the loss of `targets` takes them, and the weights of the texts."""
        raise NotImplementedError

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any):
        """Fit both stages."""
        self._check_parameters()
        texts = self._check_texts(X, reset=True)
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val go together: give both or none.")
        held_out_texts = [] if X_val is None else self._check_texts(X_val, reset=False)
        if directions := self._lm_directions():
            members = {name: clone(self).set_params(lm=lm) for name, lm in directions.items()}
            held_out = {"X_val": held_out_texts or None, "y_val": y_val}
            self._fit_members(members, FitTasks(self, texts, y), lambda m: m.fit(texts, y, sample_weight, **held_out))
            return self
        tasks = FitTasks(self, texts, y)
        targets, weights = self._check_targets(y, texts, check_weights(sample_weight, len(texts)))
        kept = np.flatnonzero(weights)
        if len(kept) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 texts with a weight above 0, got {len(kept)} sample(s)."
            )
        texts, weights, targets = [texts[row] for row in kept], weights[kept], _take(targets, kept)
        seed, runtime = self._draw_seed(), self._runtime()
        split: tuple[np.ndarray, np.ndarray | None]
        if held_out_texts:
            values, value_weights = self._held_out(y_val, held_out_texts, targets)
            split = np.arange(len(texts)), len(texts) + np.arange(len(values))
            targets = replace(targets, values=np.concatenate([targets.values, values]))
            weights = np.concatenate([weights, value_weights])
        else:
            split = self._split(targets, seed)

        lm, recipe = self._fitted_lm(texts, seed, tasks), self._resolved_recipe()
        corpus = encode(self.memory, lm._tokenizer, texts + held_out_texts, n_threads())
        with runtime.seeded(seed):
            network = self._new_network(lm._architecture, targets.n_outputs, self.hidden_dim, recipe)
            network.encoder.load_state_dict(lm._network.encoder.state_dict())
            parts = targets.fitted | {
                "_architecture": lm._architecture, "_tokenizer": lm._tokenizer, "vocab_size_": len(lm._tokenizer),
                "_n_outputs": targets.n_outputs, "_hidden_dim": self.hidden_dim, "recipe_": recipe,
            }  # fmt: skip
            if hasattr(lm, "vocab_transfer_"):
                parts["vocab_transfer_"] = lm.vocab_transfer_
            so_far = {"history_": lm.history_, "lm_stages_": lm.stages_, "stages_": [], "n_iter_": 0, "directions_": {}}
            so_far |= parts | {"_interrupted": False}
            tasks.snapshot = lambda: so_far | {"_network": copy.deepcopy(network).cpu().eval()}
            run = self._train(network, recipe, lm, corpus, targets, weights, split, runtime, seed, tasks)
        # Nothing of an earlier fit is touched before this one has come to its end.
        for name in ("directions_", "vocab_transfer_"):
            self.__dict__.pop(name, None)
        self.__dict__.update(parts)
        self._network = network.cpu().eval()
        (self.stages_, history, self._interrupted), self.lm_stages_ = run, list(lm.stages_)
        self.history_, self.n_iter_ = [*lm.history_, *history], len(history)
        tasks.end()
        return self

    def _check_parameters(self) -> None:
        if isinstance(self.lm, FrozenEstimator):
            check_is_fitted(self.lm.estimator)
        lm = self.lm.estimator if isinstance(self.lm, FrozenEstimator) else self.lm
        if lm is not None and not isinstance(lm, LMFineTuner):
            raise TypeError(f"lm must be an LMFineTuner, a FrozenEstimator of a fitted one, or None; got {self.lm!r}.")
        check_choice(self.recipe, "recipe", CLASSIFIER_RECIPES)
        check_epochs(self.epochs)
        check_number_or_auto(self.batch_size, "batch_size", Integral, low=2)
        check_number_or_auto(self.learning_rate, "learning_rate", Real, low=0, bounds="neither")
        check_number_or_auto(self.lr_decay, "lr_decay", Real, low=1)
        check_number_or_auto(self.dropout_multiplier, "dropout_multiplier", Real, low=0)
        check_number_or_auto(self.weight_decay, "weight_decay", Real, low=0)
        check_number(self.hidden_dim, "hidden_dim", Integral, low=1)
        check_number(self.validation_fraction, "validation_fraction", Real, low=0, high=1, bounds="neither")
        check_number(self.n_iter_no_change, "n_iter_no_change", Integral, low=1)
        check_number(self.verbose, "verbose", Integral, low=0)
        check_choice(self.gradual_unfreezing, "gradual_unfreezing", ("auto", True, False))
        check_choice(self.early_stopping, "early_stopping", (True, False))
        check_memory(self.memory)
        check_device(self.device)

    def _lm_directions(self) -> dict[str, Any]:
        """The language-model stage of each direction, where there are two."""
        if isinstance(self.lm, FrozenEstimator):
            members = getattr(self.lm.estimator, "directions_", {})
            return {name: FrozenEstimator(member) for name, member in members.items()}
        if self.lm is None or self.lm.direction != "both":
            return {}
        return self.lm._checked_members()

    def _fitted_lm(self, texts: list[str], seed: int, tasks: FitTasks) -> LMFineTuner:
        """The language-model stage: a frozen one as it is, or a clone fitted on the texts."""
        if isinstance(self.lm, FrozenEstimator):
            return self.lm.estimator
        default = LMFineTuner(recipe=self.recipe, device=self.device, verbose=self.verbose)
        lm = default if self.lm is None else clone(self.lm)
        if lm.random_state is None and (self.memory is None or self.random_state is not None):
            lm.set_params(random_state=seed)  # a cache would never see the seed of an unseeded fit again
        return fit_language_model(self.memory, lm, texts, tasks)

    def _resolved_recipe(self) -> Recipe:
        names = ("epochs", "learning_rate", "lr_decay", "batch_size", "dropout_multiplier", "weight_decay")
        changes = {name: getattr(self, name) for name in (*names, "gradual_unfreezing")}
        return CLASSIFIER_RECIPES[self.recipe].override(**changes)

    def _train(
        self,
        network: TextClassifier,
        recipe: Recipe,
        lm: LMFineTuner,
        corpus: TokenCorpus,
        targets: Targets,
        weights: np.ndarray,
        split: tuple[np.ndarray, np.ndarray | None],
        runtime: Runtime,
        seed: int,
        observer: Observer,
    ) -> tuple[list[Stage], list[dict], bool]:
        """Run the stages, the head on states computed once, then the rest through the encoder.

        Plan, history, and whether the user interrupted.
        """
        network, rng = network.to(runtime.device), np.random.default_rng(seed)
        rows, held_out_rows = split
        batch_size = classifier_batch_size(len(rows)) if recipe.batch_size == "auto" else recipe.batch_size

        def task(kind: type[SupervisedTask], rows: np.ndarray, loss: Callable, **more: Any) -> SupervisedTask:
            return kind(
                network, corpus.take(rows), targets.values[rows], weights[rows], runtime, loss=loss,
                batch_size=batch_size, pad_id=lm._tokenizer.pad_id, **more,
            )  # fmt: skip

        def with_held_out(kind: type[SupervisedTask]) -> SupervisedTask:
            held_out = None if held_out_rows is None else task(kind, held_out_rows, targets.loss)
            return task(kind, rows, partial(targets.loss, **targets.loss_options), held_out=held_out)

        task_of = cache(lambda head_alone: with_held_out(HeadTask if head_alone else SupervisedTask))
        groups = classifier_groups(network)
        was_interrupted = lm._interrupted and not isinstance(self.lm, FrozenEstimator)
        if was_interrupted:  # the user wants an end: the head alone makes the estimator usable
            recipe = replace(recipe, phases=(Phase(1, Auto(200, most=50)),), gradual_unfreezing=True)
        stages = recipe.stages(list(groups), lambda head_alone: task_of(head_alone).n_batches())
        progress = Progress(self.verbose, stages)
        monitor = Monitor(patience=self.n_iter_no_change, on_step=progress.on_step, observer=observer)
        finished = train(
            network, groups,
            [(stage, task_of(list(stage.learning_rates) == [HEAD])) for stage in stages],
            settings=OptimizerSettings(recipe.betas, recipe.weight_decay, recipe.clip), runtime=runtime, rng=rng,
            monitor=monitor,
        )  # fmt: skip
        progress.close()
        return stages, monitor.history, was_interrupted or not finished

    def _split(self, targets: Targets, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows to train on, and rows set aside for early stopping: of every class where there are enough."""
        rows = np.arange(len(targets.values))
        if not self.early_stopping:
            return rows, None
        n_held_out = int(np.ceil(self.validation_fraction * len(rows)))
        if len(rows) - n_held_out < 2:
            raise ValueError(f"early_stopping=True leaves {len(rows) - n_held_out} of {len(rows)} texts to train on.")
        strata = targets.strata
        if strata is not None:
            counts = np.unique(strata, return_counts=True)[1]
            can_stratify = counts.min() > 1 and len(counts) <= min(n_held_out, len(rows) - n_held_out)
            strata = strata if can_stratify else None
        kept, held_out = train_test_split(rows, test_size=n_held_out, random_state=seed, stratify=strata)
        return np.sort(kept), np.sort(held_out)

    def _build_network(self) -> TextClassifier:
        return self._new_network(self._architecture, self._n_outputs, self._hidden_dim, self.recipe_)

    @staticmethod
    def _new_network(architecture: Architecture, n_outputs: int, hidden_dim: int, recipe: Recipe) -> TextClassifier:
        """Encoder and head; the dropout of the output is the head's first one, as in the authors' code."""
        dropouts = recipe.dropouts * recipe.dropout_multiplier
        head_dropouts = (dropouts.output, min(_SECOND_HEAD_DROPOUT * recipe.dropout_multiplier, MAX_DROPOUT))
        head = PoolingHead(len(POOLINGS) * architecture.embedding_dim, n_outputs, hidden_dim, head_dropouts)
        return TextClassifier(AWDLSTM(architecture, replace(dropouts, output=0.0)), head)

    def transform(self, X):
        """Pooled hidden states of texts in the fine-tuned encoder: [last, max, mean].

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, 3 * embedding_dim), float32
            Of two directions, one beside the other.
        """
        if members := self._members():
            texts = self._check_texts(X, reset=False)
            return np.hstack([member.transform(texts) for member in members])
        return self._document_outputs(X)

    def _outputs(self, X: Any) -> np.ndarray:
        """What the head makes of texts, float32 of shape (n_texts, n_outputs)."""
        return self._document_outputs(X, self._network.head)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the columns of `transform`: the class's name with _last0, ..., _max0, ..., _mean0, ...

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str
        """
        return self._feature_names(POOLINGS)


def _take(targets: Targets, rows: np.ndarray) -> Targets:
    strata = None if targets.strata is None else targets.strata[rows]
    return replace(targets, values=targets.values[rows], strata=strata)
