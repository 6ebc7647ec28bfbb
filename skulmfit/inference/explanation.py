"""Explanation: what each word of a text contributes to what a model makes of it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from skulmfit.extras import import_extra
from skulmfit.tables import as_frame, short
from skulmfit.text.segments import Span

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_FOR, _AGAINST = "33, 102, 172", "200, 90, 0"  # blue and orange, which the colour-blind can tell apart
_FAINTEST = 0.1  # of the strongest contribution: what is weaker is not marked
_N_NUMBERED = 5  # of the strongest words show their number


@dataclass(frozen=True)
class Part:
    """A word, sentence or passage that was left out of a text.

    Parameters
    ----------
    span : Span
        `text[span.start:span.end]`.
    kind : str
        "word", "sentence" or "passage".
    contributions : tuple of float
        How much the evidence for each label falls without the part.
    is_divided : bool, default=False
        Whether smaller parts of it were left out too.
    """

    span: Span
    kind: str
    contributions: tuple[float, ...]
    is_divided: bool = False


@dataclass(frozen=True, eq=False)
class Explanation:
    """What each part of a text contributes to a decision: how the decision changes if the part is left out.

    A contribution above 0 speaks for the label, one below 0 against it. Those of a classifier are log-odds, those of a
    regressor are in the unit of its targets. They are about the model, not about the world.

    Parameters
    ----------
    text : str
    labels : tuple
        Those that are explained; of a regressor the numbers of its targets.
    evidence : tuple of float
        Of the whole text, for each label: its log-odds, or the predicted number.
    parts : tuple of Part
        In the order of the text; a divided part comes before its parts.
    is_probability : bool
        Whether evidence is log-odds.
    """

    text: str
    labels: tuple[Any, ...]
    evidence: tuple[float, ...]
    parts: tuple[Part, ...]
    is_probability: bool

    def score(self, label: Any = None) -> float:
        """Probability of a label, or the predicted number, with the whole text.

        Parameters
        ----------
        label : optional
            One of `labels`; by default the first.

        Returns
        -------
        float
        """
        return self._score(self.evidence[self._column(label)])

    def strongest(self, n: int | None = None, label: Any = None) -> list[tuple[str, float]]:
        """The words that contribute most, and what they contribute.

        Parameters
        ----------
        n : int, optional
            At most so many; by default all.
        label : optional
            One of `labels`; by default the first.

        Returns
        -------
        list of (str, float)
            The strongest contribution first, whether for or against the label. Of a long text, sentences too.
        """
        column = self._column(label)
        ordered = sorted(self._leaves(), key=lambda part: -abs(part.contributions[column]))
        return [(self._text_of(part), part.contributions[column]) for part in ordered[:n]]

    def rows(self) -> list[dict[str, Any]]:
        """A row for every part and label, as in `to_frame`."""
        without = "probability_without" if self.is_probability else "prediction_without"
        return [
            {
                "label": label, "part": self._text_of(part), "kind": part.kind, "start": part.span.start,
                "end": part.span.end, "contribution": contribution, without: self._score(evidence - contribution),
            }
            for column, (label, evidence) in enumerate(zip(self.labels, self.evidence))
            for part in self.parts
            for contribution in [part.contributions[column]]
        ]  # fmt: skip

    def to_frame(self) -> "pd.DataFrame":
        """All parts as a data frame.

        Returns
        -------
        DataFrame
            A row for every part and label: label, part, kind ("word", "sentence", "passage"), start and end in the
            text, contribution, and what the model says without the part: its probability, or the predicted number.
        """
        return as_frame(self.rows(), None if self.rows() else ["label", "part", "kind", "start", "end", "contribution"])

    def plot(self, *, label: Any = None, n: int = 15, ax: "Axes | None" = None) -> "Axes":
        """Bars of the words that contribute most.

        Parameters
        ----------
        label : optional
            One of `labels`; by default the first.
        n : int, default=15
            At most so many words.
        ax : matplotlib Axes, optional
            Where to draw; by default on a new figure.

        Returns
        -------
        matplotlib Axes
        """
        strongest = self.strongest(n, label)[::-1]
        ax = ax or import_extra("matplotlib.pyplot", "plot()").subplots(figsize=(6, 0.8 + 0.28 * len(strongest)))[1]
        heights = [contribution for _, contribution in strongest]
        colours = [f"#{'2166ac' if height > 0 else 'c85a00'}" for height in heights]
        bars = ax.barh(range(len(heights)), heights, color=colours)
        for bar, height in zip(bars, heights):
            bar.set_hatch("" if height > 0 else "///")  # for those who see no colour
        ax.set_yticks(range(len(heights)), [_shortened(word) for word, _ in strongest])
        ax.axvline(0, color="grey", linewidth=0.8)
        ax.set_xlabel(self._unit())
        ax.set_title(self._headline(self._column(label)))
        return ax

    def __str__(self) -> str:
        return "\n\n".join(self._block(column) for column in range(len(self.labels)))

    def __repr__(self) -> str:
        shown = ", ".join(f"{word!r} {contribution:+.2f}" for word, contribution in self.strongest(3))
        return f"Explanation({self._headline(0)}: {shown})"

    def _repr_html_(self) -> str:
        return self.as_html() + legend(self.is_probability)

    def as_html(self, *, headline: bool = True) -> str:
        """The highlighted text, without the legend, once for each label."""
        blocks = []
        for column in range(len(self.labels)):
            head = f"<b>{html.escape(self._headline(column))}</b><br>" if headline else ""
            blocks.append(f'<div style="line-height: 1.9; white-space: pre-wrap">{head}{self._marked(column)}</div>')
        return "".join(blocks)

    def with_label(self, label: Any) -> "Explanation":
        """The same for one of its labels alone."""
        column = self._column(label)
        parts = tuple(replace(part, contributions=(part.contributions[column],)) for part in self.parts)
        return replace(self, labels=(self.labels[column],), evidence=(self.evidence[column],), parts=parts)

    def _column(self, label: Any) -> int:
        if label is None:
            return 0
        if label not in self.labels:
            raise ValueError(f"label={label!r} is not explained here; {', '.join(map(repr, self.labels))} are.")
        return self.labels.index(label)

    def _score(self, evidence: float) -> float:
        """A sigmoid, where evidence is log-odds; this one does not overflow."""
        return float(0.5 + 0.5 * np.tanh(evidence / 2)) if self.is_probability else evidence

    def _text_of(self, part: Part) -> str:
        return self.text[part.span.start : part.span.end]

    def _leaves(self) -> list[Part]:
        return [part for part in self.parts if not part.is_divided]

    def _headline(self, column: int) -> str:
        score = self._score(self.evidence[column])
        return f"{self.labels[column]}, probability {score:.2f}" if self.is_probability else f"predicted {short(score)}"

    def _unit(self) -> str:
        return "contribution (log-odds)" if self.is_probability else "contribution (unit of the target)"

    def _strengths(self, column: int) -> list[tuple[Part, float, float]]:
        """Each part that is not divided, its contribution, and that as a share of the strongest."""
        leaves = self._leaves()
        greatest = max((abs(part.contributions[column]) for part in leaves), default=0.0) or 1.0
        return [(part, part.contributions[column], abs(part.contributions[column]) / greatest) for part in leaves]

    def _marked(self, column: int) -> str:
        """The text as HTML: the stronger a part, the deeper its colour and the thicker its line."""
        strengths = self._strengths(column)
        numbered = {id(part) for part, _, _ in sorted(strengths, key=lambda item: -item[2])[:_N_NUMBERED]}
        pieces, done = [], 0
        for part, contribution, strength in strengths:
            pieces.append(html.escape(self.text[done : part.span.start]))
            pieces.append(_mark(self._text_of(part), contribution, strength, id(part) in numbered))
            done = part.span.end
        return "".join([*pieces, html.escape(self.text[done:])])

    def _block(self, column: int) -> str:
        """Plain text: the headline, and the text with a number behind each part that counts."""
        pieces, done = [], 0
        for part, contribution, strength in self._strengths(column):
            if strength >= _FAINTEST:
                is_word = part.kind == "word"
                opening, closing = ("", f"[{contribution:+.2f}]") if is_word else ("[", f" {contribution:+.2f}]")
                pieces += [self.text[done : part.span.start], opening, self._text_of(part), closing]
                done = part.span.end
        return f"{self._headline(column)}; {self._unit()} of words:\n" + "".join([*pieces, self.text[done:]])


def _mark(text: str, contribution: float, strength: float, numbered: bool) -> str:
    """One part of a text as HTML."""
    if strength < _FAINTEST:
        return html.escape(text)
    colour, line = (_FOR, "solid") if contribution > 0 else (_AGAINST, "dotted")
    border = f"{1 + 2 * strength:.0f}px {line} rgb({colour})"
    style = f"background: rgba({colour}, {0.6 * strength:.2f}); border-bottom: {border}"
    number = f'<sup style="font-size: 70%">{contribution:+.1f}</sup>' if numbered else ""
    return f'<span style="{style}" title="{contribution:+.3f}">{html.escape(text)}{number}</span>'


def legend(is_probability: bool) -> str:
    """What the marks of an explanation mean, as HTML."""
    unit = "log-odds" if is_probability else "the unit of the target"
    return (
        f'<div style="font-size: 85%">{_mark("solid line", 1.0, 1.0, False)} speaks for it, '
        f"{_mark('dotted line', -1.0, 1.0, False)} against it. The number says by how much the decision falls if the "
        f"word is left out, in {unit}.</div>"
    )


def _shortened(text: str, length: int = 40) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else f"{text[: length - 1]}…"


class Explanations(Sequence[Explanation]):
    """Explanations of several texts, in their order.

    Parameters
    ----------
    explanations : sequence of Explanation
    """

    def __init__(self, explanations: Sequence[Explanation]):
        self._all = tuple(explanations)

    @overload
    def __getitem__(self, index: int) -> Explanation: ...
    @overload
    def __getitem__(self, index: slice) -> "Explanations": ...
    def __getitem__(self, index: int | slice) -> "Explanation | Explanations":
        return Explanations(self._all[index]) if isinstance(index, slice) else self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def to_frame(self) -> "pd.DataFrame":
        """All parts of all texts as a data frame.

        Returns
        -------
        DataFrame
            As that of one `Explanation`, and before it the column `row`: the number of the text.
        """
        return as_frame([{"row": row} | own for row, one in enumerate(self._all) for own in one.rows()])

    def plot(self, *, n: int = 15) -> "list[Axes]":
        """Bars of the words that contribute most, one figure below the other.

        Parameters
        ----------
        n : int, default=15
            At most so many words a text.

        Returns
        -------
        list of matplotlib Axes
        """
        pyplot = import_extra("matplotlib.pyplot", "plot()")
        heights = [0.8 + 0.28 * min(n, len(one.strongest())) for one in self._all]
        _, axes = pyplot.subplots(
            len(self), 1, squeeze=False, figsize=(6, sum(heights)), layout="constrained", height_ratios=heights
        )  # fmt: skip
        return [one.plot(n=n, ax=ax) for one, ax in zip(self._all, axes[:, 0])]

    def __str__(self) -> str:
        return "\n\n".join(map(str, self._all))

    def __repr__(self) -> str:
        return f"Explanations({list(self._all)!r})"

    def _repr_html_(self) -> str:
        blocks = "<hr>".join(one.as_html() for one in self._all)
        return blocks + (legend(self._all[0].is_probability) if self._all else "")
