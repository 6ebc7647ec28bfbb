"""Which phrases say what they should: how the phrases of a classifier go with texts, labels, and each other."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from skulmfit.estimators.label_texts import Phrases, labelled_rows, take_rows
from skulmfit.estimators.label_values import label_array
from skulmfit.estimators.validation import check_texts
from skulmfit.tables import as_frame, as_html, as_text
from skulmfit.training.parameters import check_number

if TYPE_CHECKING:
    import pandas as pd

_SENTENCE = re.compile(r"_sentence\d+$")
_LINE = 80  # characters of a text in a terminal
_TITLES = {
    "phrases": "Phrases, those that agree least with the labels first",
    "texts": "Texts that are near no class, the farthest first",
    "pairs": "Pairs of classes, those that phrases tell apart least first",
}


@dataclass(frozen=True)
class PhraseCheck:
    """What there is to know of phrases: three tables.

    Parameters
    ----------
    phrases : list of dict
        A row for each phrase, those that agree least with the labels first: its class, the phrase, how many texts are
        nearest to its class; with labels also `agreement`, the probability that a text of the class is more similar to
        the phrase than a text of another class (0.5 is chance), and the class whose texts are most similar to it.
    texts : list of dict
        A row for each text that is near no class, the farthest first: its row in X, the nearest class, how many
        standard deviations above the mean its similarity to that class is, and the text.
    pairs : list of dict
        A row for each pair of classes, those that the phrases tell apart least first: the correlation of the texts'
        similarities to both; with labels also `told_apart`, the probability that a text of one and a text of the other
        are on their own sides (0.5 is chance).
    """

    phrases: list[dict[str, Any]] = field(repr=False)
    texts: list[dict[str, Any]] = field(repr=False)
    pairs: list[dict[str, Any]] = field(repr=False)

    def to_frame(self, table: Literal["phrases", "texts", "pairs"] = "phrases") -> "pd.DataFrame":
        """One of the tables as a data frame.

        Parameters
        ----------
        table : {"phrases", "texts", "pairs"}, default="phrases"

        Returns
        -------
        DataFrame

        Raises
        ------
        ValueError
            If there is no such table.
        """
        if table not in _TITLES:
            raise ValueError(f"table={table!r} is not one of {', '.join(map(repr, _TITLES))}.")
        return as_frame(getattr(self, table))

    def __str__(self) -> str:
        tables = {"phrases": self.phrases, "texts": [_cut(row) for row in self.texts], "pairs": self.pairs}
        return "\n\n".join(f"{title}\n{as_text(tables[name])}" for name, title in _TITLES.items())

    def _repr_html_(self) -> str:
        return "".join(f"<p>{title}</p>{as_html(getattr(self, name))}" for name, title in _TITLES.items())


def _cut(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose text fits on a line."""
    text = " ".join(row["text"].split())
    return row | {"text": text if len(text) <= _LINE else f"{text[: _LINE - 3]}..."}


def check_phrases(estimator: Any, X: Iterable[str], y: ArrayLike | None = None, *, n: int = 10) -> PhraseCheck:
    """Say which phrases disagree with labels, which texts are near none, and which classes phrases cannot tell apart.

    Parameters
    ----------
    estimator : ULMFiTClassifier
        Fitted with `label_texts`.
    X : iterable of str
        Texts, 20 or more to mean anything. If the estimator was fitted with labels, take texts that it has not seen: it
        has learnt to make phrases and labels agree.
    y : array-like of shape (n_texts,), optional
        Their labels. Where one is missing (None, NaN, or -1 where that is no class), the text counts without it.
    n : int, default=10
        At most so many texts that are near none.

    Returns
    -------
    PhraseCheck
        Three tables; printed, or as data frames by `to_frame`.

    Raises
    ------
    ValueError
        If the estimator has no phrases, or y a label for which there is none.

    Examples
    --------
    >>> from skulmfit import ULMFiTClassifier
    >>> from skulmfit.inspection import check_phrases
    >>> texts = ["Where is Lima?", "How old was she?", "Which city is that?", "How many are left?"]
    >>> clf = ULMFiTClassifier(label_texts={"place": "Where is it?", "number": ["How many?", "Which town?"]}).fit(texts)
    >>> check = check_phrases(clf, texts, ["place", "number", "place", "number"])
    >>> check.phrases[0]["phrase"], check.phrases[0]["nearest_class"]
    ('Which town?', 'place')
    """
    check_is_fitted(estimator)
    if not getattr(estimator, "label_texts", None):
        raise ValueError("check_phrases needs a classifier that was fitted with label_texts; this one has none.")
    check_number(n, "n", Integral, low=0)
    texts, phrases = check_texts(X), Phrases.check(estimator.label_texts)
    classes = list(dict.fromkeys(phrases.labels))
    if set(classes) != set(estimator.classes_.tolist()):
        raise ValueError(
            f"label_texts has phrases for {', '.join(map(repr, classes))}, but the classifier was fitted with others: "
            f"{', '.join(map(repr, estimator.classes_.tolist()))}. Fit it again."
        )
    columns = _columns(y, len(texts), phrases, classes)
    owners = np.array([classes.index(label) for label in phrases.labels])
    of_texts, of_phrases = (_sentence_vectors(estimator, own) for own in (texts, list(phrases.texts)))
    of_classes = np.stack(list(phrases.vectors(of_phrases).values()))
    similarities = _standardised(of_texts @ of_classes.T)  # (n_texts, n_classes)
    nearest = similarities.argmax(axis=1)

    rows = []
    for owner, phrase, cosines in zip(owners, phrases.texts, (of_texts @ of_phrases.T).T):
        row = {"label": classes[owner], "phrase": phrase, "n_nearest": int((nearest == owner).sum())}
        rows.append(row | ({} if columns is None else _agreement(cosines, owner, columns, classes)))
    far = np.argsort(similarities.max(axis=1), kind="stable")[:n].tolist()
    return PhraseCheck(
        sorted(rows, key=lambda row: _worst_first(row.get("agreement"))),
        [
            {
                "row": row, "nearest_class": classes[nearest[row]], "similarity": float(similarities[row].max()),
                "text": texts[row],
            }
            for row in far
        ],
        _pair_rows(similarities, columns, classes),
    )  # fmt: skip


def _columns(y: ArrayLike | None, n_texts: int, phrases: Phrases, classes: list[Any]) -> np.ndarray | None:
    """The place of each text's label among the classes, -1 where it is missing; None if all are."""
    if y is None:
        return None
    check_consistent_length(y, np.empty(n_texts))
    if np.ndim(y) != 1:
        raise ValueError(f"y must be one label a text, got an array of shape {np.shape(y)}.")
    has_label = labelled_rows(y, n_texts, classes)
    labels = np.asarray(y, dtype=object).tolist()
    if has_label.any():
        phrases.check_cover(np.unique(label_array(take_rows(y, np.flatnonzero(has_label)))))
    found = [classes.index(label) if known else -1 for label, known in zip(labels, has_label)]
    return np.array(found) if has_label.any() else None


def _sentence_vectors(estimator: Any, texts: list[str]) -> np.ndarray:
    """Sentence vectors (n_texts, D) of length 1, from the features that the estimator shows."""
    columns = [column for column, name in enumerate(estimator.get_feature_names_out()) if _SENTENCE.search(name)]
    vectors = np.asarray(estimator.transform(texts), dtype=np.float64)[:, columns]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _standardised(similarities: np.ndarray) -> np.ndarray:
    deviations = similarities.std(axis=0)
    return (similarities - similarities.mean(axis=0)) / np.where(deviations > 0, deviations, 1)


def _agreement(cosines: np.ndarray, owner: int, columns: np.ndarray, classes: list[Any]) -> dict[str, Any]:
    """How well the cosines (n_texts,) with a phrase go with the labels."""
    means = [cosines[columns == column].mean() if (columns == column).any() else -1 for column in range(len(classes))]
    return {
        "n_labelled": int((columns == owner).sum()),
        "agreement": _auc(columns[columns >= 0] == owner, cosines[columns >= 0]),
        "nearest_class": classes[int(np.argmax(means))],
    }


def _pair_rows(similarities: np.ndarray, columns: np.ndarray | None, classes: list[Any]) -> list[dict[str, Any]]:
    rows = []
    for first, second in combinations(range(len(classes)), 2):
        own, other = similarities[:, first], similarities[:, second]
        row = {"label": classes[first], "other": classes[second], "correlation": float(np.mean(own * other))}
        if columns is not None:
            of_pair = np.isin(columns, (first, second))
            row["told_apart"] = _auc(columns[of_pair] == first, (own - other)[of_pair])
        rows.append(row)
    return sorted(rows, key=lambda row: (_worst_first(row.get("told_apart")), -row["correlation"]))


def _auc(is_own: np.ndarray, values: np.ndarray) -> float | None:
    """Area under the ROC curve, None where there are not both kinds."""
    return float(roc_auc_score(is_own, values)) if 0 < is_own.sum() < len(is_own) else None


def _worst_first(value: float | None) -> float:
    """Unknown comes last."""
    return np.inf if value is None else value
