"""ULMFiTRegressor: the method with numbers as targets."""

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from skulmfit.estimators.compat import with_callbacks
from skulmfit.estimators.number_targets import Numbers
from skulmfit.estimators.supervised import SupervisedEstimator
from skulmfit.inference.explanation import Explanations


class ULMFiTRegressor(RegressorMixin, SupervisedEstimator[Numbers]):
    """Text regressor fine-tuned from a pretrained language model (ULMFiT).

    As `ULMFiTClassifier`, with the squared error of standardised targets as the loss. The head starts as a ridge
    regression. With a model that has sentence vectors, such as `en`, and one number a text, every update also draws
    texts together whose numbers are in the same quarter of all, and in the end the head is a ridge regression again.

    Parameters
    ----------
    lm : LMFineTuner, FrozenEstimator or None, default=None
        The language-model stage. None stands for `LMFineTuner()`; this regressor's `device` and `verbose` are its own
        too. To search over `lm__epochs` and the like, give one. A fitted `LMFineTuner` in a
        `sklearn.frozen.FrozenEstimator` is used as it is: so you bring in unlabelled texts, and fine-tune once for many
        estimators.
    recipe : {"skulmfit", "quick", "paper", "fastai", "multifit"} or Recipe, default="skulmfit"
        Every parameter that is "auto" takes its value from here: our own recipe, found by measurement, a published one,
        or one that you have made. A name holds for the language-model stage too, unless `lm` is given. The numbers in
        brackets below are those of the default.
    epochs : int or "auto", default="auto"
        Epochs of the last stage, in which all layers train (as many as make about 150 updates, 5 to 8); the plan is in
        `stages_`.
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
        Width of the head's hidden layer.
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

    Attributes
    ----------
    recipe_ : Recipe
        The recipe with the parameters given in place of its own.
    history_ : list of dict
        One row per epoch, language-model stage first: stage, epoch, loss, updates, seconds; with early stopping or
        validation texts also validation_loss and validation_score, which is what `score` gives. It prints as a table,
        and has `to_frame()`.
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

    _targets_kind = Numbers

    @with_callbacks
    def fit(
        self,
        X: Iterable[str],
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Iterable[str] | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fine-tune the language model on texts, then the regressor on texts and targets.

        Parameters
        ----------
        X : iterable of str
        y : array-like of shape (n_texts,) or (n_texts, n_targets)
        sample_weight : array-like of shape (n_texts,), optional
            Weights in the regressor's loss. A text of weight 0 is left out of both stages.
        X_val : iterable of str, optional
            Texts to measure the loss on after every epoch, in place of a share of X. A stage ends when the loss stops
            improving, and the weights that did best are kept. Give `y_val` too.
        y_val : array-like, optional
            Their targets, as y.

        Returns
        -------
        self : ULMFiTRegressor
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def _learn_targets(self, y: Any, texts: list[str], weights: np.ndarray) -> tuple[Numbers, np.ndarray, np.ndarray]:
        targets, encoded = Numbers.learn(y, texts, type(self).__name__, weights)
        return targets, encoded, weights

    def predict(self, X: Iterable[str]) -> np.ndarray:
        """Predicted targets of texts.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        ndarray of shape (n_texts,) or (n_texts, n_targets), float64
            With two directions, the mean of what each predicts.
        """
        fitted = self._state()
        return fitted.targets.decode(self._outputs(X, fitted))

    def explain(self, X: Iterable[str]) -> Explanations:
        """What each word of a text contributes to the prediction: by how much it falls without the word.

        As `ULMFiTClassifier.explain`.

        Parameters
        ----------
        X : iterable of str

        Returns
        -------
        Explanations
            One for each text, a highlighted text in a notebook. With several targets, each is explained.
        """
        return self._explain(X, None, is_probability=False)
