"""ULMFiTRegressor: the method with numbers as targets."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from skulmfit.compat import with_callbacks
from skulmfit.nn.losses import weighted_squared_error
from skulmfit.supervised import SupervisedEstimator, Targets
from skulmfit.validation import check_values


class ULMFiTRegressor(RegressorMixin, SupervisedEstimator):
    """Text regressor fine-tuned from a pretrained language model (ULMFiT).

    As `ULMFiTClassifier`, with the squared error of standardised targets as the loss.

    Parameters
    ----------
    lm : LMFineTuner, FrozenEstimator or None, default=None
        The language-model stage. None stands for `LMFineTuner()` with this regressor's `device` and `verbose`; to
        search over `lm__epochs` and the like, start from an explicit one. A fitted `LMFineTuner` wrapped in
        `sklearn.frozen.FrozenEstimator` is used as it is: the way to bring in unlabelled texts, and to fine-tune once
        for many estimators.
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
    ULMFiTClassifier : The same for labels.

    References
    ----------
    J. Howard and S. Ruder, "Universal Language Model Fine-tuning for Text Classification", ACL 2018.

    Examples
    --------
    >>> from skulmfit import LMFineTuner, ULMFiTRegressor
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
    >>> stars = ULMFiTRegressor(lm=lm, learning_rate=0.02, random_state=0).fit(texts, [5, 1, 4, 2] * 5)
    >>> fine, dull = stars.predict(["fine film", "dull film"])
    >>> bool(fine > dull)
    True
    """

    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Fine-tune the language model on texts, then the regressor on texts and targets.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_texts,) or (n_texts, n_targets)
        sample_weight : array-like of shape (n_texts,), optional
            Weights in the regressor's loss. A text of weight 0 is left out of both stages.
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X, with `y_val`: a stage ends when
            it stops improving, and the weights that did best are kept.
        y_val : array-like, optional
            Their targets, as y.

        Returns
        -------
        self : ULMFiTRegressor
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def _check_targets(self, y: Any, texts: list[str], weights: np.ndarray) -> tuple[Targets, np.ndarray]:
        y = check_values(y, texts, type(self).__name__)
        columns = y.reshape(len(y), -1)  # (n_texts, n_targets)
        mean = np.average(columns, axis=0, weights=weights)
        scale = np.sqrt(np.average((columns - mean) ** 2, axis=0, weights=weights))
        fitted = {"_target_mean": mean, "_target_scale": scale, "_is_multioutput": y.ndim == 2}
        standardised = _standardise(columns, mean, scale)
        return Targets(standardised, columns.shape[1], weighted_squared_error, fitted=fitted), weights

    def _held_out(self, y: Any, texts: list[str], targets: Targets) -> tuple[np.ndarray, np.ndarray]:
        y = check_values(y, texts, type(self).__name__)
        columns = y.reshape(len(y), -1)  # (n_texts, n_targets)
        if columns.shape[1] != targets.n_outputs:
            raise ValueError(f"y_val has {columns.shape[1]} target(s) a text, y has {targets.n_outputs}.")
        mean, scale = targets.fitted["_target_mean"], targets.fitted["_target_scale"]
        return _standardise(columns, mean, scale), np.ones(len(texts))

    def predict(self, X):
        """Predicted targets of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_targets), float64
            Of two directions, the mean of what each predicts.
        """
        if members := self._members():
            texts = self._check_texts(X, reset=False)
            return np.mean([member.predict(texts) for member in members], axis=0)
        outputs = self._outputs(X) * self._target_scale + self._target_mean
        return outputs if self._is_multioutput else outputs[:, 0]


def _standardise(columns: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Targets (n_texts, n_targets) of mean 0 and variance 1, as the network learns them."""
    return ((columns - mean) / np.where(scale > 0, scale, 1)).astype(np.float32)
