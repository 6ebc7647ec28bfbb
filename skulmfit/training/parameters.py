"""Checks of parameters: numbers within bounds, and one of some choices."""

import math
from collections.abc import Iterable
from numbers import Integral
from typing import Any, Literal


def check_number(
    value: Any,
    name: str,
    kind: type,
    *,
    low: float,
    high: float | None = None,
    bounds: Literal["both", "left", "right", "neither"] = "both",
) -> None:
    """Raise unless a parameter is a number of a kind (Real, Integral) from `low` to `high`.

    `bounds` says which of the two are allowed themselves.
    """
    is_number: bool = isinstance(value, kind) and not isinstance(value, bool)
    if not is_number:
        raise TypeError(f"{name} must be an instance of {kind.__name__}, not {type(value).__name__}: {value!r}.")
    if value != value or value in (math.inf, -math.inf):
        raise ValueError(f"{name} == {value}, must be a finite number.")
    has_low, has_high = bounds in ("both", "left"), bounds in ("both", "right")
    if not (value >= low if has_low else value > low):
        raise ValueError(f"{name} == {value}, must be {'>=' if has_low else '>'} {low}.")
    if high is not None and not (value <= high if has_high else value < high):
        raise ValueError(f"{name} == {value}, must be {'<=' if has_high else '<'} {high}.")


def check_number_or_auto(value: Any, name: str, kind: type, **bounds: Any) -> None:
    """Raise unless a parameter is "auto" or a number of a kind within bounds."""
    if isinstance(value, str) and value != "auto":
        raise TypeError(f"{name} must be 'auto' or a number, got {value!r}.")
    if not isinstance(value, str):
        check_number(value, name, kind, **bounds)


def check_choice(value: Any, name: str, choices: Iterable) -> None:
    """Raise unless a parameter is one of some values."""
    choices = list(choices)
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in choices):
        raise ValueError(f"{name}={value!r} is not one of {', '.join(map(repr, choices))}.")


def check_epochs(value: Any, *, low: int = 1) -> None:
    """Raise unless epochs is "auto" or an integer of at least `low`."""
    if value != "auto":
        if not isinstance(value, Integral):
            raise TypeError(f"epochs must be 'auto' or an int, got {value!r}.")
        check_number(value, "epochs", Integral, low=low)


def check_learning_rate(value: float | Literal["auto"]) -> None:
    """Raise if a learning rate is so high that nothing can be learnt: Adam moves each weight by about the rate."""
    if not isinstance(value, str) and value > 1:
        raise ValueError(
            f"learning_rate == {value}, must be <= 1: an update moves each weight by about that much. Rates from "
            "0.0001 to 0.05 are usual; skulmfit.inspection.LearningRateDisplay finds one."
        )
