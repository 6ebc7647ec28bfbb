"""Labels in words: phrases that say what each class is about, and labels that are missing."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skulmfit.estimators.label_values import is_missing, label_array, label_type

LabelTexts = Mapping[Any, str | Sequence[str]]
_UNLABELLED = -1  # scikit-learn's, as in sklearn.semi_supervised


@dataclass(frozen=True)
class Phrases:
    """The phrases of all classes, in the order given.

    Parameters
    ----------
    texts : tuple of str
    labels : tuple
        The class of each phrase.
    name : str, default="label_texts"
        The parameter, for messages.
    """

    texts: tuple[str, ...]
    labels: tuple[Any, ...]
    name: str = "label_texts"

    @classmethod
    def check(cls, given: Any, name: str = "label_texts") -> "Phrases":
        """Phrases as a parameter has them: a dict from each class to a phrase or several.

        Raises
        ------
        TypeError
            If it is no dict, or a phrase no str.
        ValueError
            If a phrase is empty or there twice, a class has none, or two classes have one name.
        """
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name} must be a dict from each class to a phrase or a list of phrases, such as "
                f"{{'spam': 'Win a prize now!', 'ham': ['See you later.', 'I am on my way.']}}; got {given!r}."
            )
        if not given:
            raise ValueError(f"{name} is empty. Give each class a phrase, or leave {name} out.")
        repeated = [text for text, count in Counter(map(str, given)).items() if count > 1]
        if repeated:
            raise ValueError(f"{name} has several classes of the name {repeated[0]!r}. Give each a name of its own.")
        owners: dict[str, Any] = {}
        for label, phrases in given.items():
            for phrase in _as_phrases(phrases, label, name):
                if phrase.strip() in owners:
                    others = " and for ".join(map(repr, dict.fromkeys([owners[phrase.strip()], label])))
                    raise ValueError(
                        f"{name} has the phrase {phrase!r} twice, for {others}. Each phrase may stand once."
                    )
                owners[phrase.strip()] = label
        return cls(tuple(owners), tuple(owners.values()), name)

    def check_cover(self, classes: np.ndarray) -> None:
        """Raise unless every class in y has a phrase, under a label of its type."""
        own = self._label_array()
        without = classes[~_is_same(classes, own).any(axis=1)]
        if len(without):
            raise ValueError(
                f"y has the class {_shown(without[0])}, for which {self.name} has no phrase; it has phrases for "
                f"{_listed(self.labels)}. Give each class one, under the label that y has for it."
            )

    def columns(self, classes: np.ndarray) -> np.ndarray:
        """The place of each phrase's class among the classes, (n_phrases,).

        Raises
        ------
        ValueError
            If a class has no phrase, or a phrase no class.
        """
        self.check_cover(classes)
        is_own = _is_same(self._label_array(), classes)  # (n_phrases, n_classes)
        unknown = [self.labels[place] for place in np.flatnonzero(~is_own.any(axis=1))]
        if unknown:
            raise ValueError(
                f"{self.name} has a phrase for {unknown[0]!r}, but the columns of y are {_listed(classes.tolist())}. "
                "Leave it out, or give y a column for it."
            )
        return is_own.argmax(axis=1)

    def _label_array(self) -> np.ndarray:
        """The class of each phrase, (n_phrases,)."""
        return label_array(list(self.labels), f"the classes of {self.name}")

    def vectors(self, of_texts: np.ndarray) -> dict[str, np.ndarray]:
        """Of each class the mean of the vectors (n_phrases, D) of its phrases, with length 1, by the class's name."""
        means: dict[str, np.ndarray] = {}
        for label in dict.fromkeys(self.labels):
            mean = of_texts[[own == label for own in self.labels]].mean(axis=0)
            means[str(label)] = mean / np.linalg.norm(mean)
        return means

    def classes(self, labels: np.ndarray | None = None) -> np.ndarray:
        """The classes, sorted; in the type of the labels in y, if there are any.

        Raises
        ------
        ValueError
            If there are less than 2, they are no labels or of several types, or y has labels of another type.
        """
        classes = np.unique(self._label_array())
        if len(classes) < 2:
            raise ValueError(f"{self.name} needs phrases for at least 2 classes, it has {_listed(self.labels)}.")
        if labels is None:
            return classes
        own, given = label_type(classes), label_type(labels)
        if own is not given and {own, given} != {int, float}:  # integers beside missing labels have become floats
            raise ValueError(
                f"y has labels of type {given.__name__}, {self.name} of type {own.__name__}: a label of y is "
                f"{_shown(labels[0])}. Give both the same."
            )
        is_as_given = "O" in (classes.dtype.kind, labels.dtype.kind) or given is int
        return classes.astype(labels.dtype) if is_as_given else classes


def _as_phrases(phrases: Any, label: Any, name: str) -> list[str]:
    phrases = [phrases] if isinstance(phrases, str) else phrases
    if not isinstance(phrases, list | tuple | np.ndarray) and not hasattr(phrases, "iloc"):  # of pandas
        raise TypeError(f"{name}[{label!r}] must be a phrase or a list of phrases, got {phrases!r}.")
    phrases = list(phrases)
    if not phrases:
        raise ValueError(f"{name}[{label!r}] has no phrase. Give one, or leave the class out.")
    for phrase in phrases:
        if not isinstance(phrase, str):
            raise TypeError(f"{name}[{label!r}] has {phrase!r}, which is not a str. A phrase is a str.")
        if not phrase.strip():
            raise ValueError(f"{name}[{label!r}] has the empty phrase {phrase!r}. Say what its texts are like.")
    return [str(phrase) for phrase in phrases]


def _listed(labels: Iterable[Any]) -> str:
    return ", ".join(map(repr, dict.fromkeys(labels)))


def _shown(label: Any) -> str:
    """A label as it went in: not as NumPy's."""
    return repr(label.item() if isinstance(label, np.generic) and label.dtype.kind not in "Mm" else label)


def _is_same(labels: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which labels (n,) and others (m,) are the same value, (n, m)."""
    if not {labels.dtype.kind, others.dtype.kind} <= {"M", "m"}:  # dates of several units compare as they are
        labels, others = labels.astype(object), others.astype(object)
    return np.asarray(labels[:, None] == others)


def labelled_rows(y: Any, n_texts: int, known: Sequence[Hashable]) -> np.ndarray:
    """Which rows of y have a label, (n_texts,).

    None, NaN and pandas.NA are missing labels, and so is scikit-learn's -1 unless it is one of the classes that are
    known. In an indicator matrix a row is missing if all of it is.

    Raises
    ------
    ValueError
        If only a part of an indicator matrix's row is missing.
    """
    if y is None:
        return np.zeros(n_texts, bool)
    rows = y.toarray() if hasattr(y, "toarray") else y
    cells = np.asarray(rows, dtype=object)
    if not cells.ndim:
        label_array(y)  # which says what y should be
    is_missing = np.array([_is_missing(cell, known) for cell in cells.ravel().tolist()], bool).reshape(cells.shape)
    if is_missing.ndim < 2:
        return ~is_missing
    partly = np.flatnonzero(is_missing.any(axis=1) & ~is_missing.all(axis=1))
    if len(partly):
        raise ValueError(
            f"Row {partly[0]} of y is partly missing: {cells[partly[0]].tolist()}. Give all labels of a text, or none."
        )
    return np.asarray(~is_missing.all(axis=1))


def _is_missing(label: Any, known: Sequence[Hashable]) -> bool:
    is_number = isinstance(label, int | float | np.number) and not isinstance(label, bool)
    return is_missing(label) or (is_number and label == _UNLABELLED and _UNLABELLED not in known)


def take_rows(y: Any, rows: np.ndarray) -> Any:
    """Some rows of y, in a container of the same kind."""
    if y is None or hasattr(y, "iloc"):
        return None if y is None else y.iloc[rows]
    if hasattr(y, "tocsr"):  # not every sparse matrix has rows to take
        return y.tocsr()[rows]
    return y[rows] if hasattr(y, "shape") else [y[row] for row in rows]
