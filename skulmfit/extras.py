"""Packages that skulmfit does not require: imported when they are needed."""

import importlib
from typing import Any


def import_extra(name: str, what: str) -> Any:
    """A module that may not be installed.

    Parameters
    ----------
    name : str
        Of the module, which begins with that of its package.
    what : str
        What needs it, for the message.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ImportError(f"{what} needs {package}, which is not installed: pip install {package}") from error
