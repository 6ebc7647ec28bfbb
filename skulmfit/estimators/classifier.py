"""ULMFiTClassifier: a language model, fine-tuned on texts, and a classifier on top of it behind one fit."""

import os
import reprlib
from collections.abc import Iterable
from dataclasses import replace
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Tags

from skulmfit.estimators.compat import with_callbacks
from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.fitted_state import SupervisedState
from skulmfit.estimators.indicator_targets import Indicators, label_matrix
from skulmfit.estimators.label_targets import Labels
from skulmfit.estimators.label_texts import LabelTexts, Phrases, labelled_rows, take_rows
from skulmfit.estimators.supervised import SupervisedEstimator
from skulmfit.estimators.supervised_data import SupervisedData
from skulmfit.estimators.targets import ClassTargets
from skulmfit.estimators.validation import ClassWeight, Memory, normalise_weights
from skulmfit.inference.explanation import Explanations
from skulmfit.training.parameters import check_number, check_number_or_auto
from skulmfit.training.recipe import Recipe

LABELS_A_CLASS = 4  # beside phrases, for training to be of use: measured, see docs/log


class ULMFiTClassifier(ClassifierMixin, SupervisedEstimator[ClassTargets]):
    """Text classifier fine-tuned from a pretrained language model (ULMFiT).

    `fit` runs two stages. The language model is fine-tuned on the texts, labels ignored. Then its whole encoder gets
    a head on its pooled states and is fine-tuned on the labels, with discriminative learning rates and slanted
    triangular schedules. The head starts as a logistic regression on the features of the encoder as it is. With a model
    that has sentence vectors, such as `en`, every update also draws those of a class together (Khosla et al. 2020), and
    in the end the head is a logistic regression on the features of the fine-tuned encoder.
    Where y is an indicator matrix, every text may have several labels or none, and those with the same are drawn
    together. With `label_texts`, phrases for the classes, it needs few labels or none: see docs/guide/labels-in-words.

    Parameters
    ----------
    lm : LMFineTuner, FrozenEstimator or None, default=None
        The language-model stage. None stands for `LMFineTuner()`; this classifier's `device` and `verbose` are its own
        too. To search over `lm__epochs` and the like, give one. A fitted `LMFineTuner` in a
        `sklearn.frozen.FrozenEstimator` is used as it is: so you bring in unlabelled texts, and fine-tune once for many
        classifiers.
    recipe : {"skulmfit", "quick", "paper", "fastai", "multifit"} or Recipe, default="skulmfit"
        Every parameter that is "auto" takes its value from here: our own recipe, found by measurement, a published one,
        or one that you have made. A name holds for the language-model stage too, unless `lm` is given. The numbers in
        brackets below are those of the default.
    epochs : int or "auto", default="auto"
        Epochs of the last stage, in which all layers train (as many as make about 150 updates, 5 to 8); the plan is in
        `stages_`. With `label_texts` 0 leaves the encoder as it is.
    learning_rate : float or "auto", default="auto"
        Peak learning rate of the head (2e-3); stages of a recipe may multiply it.
    lr_decay : float or "auto", default="auto"
        How much slower each layer learns than the one above it (1.6).
    batch_size : int or "auto", default="auto"
        Documents per update (16 to 64, more where there are more documents).
    gradual_unfreezing : bool or "auto", default="auto"
        True trains the head first, and then unfreezes the layers one by one, from the top. With False, the default,
        all train from the start.
    dropout_multiplier : float or "auto", default="auto"
        Factor on all dropouts of encoder and head (0.2).
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay (0.01).
    hidden_dim : int, default=50
        Width of the head's hidden layer. Where the head ends as a regression, it has one only while it trains.
    label_smoothing : float or "auto", default="auto"
        Share of the target spread over all classes (0).
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss. With several labels a text: weight of the presence of each label against its
        absence, by column.
    early_stopping : bool, default=False
        Whether to set aside part of the training data, end a stage when the loss on it stops improving, and keep the
        weights that did best on it.
    validation_fraction : float, default=0.1
        Share of the training data set aside for early stopping.
    n_iter_no_change : int, default=3
        Epochs without improvement after which early stopping ends a stage.
    memory : str, path, joblib.Memory or None, default=None
        Where to keep tokenised texts and fine-tuned language models, so that a grid over the parameters of the head
        fine-tunes once per fold, also with `n_jobs`. What is found there is taken as it is, also with
        `random_state=None`.
    checkpoint : str, path or None, default=None
        Folder where a long `fit` keeps its state every 2 minutes. After a kill the same `fit` goes on from there, and
        ends with the same bits as if it had never been cut. What it has kept is removed at its end.
    device : str, default="auto"
        Where to compute: "auto" takes a GPU where there is one, else the CPU.
    precision : {"float32", "bfloat16"}, default="float32"
        In what `transform` and the predictions read texts. "bfloat16" is faster on processors that compute it; on
        others it is float32. It does not change `fit`.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The same int gives the same bits on the same machine, on
        any number of threads.
    verbose : int, default=0
        1 shows progress.
    label_texts : dict, optional
        For each class a phrase, or several, that say what its texts are like: `{"spam": "You have won a prize!", ...}`.
        With them labels may be few, missing, or none at all. The phrases count as much as 100 labels. Below 4 labels a
        class in the mean no layer is trained, unless `epochs` is a number. With `lm=None` the language model stays as
        it is, since training would move it away from its sentence vectors. Where y is an indicator matrix, the classes
        are the numbers of its columns.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; with several labels a text, the names of the columns of y, or their numbers.
    recipe_ : Recipe
        The recipe with the parameters given in place of its own.
    history_ : list of dict
        One row per epoch, language-model stage first: stage, epoch, loss, updates, seconds; with early stopping or
        validation texts also validation_loss and validation_score, which is what `score` gives with the head as it is
        after the epoch. It prints as a table, and has `to_frame()`.
    loss_curve_ : list of float
        The loss of every update, in the order of `history_`.
    stages_ : list of Stage
        The resolved plan: which layers trained at which rate for how many epochs.
    lm_stages_ : list of Stage
        The resolved plan of the language-model stage.
    n_iter_ : int
        Number of epochs after the language-model stage, all stages together.
    vocab_size_ : int
        Number of pieces of the tokenizer.
    vocab_transfer_ : dict
        What became of the vocabulary of the pretrained model, as in `LMFineTuner`; only with a tokenizer of one's own.
        With two directions, each in `directions_` has it.
    directions_ : dict of str to estimator
        The fitted estimator of each direction.

    See Also
    --------
    ULMFiTRegressor : The same for numbers.
    LMFineTuner : The language model alone, as a transformer.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018.
    P. Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020.

    Examples
    --------
    >>> from skulmfit import LMFineTuner, ULMFiTClassifier
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
    >>> labels = ["good", "bad", "good", "bad"] * 5
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
    >>> clf = ULMFiTClassifier(lm=lm, learning_rate=0.02, random_state=0).fit(texts, labels)
    >>> clf.predict(["fine film", "dull film"])
    array(['good', 'bad'], dtype='<U4')

    From phrases, without labels:

    >>> clf = ULMFiTClassifier(label_texts={"place": "Where is it?", "number": "How many, how much?"})
    >>> clf.fit(["Where is Lima?", "How many legs do ants have?", "What city is it in?", "How long is a mile?"])
    ULMFiTClassifier(label_texts={'number': 'How many, how much?',
                                  'place': 'Where is it?'})
    >>> clf.predict(["Which country has the most lakes?", "How old is he?"])
    array(['place', 'number'], dtype='<U6')
    """

    _targets_kind = ClassTargets
    classes_: np.ndarray

    def __init__(
        self,
        lm: LMFineTuner | FrozenEstimator | None = None,
        *,
        recipe: str | Recipe = "skulmfit",
        epochs: int | Literal["auto"] = "auto",
        learning_rate: float | Literal["auto"] = "auto",
        lr_decay: float | Literal["auto"] = "auto",
        batch_size: int | Literal["auto"] = "auto",
        gradual_unfreezing: bool | Literal["auto"] = "auto",
        dropout_multiplier: float | Literal["auto"] = "auto",
        weight_decay: float | Literal["auto"] = "auto",
        hidden_dim: int = 50,
        label_smoothing: float | Literal["auto"] = "auto",
        class_weight: ClassWeight = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 3,
        memory: Memory = None,
        checkpoint: str | os.PathLike | None = None,
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
        random_state: int | RandomState | None = None,
        verbose: int = 0,
        label_texts: LabelTexts | None = None,
    ):
        super().__init__(
            lm,
            recipe=recipe,
            epochs=epochs,
            learning_rate=learning_rate,
            lr_decay=lr_decay,
            batch_size=batch_size,
            gradual_unfreezing=gradual_unfreezing,
            dropout_multiplier=dropout_multiplier,
            weight_decay=weight_decay,
            hidden_dim=hidden_dim,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            memory=memory,
            checkpoint=checkpoint,
            device=device,
            precision=precision,
            random_state=random_state,
            verbose=verbose,
        )
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.label_texts = label_texts

    @with_callbacks
    def fit(
        self,
        X: Iterable[str],
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Iterable[str] | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fine-tune the language model on texts, then the classifier on texts and labels.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_texts,) or {array, sparse matrix} of shape (n_texts, n_labels)
            Labels: strings, members of an enum of strings, booleans, whole numbers or NumPy dates, all of one type; or
            an indicator matrix of several labels a text. With `label_texts` labels may be missing: None, NaN, or
            scikit-learn's -1 where that is no class; of an indicator matrix, whole rows. None for y means that all are.
        sample_weight : array-like of shape (n_texts,), optional
            Weights in the classifier's loss. A text of weight 0 is left out of both stages.
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X. A stage ends when the loss stops
            improving, and the weights that did best are kept. Give `y_val` too.
        y_val : array-like, optional
            Their labels, as y.

        Returns
        -------
        self : ULMFiTClassifier
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if isinstance(self.class_weight, dict):
            for label, weight in self.class_weight.items():
                check_number(weight, f"class_weight[{label!r}]", Real, low=0)
        check_number_or_auto(self.label_smoothing, "label_smoothing", Real, low=0, high=1, bounds="left")
        if not isinstance(self.class_weight, dict | None) and self.class_weight != "balanced":
            raise ValueError(f"class_weight must be a dict, 'balanced' or None, got {self.class_weight!r}.")
        if self.label_texts is not None:
            Phrases.check(self.label_texts).classes()

    def _resolved_recipe(self) -> Recipe:
        return super()._resolved_recipe().override(label_smoothing=self.label_smoothing)

    def _learn_targets(
        self, y: Any, texts: list[str], weights: np.ndarray
    ) -> tuple[ClassTargets, np.ndarray, np.ndarray]:
        if label_matrix(y) is not None:
            return Indicators.learn(y, texts, self.class_weight, weights)
        return Labels.learn(y, texts, type(self).__name__, self.class_weight, weights)

    def _learn(self, y: Any, texts: list[str], weights: np.ndarray) -> SupervisedData[ClassTargets]:
        if self.label_texts is None:
            return super()._learn(y, texts, weights)
        phrases = Phrases.check(self.label_texts)
        has_label, counts = labelled_rows(y, len(texts), phrases.labels), weights > 0
        rows = np.flatnonzero(has_label & counts)
        labelled = [texts[row] for row in rows]
        targets, encoded, own_weights = self._learn_beside(phrases, y, rows, labelled, weights[rows])
        return SupervisedData(
            labelled, encoded, own_weights, targets,
            unlabelled=[texts[row] for row in np.flatnonzero(~has_label & counts)],
            phrases=list(phrases.texts), phrase_targets=targets.of_columns(phrases.columns(targets.classes)),
        )  # fmt: skip

    def _learn_beside(
        self, phrases: Phrases, y: Any, rows: np.ndarray, texts: list[str], weights: np.ndarray
    ) -> tuple[ClassTargets, np.ndarray, np.ndarray]:
        """As `_learn_targets` of some rows of y, those of the texts; there may be none."""
        labels = take_rows(y, rows)
        if label_matrix(y) is None:
            return Labels.learn_beside(phrases, labels, texts, self.class_weight, weights)
        if len(texts):
            return Indicators.learn(labels, texts, self.class_weight, normalise_weights(weights))
        # Without examples no probability need reach 0.5, and who has phrases wants a label.
        targets = replace(Indicators.of_columns_of(y), always_some=True)
        return targets, np.empty((0, targets.n_outputs), np.int64), weights

    def _plan(self, recipe: Recipe, data: SupervisedData[ClassTargets]) -> Recipe:
        """With phrases and few labels, the head that both make is as good as what training makes of it."""
        if self.label_texts is None:
            return recipe
        if self.epochs == 0:
            return recipe.without_training()
        n_labels = len(data.encoded) - data.n_validation
        wanted = n_labels >= (LABELS_A_CLASS * data.targets.n_outputs if self.epochs == "auto" else 2)
        return recipe if wanted else recipe.without_training()

    def _has_untrained_head(self) -> bool:
        """With phrases there is one."""
        return self.label_texts is not None

    def _default_language_model(self) -> LMFineTuner:
        """With phrases, the language model as it is: training it would move it away from its sentence vectors."""
        lm = super()._default_language_model()
        return lm if self.label_texts is None else lm.set_params(epochs=0)

    def _attributes(self, fitted: SupervisedState[ClassTargets]) -> dict[str, Any]:
        return super()._attributes(fitted) | {"classes_": fitted.targets.classes}

    def _logits(self, X: Iterable[str]) -> tuple[ClassTargets, np.ndarray]:
        """The targets, and logits of every class, (n_texts, n_classes)."""
        fitted = self._state()
        return fitted.targets, fitted.targets.logits(self._outputs(X, fitted))

    def decision_function(self, X: Iterable[str]) -> np.ndarray:
        """Logits of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_classes), float32
            With two classes, by how much the second one's logit is above the first one's.
        """
        targets, logits = self._logits(X)
        return targets.decisions(logits)

    def predict_proba(self, X: Iterable[str]) -> np.ndarray:
        """Probability of every class.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            Columns in the order of `classes_`. With several labels a text, of each label on its own. Of two directions,
            the mean of what each predicts (Howard & Ruder 2018, section 3.3).
        """
        targets, logits = self._logits(X)
        return targets.probabilities(logits)

    def predict_log_proba(self, X: Iterable[str]) -> np.ndarray:
        """Logarithm of the probability of every class; finite also where the probability itself rounds to 0.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts, n_classes), float32
            Columns in the order of `classes_`.
        """
        targets, logits = self._logits(X)
        return targets.log_probabilities(logits)

    def predict(self, X: Iterable[str]) -> np.ndarray:
        """Most probable label of every text.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_labels)
            With several labels a text, an indicator matrix of those more probable than not. Where every labelled
            text of `fit` had at least one, or none was labelled, the most probable label is always among them.
        """
        targets, logits = self._logits(X)
        return targets.decode(logits)

    def explain(self, X: Iterable[str], labels: Iterable[Any] | None = None) -> Explanations:
        """What each word of a text contributes to the decision: how the decision changes without it.

        Every word is left out once, and the text read without it. Of a text of more than 100 words, sentences are left
        out first, and then the words of the sentences that matter. Time grows with the square of a text's length.

        Parameters
        ----------
        X : iterable of str
        labels : iterable, optional
            Labels to explain. By default the predicted one of each text; with several labels a text, those that are
            more probable than not, or else the most probable one.

        Returns
        -------
        Explanations
            One for each text, a highlighted text in a notebook. A contribution is by how much the log-odds of the label
            fall without the word, log(p / (1 - p)).

        Raises
        ------
        ValueError
            If a label is not one of `classes_`.

        Examples
        --------
        >>> from skulmfit import LMFineTuner, ULMFiTClassifier
        >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
        >>> labels = ["good", "bad", "good", "bad"] * 5
        >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
        >>> clf = ULMFiTClassifier(lm=lm, learning_rate=0.02, random_state=0).fit(texts, labels)
        >>> why = clf.explain(["dull music"])[0]
        >>> [word for word, contribution in why.strongest(1)]
        ['dull']
        """
        columns = None if labels is None else self._columns(labels)
        return self._explain(X, columns, is_probability=True)

    def _columns(self, labels: Iterable[Any]) -> list[int]:
        """Places of labels among the classes."""
        known = list(self._state().targets.labels)
        labels = [labels] if isinstance(labels, str) else list(labels)
        unknown = [label for label in labels if label not in known]
        if unknown or not labels:
            what = f"has {unknown[0]!r}, which is" if unknown else "is empty; give some"
            raise ValueError(f"labels {what} {'not one ' if unknown else ''}of classes_: {reprlib.repr(known)}.")
        return [known.index(label) for label in labels]
