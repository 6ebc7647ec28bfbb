"""Identity of a fit: a key of its parameters, the files that they name, and the data."""

from pathlib import Path
from typing import Any

import joblib
from sklearn.frozen import FrozenEstimator

from skulmfit.models.registry import locate
from skulmfit.version import __version__

# They do not change the result, and so must not change the key.
WITHOUT_EFFECT = ("checkpoint", "device", "memory", "pooling", "verbose")


def fit_identity(estimator: Any, *data: Any) -> str:
    """Key of a fit of an estimator on data."""
    return joblib.hash((__version__, _content(estimator), data))


def _content(estimator: Any) -> Any:
    """Parameters of an estimator, recipes by their content, and what is in the files that they name."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name not in WITHOUT_EFFECT}
    recipe = params.pop("recipe")
    if "lm" in params:
        # The language model that None stands for follows the recipe's name.
        params["lm"] = recipe if params["lm"] is None else _content_of_lm(params["lm"])
    files = _file_contents(estimator) if hasattr(estimator, "pretrained") else []
    return type(estimator).__qualname__, params, estimator._resolved_recipe(), files


def _content_of_lm(lm: Any) -> Any:
    return lm if isinstance(lm, FrozenEstimator) else _content(lm)


def _file_contents(lm: Any) -> list[bytes]:
    """Contents of the files that the parameters name: another file under the same name is another model."""
    pretrained = lm._pretrained_by_direction().items()
    files = [locate(name, direction) for direction, name in pretrained if name is not None]
    if lm.tokenizer not in (None, "train") and not callable(lm.tokenizer):
        files.append(Path(lm.tokenizer))
    return [path.read_bytes() for path in files if path.is_file()]
