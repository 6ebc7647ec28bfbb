"""What is installed and where it runs, for a report of a fault."""

import importlib.metadata
import platform
import sys

import torch

from skulmfit.version import __version__

_PACKAGES = ("scikit-learn", "torch", "numpy", "scipy", "joblib", "sentencepiece", "pandas", "matplotlib", "tqdm")


def show_versions() -> None:
    """Print the versions of skulmfit and of what it uses, and what it computes on. Paste it into a report of a fault.

    Examples
    --------
    >>> import skulmfit
    >>> skulmfit.show_versions()  # doctest: +ELLIPSIS
    skulmfit       ...
    """
    for name, value in _facts().items():
        print(f"{name:<14} {value}")


def _facts() -> dict[str, str]:
    facts = {"skulmfit": __version__, "python": sys.version.split()[0], "platform": platform.platform()}
    return facts | {name: _installed(name) for name in _PACKAGES} | {"device": _device()}


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _device() -> str:
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{', '.join(gpus) or 'no GPU'}, {torch.get_num_threads()} threads of torch"
