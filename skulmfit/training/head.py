"""What a head is made of: its sizes and losses, and what the regression of a solved head is given."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skulmfit.models.fine_tuned_model import HeadShape
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.sentence_map import resolve_kind
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.recipe import Recipe
from skulmfit.training.supervised_task import Examples, OutputLoss, OutputScore

Solution = tuple[np.ndarray, np.ndarray]  # weight (C, F) and bias (C,) of a linear model of features


@dataclass(frozen=True, eq=False)
class WordReadings:
    """What is read of the labels in words, as features of the encoder.

    Parameters
    ----------
    phrases : ndarray of shape (n_phrases, n_features), float32
    targets : ndarray of shape (n_phrases, ...)
        What each phrase stands for, as the loss takes it.
    unlabelled : ndarray of shape (n_unlabelled, n_features), float32
        Documents without targets.
    sentence_dim : int
        How many of the features, the last ones, are a sentence vector.
    sentence_length : float
        Its length.
    """

    phrases: np.ndarray
    targets: np.ndarray
    unlabelled: np.ndarray
    sentence_dim: int
    sentence_length: float

    def sentence_vectors(self, features: np.ndarray) -> np.ndarray:
        """The sentence vectors among features (n, n_features), with length 1."""
        return features[:, -self.sentence_dim :] / self.sentence_length


@dataclass(frozen=True, eq=False)
class Readings:
    """What the regression of a solved head is made of: features of the encoder, before it is fine-tuned or after.

    Parameters
    ----------
    features : ndarray of shape (n_documents, n_features), float32
    targets : ndarray of shape (n_documents, ...)
        As the loss takes them.
    weights : ndarray of shape (n_documents,)
        With a mean of 1.
    words : WordReadings, optional
        Of labels in words.
    is_fine_tuned : bool, default=False
        Whether the encoder has been fine-tuned on these targets.
    """

    features: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    words: WordReadings | None = None
    is_fine_tuned: bool = False


Solver = Callable[[Readings], Solution]


@dataclass(frozen=True, eq=False)
class Words:
    """Labels in words: what a solved head knows beside its examples.

    Parameters
    ----------
    phrases : Examples
        Phrases that say what the classes are about.
    unlabelled : TokenCorpus
        Documents without targets.
    """

    phrases: Examples
    unlabelled: TokenCorpus


@dataclass(frozen=True)
class Head:
    """A head to be trained: its sizes, the losses of its outputs, and the regression of a solved head.

    Parameters
    ----------
    n_outputs : int
    head_dim : int
        Width of the hidden layer.
    loss : callable
        Of outputs (B, C), targets (B, ...) and weights (B,).
    training_loss : callable
        The same in training, with label smoothing for example.
    solve : callable
        The regression that a solved head starts from, and ends with.
    score : callable
        Of outputs (n, C) and targets (n, ...): what is shown beside the loss of validation data.
    groups : callable
        Of targets (n, ...): the group of each document, (n,), so that those of a group are drawn together; or None.
    ends_solved : bool
        Whether a solved head is solved again after documents were drawn together.
    """

    n_outputs: int
    head_dim: int
    loss: OutputLoss
    training_loss: OutputLoss
    solve: Solver
    score: OutputScore
    groups: Callable[[np.ndarray], np.ndarray | None]
    ends_solved: bool

    def shape(self, language_model: LanguageModel, recipe: Recipe) -> HeadShape:
        """Its shape on the encoder of a language model."""
        sentence_map = language_model.sentence_map
        features = None if recipe.features is None else resolve_kind(recipe.features, sentence_map)
        sentence_dim = 0 if sentence_map is None or features is None else len(sentence_map.bias)
        return HeadShape(self.n_outputs, self.head_dim, features, sentence_dim)
