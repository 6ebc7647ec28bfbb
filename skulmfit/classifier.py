"""ULMFiTClassifier: language-model stage and classifier stage behind one fit."""

import math
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import ClassifierMixin

from skulmfit.compat import with_callbacks
from skulmfit.nn.losses import weighted_binary_cross_entropy, weighted_cross_entropy
from skulmfit.supervised import SupervisedEstimator, Targets
from skulmfit.training.recipes import Recipe
from skulmfit.validation import (
    check_indicators,
    check_known_labels,
    check_labels,
    check_number_or_auto,
    class_weights,
    is_indicator_matrix,
    of_mean_one,
    positive_weights,
)


class ULMFiTClassifier(ClassifierMixin, SupervisedEstimator):
    """Text classifier fine-tuned from a pretrained language model (ULMFiT).

    `fit` runs two stages. The language model is fine-tuned on the texts, labels ignored. Then its whole encoder gets
    a pooling head and is fine-tuned on the labels, with discriminative learning rates and slanted triangular
    schedules. Where y is an indicator matrix, every text may have several labels or none.

    Parameters
    ----------
    lm : LMFineTuner, FrozenEstimator or None, default=None
        The language-model stage. None stands for `LMFineTuner()` with this classifier's `device` and `verbose`; to
        search over `lm__epochs` and the like, start from an explicit one. A fitted `LMFineTuner` wrapped in
        `sklearn.frozen.FrozenEstimator` is used as it is: the way to bring in unlabelled texts, and to fine-tune once
        for many classifiers.
    recipe : {"skulmfit", "paper", "fastai", "multifit"}, default="skulmfit"
        What every parameter that is "auto" takes its value from: our own, found by measurement, or a published one; the
        language-model stage too, unless `lm` is given. The numbers in brackets below are those of the default.
    epochs : int or "auto", default="auto"
        Epochs of the last stage, in which all layers train (as many as make about 150 updates, at least 5); the
        plan is in `stages_`.
    learning_rate : float or "auto", default="auto"
        Peak learning rate of the head (0.01); stages of a recipe may multiply it.
    lr_decay : float or "auto", default="auto"
        How much slower each layer learns than the one above it (1.6).
    batch_size : int or "auto", default="auto"
        Documents per update (16 to 64, more where there are more documents).
    gradual_unfreezing : bool or "auto", default="auto"
        Whether the head trains first and layers join it one by one, from the top, before all train together; otherwise
        all train from the start (the default).
    dropout_multiplier : float or "auto", default="auto"
        Factor on all dropouts of encoder and head (0.2).
    weight_decay : float or "auto", default="auto"
        Decoupled weight decay (0.01).
    hidden_dim : int, default=50
        Width of the head's hidden layer.
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
    memory : str, joblib.Memory or None, default=None
        Where to keep tokenised texts and fine-tuned language models, so that a grid over the parameters of the head
        fine-tunes once per fold, also with `n_jobs`. What is found there is taken as it is, also with
        `random_state=None`.
    device : str, default="auto"
        Where to compute: "auto" takes a GPU where there is one, else the CPU.
    random_state : int, RandomState or None, default=None
        Seed of everything random. The same int gives the same bits on the same machine with
        the same number of threads.
    verbose : int, default=0
        1 shows progress.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted; with several labels a text, the numbers of the columns of y.
    recipe_ : Recipe
        The recipe with the parameters given in place of its own.
    history_ : list of dict
        One row per epoch, language-model stage first: stage, epoch, loss, seconds, with early stopping
        validation_loss.
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
        Of two directions, each in `directions_` has it.

    See Also
    --------
    ULMFiTRegressor : The same for numbers.
    LMFineTuner : The language model alone, as a transformer.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018.

    Examples
    --------
    >>> from skulmfit import LMFineTuner, ULMFiTClassifier
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
    >>> labels = ["good", "bad", "good", "bad"] * 5
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
    >>> clf = ULMFiTClassifier(lm=lm, learning_rate=0.02, random_state=0).fit(texts, labels)
    >>> clf.predict(["fine film", "dull film"])
    array(['good', 'bad'], dtype='<U4')
    """

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
        label_smoothing="auto",
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=3,
        memory=None,
        device="auto",
        random_state=None,
        verbose=0,
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
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fine-tune the language model on texts, then the classifier on texts and labels.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_texts,) or {array, sparse matrix} of shape (n_texts, n_labels)
            Labels of any type, or an indicator matrix of several labels a text.
        sample_weight : array-like of shape (n_texts,), optional
            Weights in the classifier's loss. A text of weight 0 is left out of both stages.
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X, with `y_val`: a stage ends when
            it stops improving, and the weights that did best are kept.
        y_val : array-like, optional
            Their labels, as y.

        Returns
        -------
        self : ULMFiTClassifier
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number_or_auto(self.label_smoothing, "label_smoothing", Real, low=0, high=1, bounds="left")

    def _resolved_recipe(self) -> Recipe:
        return super()._resolved_recipe().override(label_smoothing=self.label_smoothing)

    def _check_targets(self, y: Any, texts: list[str], weights: np.ndarray) -> tuple[Targets, np.ndarray]:
        smoothing = {"label_smoothing": self._resolved_recipe().label_smoothing}
        if is_indicator_matrix(y):
            indicators = check_indicators(y, texts)
            fitted = {"classes_": np.arange(indicators.shape[1]), "_is_multilabel": True}
            balance = positive_weights(self.class_weight, indicators[weights > 0])
            loss = partial(weighted_binary_cross_entropy, positive_weights=balance)
            return Targets(indicators, indicators.shape[1], loss, smoothing, fitted=fitted), weights
        classes, indices = check_labels(y, texts, type(self).__name__)
        fitted = {"classes_": classes, "_is_multilabel": False}
        per_class = class_weights(weights, self.class_weight, classes, indices)
        targets = Targets(
            indices, len(classes), weighted_cross_entropy, smoothing, strata=indices, class_weights=per_class,
            fitted=fitted,
        )  # fmt: skip
        return targets, of_mean_one(weights * per_class[indices])

    def _held_out(self, y: Any, texts: list[str], targets: Targets) -> tuple[np.ndarray, np.ndarray]:
        if targets.fitted["_is_multilabel"]:
            indicators = check_indicators(y, texts)
            if indicators.shape[1:] != targets.values.shape[1:]:
                raise ValueError(f"y_val has the shape {indicators.shape}, y has {targets.values.shape}.")
            return indicators, np.ones(len(texts))
        indices = check_known_labels(y, texts, targets.fitted["classes_"])
        return indices, np.ones(len(texts)) if targets.class_weights is None else targets.class_weights[indices]

    def _logits(self, X: Any) -> np.ndarray:
        """Logits of every class, (n_texts, n_classes); of two directions, those of the mean probabilities."""
        members = self._members()
        if not members:
            return self._outputs(X)
        texts = self._check_texts(X, reset=False)
        to_log = F.logsigmoid if self._is_multilabel else partial(F.log_softmax, dim=1)
        logits = torch.stack([torch.from_numpy(member._outputs(texts)) for member in members])
        log_proba = torch.stack([to_log(part) for part in logits]).logsumexp(0) - math.log(len(members))
        if not self._is_multilabel:
            return log_proba.numpy()
        log_absence = torch.stack([to_log(-part) for part in logits]).logsumexp(0) - math.log(len(members))
        return (log_proba - log_absence).numpy()

    def decision_function(self, X):
        """Logits of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_classes), float32
            With two classes, by how much the second one's logit is above the first one's.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if not self._is_multilabel and len(self.classes_) == 2 else logits

    def predict_proba(self, X):
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
        logits = torch.from_numpy(self._logits(X))
        return (torch.sigmoid(logits) if self._is_multilabel else torch.softmax(logits, dim=1)).numpy()

    def predict(self, X):
        """Most probable label of every text.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_labels)
            With several labels a text, an indicator matrix of those more probable than not.
        """
        logits = self._logits(X)
        return (logits > 0).astype(np.int64) if self._is_multilabel else self.classes_[logits.argmax(axis=1)]
