"""What to do about a mistake in X and y."""

import reprlib
from collections.abc import Sequence
from typing import Any

from skulmfit.estimators.label_values import is_missing


def text_hint(value: Any) -> str:
    """What to do about a row of X that is no str."""
    if isinstance(value, bytes | bytearray):
        return "Decode bytes first: [text.decode() for text in X]."
    if is_missing(value):
        return "Replace missing texts by '', or leave them out."
    if isinstance(value, int | float) or hasattr(value, "dtype"):
        return "Are X and y swapped, or is this another column? If the numbers are texts, give str(number)."
    return "Give the texts themselves, each a str."


def column_hint(X: Any, n_columns: int) -> str:
    """What to do about an X of several columns, and which these are."""
    names = [str(name) for name in getattr(X, "columns", [])]
    if not names or len(names) != n_columns:
        return "Select the text column first, or use a ColumnTransformer."
    return (
        f"Its columns are {', '.join(map(repr, names))}. Select that of the texts, as X[{names[0]!r}]; join several by "
        "a line break; or use a ColumnTransformer."
    )


def check_not_swapped(texts: Sequence[str], y: Any) -> None:
    """Raise if y looks like the texts and X like the labels: y has more and longer strings than X.

    More labels than there are texts could not be learnt from them.

    Raises
    ------
    ValueError
    """
    if not isinstance(y, list | tuple) and getattr(y, "ndim", 0) != 1:
        return
    labels = list(y)
    if not all(isinstance(label, str) for label in labels):
        return
    if sum(map(len, labels)) > 2 * sum(map(len, texts)) and len(set(labels)) > len(set(texts)):
        raise ValueError(
            f"y looks like texts, and X like labels: row 0 of X is {texts[0]!r}, row 0 of y is "
            f"{reprlib.repr(labels[0])}. Are they swapped? It is fit(texts, labels)."
        )
