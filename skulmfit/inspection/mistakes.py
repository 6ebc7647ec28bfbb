"""The texts that an estimator is most sure and wrong about."""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_regressor
from sklearn.utils import check_consistent_length, column_or_1d

from skulmfit.inference.explanation import Explanation, legend
from skulmfit.tables import as_frame, as_html

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Mistake:
    """A text that an estimator is wrong about.

    Parameters
    ----------
    row : int
        Of the text in X.
    facts : dict
        What the table shows: the label or number in y, what was predicted, and how far that is off.
    text : str
    why : Explanation or None
        Of what was predicted, where the estimator can explain.
    """

    row: int
    facts: dict[str, Any]
    text: str
    why: Explanation | None = None


@dataclass(frozen=True)
class Mistakes(Sequence[Mistake]):
    """Mistakes, the worst one first: a table with highlighted texts in a notebook.

    Parameters
    ----------
    mistakes : tuple of Mistake
    """

    mistakes: tuple[Mistake, ...] = field(repr=False)

    def __getitem__(self, index: Any) -> Any:
        return Mistakes(self.mistakes[index]) if isinstance(index, slice) else self.mistakes[index]

    def __len__(self) -> int:
        return len(self.mistakes)

    def to_frame(self) -> "pd.DataFrame":
        """The table as a data frame.

        Returns
        -------
        DataFrame
            A row for every mistake: row in X, what y has, what was predicted, how far that is off, and the text.
        """
        return as_frame([{"row": one.row} | one.facts | {"text": one.text} for one in self.mistakes])

    def __str__(self) -> str:
        blocks = [
            f"row {one.row}: {', '.join(f'{name} {_plain(value)}' for name, value in one.facts.items())}\n"
            f"{one.text if one.why is None else str(one.why).partition(chr(10))[2]}"
            for one in self.mistakes
        ]
        return "\n\n".join(blocks) or "No mistakes."

    def _repr_html_(self) -> str:
        if not self.mistakes:
            return "No mistakes."
        rows = [
            {"row": one.row}
            | {name: _plain(value) for name, value in one.facts.items()}
            | {"text": html.escape(one.text) if one.why is None else one.why.as_html(headline=False)}
            for one in self.mistakes
        ]
        why = self.mistakes[0].why
        return as_html(rows, raw=["text"]) + ("" if why is None else legend(why.is_probability))


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def most_wrong(estimator: Any, X: Iterable[str], y: ArrayLike, *, n: int = 10) -> Mistakes:
    """The texts that a fitted estimator is most sure and wrong about.

    They show where labels are wrong, and what the estimator has not understood.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier with `predict_proba`, or a regressor; ours, or a pipeline. Those that have `explain`
        highlight the texts.
    X : iterable of str
        Texts that it was not fitted on.
    y : array-like of shape (n_texts,) or (n_texts, n_labels)
        Their labels, indicators or numbers.
    n : int, default=10
        At most so many.

    Returns
    -------
    Mistakes
        Of a classifier, the texts whose predicted label is not that of y, the most probable first. With several labels
        a text, one row for each wrong label. Of a regressor, the largest errors. `to_frame()` is the table.

    Examples
    --------
    >>> from skulmfit import LMFineTuner, ULMFiTClassifier
    >>> from skulmfit.inspection import most_wrong
    >>> texts = ["a fine film", "a dull film", "fine acting", "dull acting"] * 5
    >>> labels = ["good", "bad", "good", "bad"] * 5
    >>> lm = LMFineTuner(pretrained=None, vocab_size=300, embedding_dim=16, hidden_dim=16)
    >>> clf = ULMFiTClassifier(lm=lm, learning_rate=0.02, random_state=0).fit(texts, labels)
    >>> mistakes = most_wrong(clf, ["fine music", "dull music"], ["good", "good"])
    >>> [(mistake.text, mistake.facts["label"], mistake.facts["predicted"]) for mistake in mistakes]
    [('dull music', 'good', 'bad')]
    """
    texts = list(X)
    check_consistent_length(texts, y)
    if is_regressor(estimator):
        found = _errors(estimator, texts, np.asarray(y, dtype=np.float64))
    else:
        found = _wrong_labels(estimator, texts, y)
    found = sorted(found, key=lambda item: -item[0])[:n]
    return Mistakes(tuple(_explained(estimator, texts[row], row, facts, label) for _, row, facts, label in found))


# How bad it is, the row, what the table shows, and the label to explain.
_Found = list[tuple[float, int, dict[str, Any], Any]]


def _wrong_labels(estimator: Any, texts: list[str], y: Any) -> _Found:
    probabilities, classes = estimator.predict_proba(texts), np.asarray(estimator.classes_).tolist()
    y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
    if y.ndim == 2 and y.shape[1] > 1:
        predicted = estimator.predict(texts)
        predicted = predicted.toarray() if hasattr(predicted, "toarray") else np.asarray(predicted)
        return _wrong_indicators(probabilities, predicted, classes, y)
    found: _Found = []
    for row, (label, own) in enumerate(zip(column_or_1d(y).tolist(), probabilities)):
        predicted = classes[int(own.argmax())]
        if predicted != label:
            of_label = float(own[classes.index(label)]) if label in classes else 0.0
            facts = {
                "label": label, "predicted": predicted, "probability": float(own.max()),
                "probability_of_label": of_label,
            }  # fmt: skip
            found.append((float(own.max()), row, facts, predicted))
    return found


def _wrong_indicators(probabilities: np.ndarray, predicted: np.ndarray, classes: list[Any], y: np.ndarray) -> _Found:
    found: _Found = []
    for row, column in np.argwhere(predicted != (y == 1)).tolist():
        probability, in_y, label = float(probabilities[row, column]), int(y[row, column]), classes[column]
        facts = {
            "label": label, "in_y": in_y, "predicted": int(predicted[row, column]), "probability": probability
        }  # fmt: skip
        found.append((abs(probability - in_y), row, facts, label))
    return found


def _errors(estimator: Any, texts: list[str], y: np.ndarray) -> _Found:
    predicted = np.asarray(estimator.predict(texts), dtype=np.float64).reshape(len(texts), -1)
    y = y.reshape(len(texts), -1)
    found: _Found = []
    for row, column in np.ndindex(y.shape):
        error = float(predicted[row, column] - y[row, column])
        target = {"target": column} if y.shape[1] > 1 else {}
        facts = target | {"number": float(y[row, column]), "predicted": float(predicted[row, column]), "error": error}
        if error:
            found.append((abs(error), row, facts, column))
    return found


def _explained(estimator: Any, text: str, row: int, facts: dict[str, Any], label: Any) -> Mistake:
    """A mistake, with an explanation where the estimator has one."""
    if not hasattr(estimator, "explain"):
        return Mistake(row, facts, text)
    why = estimator.explain([text]) if is_regressor(estimator) else estimator.explain([text], labels=[label])
    return Mistake(row, facts, text, why[0].with_label(label))
