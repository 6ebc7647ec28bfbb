"""The model card of a fitted classifier or regressor, as Markdown."""

from typing import Any, Protocol

import numpy as np

from skulmfit.estimators.fitted_state import AnyTargets, SupervisedState
from skulmfit.estimators.indicator_targets import Indicators
from skulmfit.estimators.label_targets import Labels
from skulmfit.estimators.number_targets import Numbers
from skulmfit.estimators.supervised_data import SupervisedData
from skulmfit.tables import Table, short
from skulmfit.training.projection import duration
from skulmfit.version import __version__


class Fitted(Protocol):
    """What must be known of the estimator."""

    stages_: Table[Any]
    lm_stages_: Table[Any]
    history_: Table[dict[str, Any]]


def data_sizes(data: SupervisedData[AnyTargets], rows: np.ndarray) -> dict[str, Any]:
    """Sizes of the rows that a fit learns from, and of the others, which it validates on."""
    words = sum(len(data.texts[row].split()) for row in rows)
    sizes = {
        "skulmfit": __version__,
        "texts": len(rows),
        "words": words,
        "validation_texts": len(data.texts) - len(rows),
    }
    if data.phrases:
        sizes |= {"unlabelled_texts": len(data.unlabelled), "phrases": len(data.phrases)}
    targets, encoded = data.targets, data.encoded[rows]
    if isinstance(targets, Labels):
        return sizes | {"texts_of_label": np.bincount(encoded, minlength=targets.n_outputs).tolist()}
    return sizes | ({"texts_of_label": encoded.sum(axis=0).tolist()} if isinstance(targets, Indicators) else {})


def render(estimator: Fitted, fitted: SupervisedState[Any]) -> str:
    """Markdown of a card."""
    parts = [f"# {type(estimator).__name__}", _table(_facts(estimator, fitted))]
    if counts := fitted.data.get("texts_of_label"):
        labels = {_code(label): f"{count:,}" for label, count in zip(fitted.targets.labels, counts)}
        parts += ["## Labels", _table(labels, ("label", "texts to learn from"))]
    stages = {f"language model: {stage.name}": stage for stage in estimator.lm_stages_}
    stages |= {stage.name: stage for stage in estimator.stages_}
    plan = {name: f"{stage.epochs} | {stage.row()['learning rate']}" for name, stage in stages.items()}
    settings = f"```python\n{estimator!r}\n```"
    parts += ["## Settings", settings, _table(plan, ("stage", "epochs | learning rate"))]
    parts += ["## Held-out texts", _held_out(estimator)]
    return "\n\n".join(parts) + "\n"


def _facts(estimator: Fitted, fitted: SupervisedState[Any]) -> dict[str, str]:
    data, model = fitted.data, fitted.models[0]
    architecture, directions = model.architecture, " and ".join(model.direction for model in fitted.models)
    facts = {"task": _task(fitted.targets)}
    if data:
        held_out = f", {data['validation_texts']:,} more to validate on" if data["validation_texts"] else ""
        facts["learnt from"] = f"{data['texts']:,} texts, {data['words']:,} words in all{held_out}"
        if "phrases" in data:
            more = f"{data['unlabelled_texts']:,} texts without a label, {data['phrases']:,} phrases of the classes"
            facts["learnt from"] += f"; {more}"
        facts["made with"] = f"skulmfit {data['skulmfit']}"
    facts["network"] = (
        f"AWD-{architecture.kind.upper()}, {architecture.n_layers} layers, {architecture.vocab_size:,} pieces, reads "
        f"{directions}"
    )
    seconds = sum(row["seconds"] for row in estimator.history_)
    return facts | {"training took": duration(seconds)}


def _task(targets: Any) -> str:
    if isinstance(targets, Numbers):
        return "one number a text" if targets.n_outputs == 1 else f"{targets.n_outputs} numbers a text"
    return f"one of {targets.n_outputs} labels a text" if isinstance(targets, Labels) else "any of the labels a text"


def _held_out(estimator: Fitted) -> str:
    rows = [row for row in estimator.history_ if "validation_score" in row]
    if not rows:
        return "None were given: this card has no scores. Measure on texts that the model has not seen."
    best = min(rows, key=lambda row: row["validation_loss"])
    name = "R squared" if "Regressor" in type(estimator).__name__ else "accuracy"
    return _table({f"{name} after an epoch (chosen among {len(rows)})": short(best["validation_score"])})


def _table(facts: dict[str, str], head: tuple[str, str] = ("", "")) -> str:
    n_columns = 1 + len(head[1].split(" | "))
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"| {head[0]} | {head[1]} |\n{'|---' * n_columns}|\n{rows}"


def _code(label: Any) -> str:
    return f"`{label}`".replace("|", "\\|").replace("\n", " ")
