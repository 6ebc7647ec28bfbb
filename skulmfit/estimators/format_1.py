"""Files of format 1, of skulmfit 0.1.0: their JSON, rewritten as that of format 2.

In format 1 an estimator's attributes stood side by side, and each of two directions was an estimator of its own.
"""

from typing import Any

_RENAMED = {"Auto": "EpochsForUpdates"}
_UNFROZEN = {0: "all", -1: "one by one"}
_FITTED = {
    "recipe_", "stages_", "history_", "n_iter_", "vocab_size_", "_architecture", "_interrupted", "lm_stages_",
    "_n_outputs", "_hidden_dim", "classes_", "_is_multilabel", "_target_mean", "_target_scale", "_is_multioutput",
    "_network", "_tokenizer", "directions_", "vocab_transfer_", "_sklearn_output_config",
}  # fmt: skip


def upgrade(code: Any) -> Any:
    """JSON of a value of format 1 as that of format 2."""
    if isinstance(code, list):
        return [upgrade(item) for item in code]
    if not isinstance(code, dict):
        return code
    if "estimator" in code:
        return {"estimator": _estimator(code["estimator"], code["state"])}
    if "data" in code:
        return _data(code["data"], {name: upgrade(item) for name, item in code["fields"].items()})
    if "tokenizer" in code:
        return {"tokenizer": [code["tokenizer"]["array"], code["direction"]]}
    if "items" in code:
        return {"array": [code["shape"], upgrade(code["items"])]}
    return {key: upgrade(item) for key, item in code.items()}


def _data(name: str, contents: dict[str, Any]) -> dict[str, Any]:
    """A dataclass, with the names that it and its fields have now."""
    if name == "Phase":
        groups = contents.pop("groups")
        contents["unfrozen"] = _UNFROZEN.get(groups, groups)
    return {"data": [_RENAMED.get(name, name), contents]}


def _estimator(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """An estimator, its parameters apart from what a fit has left."""
    values = {key: upgrade(item) for key, item in state.items() if key != "directions_"}
    directions = state.get("directions_", {"dict": []})["dict"]
    states = [member["state"] for _, member in directions] or ([state] if "_network" in state else [])
    return {
        "name": name,
        "params": {key: item for key, item in values.items() if key not in _FITTED},
        "fitted": _fitted([{key: upgrade(item) for key, item in each.items()} for each in states]) if states else None,
        "output": values.get("_sklearn_output_config"),
    }


def _fitted(states: list[dict[str, Any]]) -> dict[str, Any]:
    """The fitted state, given the attributes of each direction."""
    first = states[0]
    contents = {
        "recipe": first["recipe_"],
        "models": {"tuple": [_model(state) for state in states]},
        "outcomes": {"tuple": [_outcome(state) for state in states]},
        "vocab_transfers": {"tuple": [state.get("vocab_transfer_") for state in states]},
    }
    if "lm_stages_" not in first:
        return {"data": ["FittedState", contents]}
    lm_outcomes = {"tuple": [_lm_outcome(state) for state in states]}
    return {"data": ["SupervisedState", contents | {"lm_outcomes": lm_outcomes, "targets": _targets(first)}]}


def _model(state: dict[str, Any]) -> dict[str, Any]:
    contents = {
        "architecture": state["_architecture"], "tokenizer": state["_tokenizer"], "weights": state["_network"]
    }  # fmt: skip
    if "_n_outputs" not in state:
        return {"data": ["LanguageModel", contents | {"card": {"dict": []}}]}
    sizes = {"n_outputs": state["_n_outputs"], "head_dim": state["_hidden_dim"]}
    return {"data": ["FineTunedModel", contents | {"head": {"data": ["HeadShape", sizes]}}]}


def _outcome(state: dict[str, Any]) -> dict[str, Any]:
    rows = state["history_"][_n_lm_rows(state) :]
    contents = {"stages": state["stages_"], "history": rows, "interrupted": state["_interrupted"]}
    return {"data": ["Outcome", contents]}


def _lm_outcome(state: dict[str, Any]) -> dict[str, Any]:
    rows = state["history_"][: _n_lm_rows(state)]
    return {"data": ["Outcome", {"stages": state["lm_stages_"], "history": rows, "interrupted": False}]}


def _n_lm_rows(state: dict[str, Any]) -> int:
    """Rows of the history that are the language-model stage's: those before the last `n_iter_`."""
    return len(state["history_"]) - state["n_iter_"]


def _targets(state: dict[str, Any]) -> dict[str, Any]:
    if "_target_mean" in state:
        mean, scale = state["_target_mean"], state["_target_scale"]
        return {"data": ["Numbers", {"mean": mean, "scale": scale, "is_matrix": state["_is_multioutput"]}]}
    return {"data": ["Indicators" if state["_is_multilabel"] else "Labels", {"classes": state["classes_"]}]}
