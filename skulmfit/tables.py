"""Rows as a table: plain text, HTML, a data frame. Numbers are short."""

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from skulmfit.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]
Rows = Sequence[Row]
Item = TypeVar("Item")


def short(value: Any) -> str:
    """A value as a person reads it: numbers with three digits, nothing for None.

    >>> short(0.00012345), short(12345.678), short(3), short("a")
    ('0.000123', '12,346', '3', 'a')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def columns_of(rows: Rows) -> list[str]:
    """Names of all columns, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def as_text(rows: Rows) -> str:
    """Rows in columns of even width.

    >>> print(as_text([{"epoch": 1, "loss": 0.69315}, {"epoch": 10, "loss": 0.5}]))
    epoch   loss
        1  0.693
       10    0.5
    """
    names = columns_of(rows)
    cells = [names, *([short(row.get(name)) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    is_text = [any(isinstance(row.get(name), str) for row in rows) for name in names]
    lines = [
        "  ".join(cell.ljust(width) if left else cell.rjust(width) for cell, width, left in zip(line, widths, is_text))
        for line in cells
    ]
    return "\n".join(line.rstrip() for line in lines)


def as_html(rows: Rows, *, raw: Sequence[str] = ()) -> str:
    """Rows as an HTML table; what stands in a column of `raw` is HTML already."""
    names = columns_of(rows)
    head = "".join(f"<th>{html.escape(name.replace('_', ' '))}</th>" for name in names)
    lines = []
    for row in rows:
        cells = [str(row.get(name)) if name in raw else html.escape(short(row.get(name))) for name in names]
        styles = ["text-align: left" + ("; min-width: 30em" if name in raw else "") for name in names]
        lines.append(
            "<tr>" + "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, cells)) + "</tr>"
        )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def as_frame(rows: Rows, columns: Sequence[str] | None = None) -> "pd.DataFrame":
    """Rows as a data frame.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    return import_extra("pandas", "to_frame()").DataFrame(list(rows), columns=columns or columns_of(rows))


class Table(list[Item]):
    """A list that shows itself as a table. An item is a row, a mapping, or has a method `row` that gives one.

    >>> Table([{"epoch": 1, "loss": 0.69315}, {"epoch": 2, "loss": 0.5}])
    epoch   loss
        1  0.693
        2    0.5
    """

    def __init__(self, items: Iterable[Item] = ()):
        super().__init__(items)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> "Table[Item]": ...
    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Table(found) if isinstance(index, slice) else found

    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [item if isinstance(item, Mapping) else item.row() for item in self]  # type: ignore[attr-defined]

    def to_frame(self) -> "pd.DataFrame":
        """The table as a data frame.

        Returns
        -------
        DataFrame
            Numbers are not shortened.
        """
        return as_frame(self.rows())

    def __repr__(self) -> str:
        return as_text(self.rows()) if self else "[]"

    def _repr_html_(self) -> str:
        return as_html(self.rows())
