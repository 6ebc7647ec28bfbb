"""What is given to a supervised fit, checked and encoded."""

from dataclasses import dataclass, field, replace
from typing import Any, Generic

import numpy as np
from sklearn.model_selection import train_test_split

from skulmfit.estimators.doubts import doubt_validation
from skulmfit.estimators.fitted_state import AnyTargets
from skulmfit.text.any_tokenizer import AnyTokenizer
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.head import Words
from skulmfit.training.supervised_task import Examples


@dataclass(frozen=True, eq=False)
class SupervisedData(Generic[AnyTargets]):
    """Texts, their targets as the loss takes them, and their weights. Those for validation come last.

    After them come texts without targets, if there are any.

    Parameters
    ----------
    texts : list of str
    encoded : ndarray of shape (n_texts, ...)
    weights : ndarray of shape (n_texts,)
    targets : Targets
    n_validation : int
        How many of the last texts with targets are the user's own for validation.
    unlabelled : list of str
        Texts without targets.
    phrases : list of str
        Phrases that say what the classes are about.
    phrase_targets : ndarray of shape (n_phrases, ...), optional
        Their targets as the loss takes them.
    """

    texts: list[str]
    encoded: np.ndarray
    weights: np.ndarray
    targets: AnyTargets
    n_validation: int = 0
    unlabelled: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    phrase_targets: np.ndarray | None = None

    @property
    def all_texts(self) -> list[str]:
        """Those with targets, and then those without."""
        return self.texts + self.unlabelled

    @property
    def training_rows(self) -> np.ndarray:
        """Of all texts, those that are not the user's own for validation."""
        rows, n = np.arange(len(self.texts) + len(self.unlabelled)), len(self.texts)
        return np.concatenate([rows[: n - self.n_validation], rows[n:]])

    def without_weightless(self, name: str) -> "SupervisedData[AnyTargets]":
        """Only the texts with a weight above 0.

        Raises
        ------
        ValueError
            If there are less than 2. The estimator's name is for the message.
        """
        kept = np.flatnonzero(self.weights)
        n_texts = len(kept) + len(self.unlabelled)
        if n_texts < 2:
            raise ValueError(f"{name} needs at least 2 texts with a weight above 0, got {n_texts} sample(s).")
        return replace(
            self, texts=[self.texts[row] for row in kept], encoded=self.encoded[kept], weights=self.weights[kept]
        )  # fmt: skip

    def with_validation(self, texts: list[str], encoded: np.ndarray) -> "SupervisedData[AnyTargets]":
        """The same with the user's own texts for validation."""
        weights = np.concatenate([self.weights, self.targets.weights(encoded)])
        return replace(
            self, texts=self.texts + texts, encoded=np.concatenate([self.encoded, encoded]), weights=weights,
            n_validation=len(texts),
        )  # fmt: skip

    def split(self, early_stopping: bool, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """Rows to train on, and rows for validation: the user's own, or a fraction for early stopping.

        Raises
        ------
        ValueError
            If too few are left to train on.
        """
        rows = np.arange(len(self.texts))
        if self.n_validation:
            return rows[: -self.n_validation], rows[-self.n_validation :]
        if not early_stopping:
            return rows, None
        n_validation = int(np.ceil(fraction * len(rows)))
        n_left = len(rows) - n_validation
        if n_left < 2:
            raise ValueError(
                f"early_stopping=True leaves {n_left} of {len(rows)} texts with a label to train on. Give more, a "
                f"smaller validation_fraction than {fraction}, or X_val and y_val."
            )
        strata = self.targets.strata(self.encoded)
        if strata is None:
            kept, validation = train_test_split(rows, test_size=n_validation, random_state=seed)
        elif _can_stratify(strata, n_validation, n_left):
            kept, validation = train_test_split(rows, test_size=n_validation, random_state=seed, stratify=strata)
        else:
            kept, validation = _split_some_classes(strata, n_validation, seed)
        doubt_validation(self._absent(validation))
        return np.sort(kept), np.sort(validation)

    def _absent(self, validation: np.ndarray) -> list[Any]:
        """Classes of which there are texts, but none among those for validation."""
        everywhere, here = self.targets.counts(self.encoded), self.targets.counts(self.encoded[validation])
        return [label for label, count in everywhere.items() if count and not here[label]]

    def rare(self) -> list[Any]:
        """Classes with a single text, and no words beside it."""
        if self.phrase_targets is not None:
            return []
        return [label for label, count in self.targets.counts(self.encoded).items() if count == 1]

    def examples(self, corpus: TokenCorpus, rows: np.ndarray) -> Examples:
        """Some of the texts with targets, given all texts encoded as `corpus`."""
        return Examples(corpus.take(rows), self.encoded[rows], self.weights[rows])

    def words(self, corpus: TokenCorpus, tokenizer: AnyTokenizer) -> Words | None:
        """What is read of phrases, given all texts encoded as `corpus` by a tokenizer."""
        if self.phrase_targets is None:
            return None
        phrases = Examples(tokenizer.encode(self.phrases), self.phrase_targets, np.ones(len(self.phrases)))
        return Words(phrases, corpus.take(np.arange(len(self.texts), len(corpus))))


def _can_stratify(strata: np.ndarray, n_validation: int, n_left: int) -> bool:
    """Whether every class can have a text on both sides."""
    counts = np.unique(strata, return_counts=True)[1]
    return bool(counts.min() > 1 and len(counts) <= min(n_validation, n_left))


def _split_some_classes(strata: np.ndarray, n_validation: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows for validation, at random, but with a text of every class to train on.

    Raises
    ------
    ValueError
        If there are too few texts for that.
    """
    order = np.random.default_rng(seed).permutation(len(strata))
    first = order[np.unique(strata[order], return_index=True)[1]]  # a row of each class
    spare = order[~np.isin(order, first)]
    if len(spare) < n_validation:
        raise ValueError(
            f"early_stopping=True sets aside {n_validation} of {len(strata)} texts, but the {len(first)} classes of y "
            "need one each to train on. Give more texts, a smaller validation_fraction, or X_val and y_val."
        )
    return np.concatenate([first, spare[n_validation:]]), spare[:n_validation]
