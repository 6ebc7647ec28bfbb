"""Language models of other libraries."""

from skulmfit.interop.fastai import load_fastai

__all__ = ["load_fastai"]
