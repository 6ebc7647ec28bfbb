"""Language models of other libraries."""

from skulmfit.models.fastai import load_fastai

__all__ = ["load_fastai"]
