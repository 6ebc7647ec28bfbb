"""Labels in words: phrases that say what each class is about, and labels that are missing."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

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
            If a phrase is empty or there twice, or a class has none.
        """
        if not isinstance(given, Mapping):
            raise TypeError(
                f"{name} must be a dict from each class to a phrase or a list of phrases, such as "
                f"{{'spam': 'Win a prize now!', 'ham': ['See you later.', 'I am on my way.']}}; got {given!r}."
            )
        owners: dict[str, Any] = {}
        for label, phrases in given.items():
            for phrase in _as_phrases(phrases, label, name):
                if phrase.strip() in owners:
                    raise ValueError(
                        f"{name} has the phrase {phrase!r} twice, for {owners[phrase.strip()]!r} and for {label!r}. "
                        "Each phrase may stand once."
                    )
                owners[phrase.strip()] = label
        return cls(tuple(owners), tuple(owners.values()), name)

    def check_cover(self, classes: Iterable[Any]) -> None:
        """Raise unless every class in y has a phrase."""
        without = [label for label in classes if label not in self.labels]
        if without:
            raise ValueError(
                f"y has the class {without[0]!r}, for which {self.name} has no phrase; it has phrases for "
                f"{_listed(self.labels)}. Give each class one, under the label that y has for it."
            )

    def columns(self, classes: Sequence[Any]) -> np.ndarray:
        """The place of each phrase's class among the classes, (n_phrases,).

        Raises
        ------
        ValueError
            If a class has no phrase, or a phrase no class.
        """
        self.check_cover(classes)
        unknown = [label for label in self.labels if label not in classes]
        if unknown:
            raise ValueError(
                f"{self.name} has a phrase for {unknown[0]!r}, but the columns of y are {_listed(classes)}. "
                "Leave it out, or give y a column for it."
            )
        return np.array([list(classes).index(label) for label in self.labels])

    def vectors(self, of_texts: np.ndarray) -> dict[str, np.ndarray]:
        """Of each class the mean of the vectors (n_phrases, D) of its phrases, with length 1, by the class's name."""
        means: dict[str, np.ndarray] = {}
        for label in dict.fromkeys(self.labels):
            mean = of_texts[[own == label for own in self.labels]].mean(axis=0)
            means[str(label)] = mean / np.linalg.norm(mean)
        return means

    def classes(self, labels: np.ndarray) -> np.ndarray:
        """The classes, sorted; of the same type as the labels in y, if these are as they went in.

        Raises
        ------
        ValueError
            If there are less than 2, or they cannot be compared.
        """
        distinct = list(dict.fromkeys(self.labels))
        if len(distinct) < 2:
            raise ValueError(f"{self.name} needs phrases for at least 2 classes, it has {_listed(distinct)}.")
        try:
            distinct = sorted(distinct)
        except TypeError as error:
            raise ValueError(f"{self.name} mixes classes that cannot be compared: {error}.") from error
        classes = np.array(distinct)
        if classes.ndim > 1 or classes.tolist() != distinct:
            raise ValueError(f"{self.name} mixes classes of different types: {_listed(distinct)}.")
        kinds = {classes.dtype.kind, labels.dtype.kind}  # integers beside missing labels have become floats
        return classes.astype(labels.dtype) if kinds <= {"i", "u"} or "O" in kinds else classes


def _as_phrases(phrases: Any, label: Any, name: str) -> list[str]:
    phrases = [phrases] if isinstance(phrases, str) else phrases
    if not isinstance(phrases, Iterable) or isinstance(phrases, bytes | Mapping):
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
    if label is None or type(label).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(label, float | np.floating) and np.isnan(label):
        return True
    is_number = isinstance(label, int | float | np.number) and not isinstance(label, bool)
    return is_number and label == _UNLABELLED and _UNLABELLED not in known


def take_rows(y: Any, rows: np.ndarray) -> Any:
    """Some rows of y, in a container of the same kind."""
    if y is None or hasattr(y, "iloc"):
        return None if y is None else y.iloc[rows]
    return y[rows] if hasattr(y, "shape") else [y[row] for row in rows]
