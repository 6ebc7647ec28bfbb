"""Pretrained language models by name or path."""

import os
from functools import lru_cache
from pathlib import Path

from skulmfit.models.language_model import LanguageModel

_FOLDER = Path(__file__).parents[1] / "pretrained"


def available_models() -> list[str]:
    """Names of the language models inside the package, which `pretrained=` takes.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import skulmfit
    >>> "en" in skulmfit.available_models()
    True
    """
    return sorted(path.stem for path in _FOLDER.glob("*.npz"))


def load_pretrained(pretrained: str | os.PathLike, direction: str | None = None) -> LanguageModel:
    """A shipped language model by name, or one from a file.

    Parameters
    ----------
    pretrained : str or path
    direction : {"forward", "backward"}, optional
        Which way it must read. The backward model that goes with a shipped one has `-backward` behind its name.

    Raises
    ------
    ValueError
        If the name is unknown, the file is missing or not a language model, or it reads the other way.
    """
    path = locate(pretrained, direction)
    model = _load_shipped(path) if path.parent == _FOLDER else LanguageModel.load(path)
    if direction not in (None, model.tokenizer.direction):
        raise ValueError(
            f"pretrained={os.fspath(pretrained)!r} reads {model.tokenizer.direction}, not {direction}. Give its "
            f"direction, or a model made by `python -m skulmfit.pretraining train --direction {direction}`, or None."
        )
    return model


def locate(pretrained: str | os.PathLike, direction: str | None = None) -> Path:
    """File of a language model given by name or path. A shipped one may have another for the other direction."""
    if direction == "backward" and pretrained in available_models() and f"{pretrained}-backward" in available_models():
        pretrained = f"{pretrained}-backward"
    if pretrained in available_models():
        return _FOLDER / f"{pretrained}.npz"
    if not Path(pretrained).is_file():
        names = ", ".join(available_models())
        raise ValueError(
            f"pretrained={os.fspath(pretrained)!r} is neither a shipped language model ({names}) nor a file. Give one "
            "of these names, the path of a file made by `python -m skulmfit.pretraining`, or None to train from "
            "scratch."
        )
    return Path(pretrained)


@lru_cache(maxsize=1)
def _load_shipped(path: Path) -> LanguageModel:
    return LanguageModel.load(path)
