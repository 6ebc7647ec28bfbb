"""ULMFiT as scikit-learn estimators."""

from skulmfit.estimators.classifier import ULMFiTClassifier
from skulmfit.estimators.fine_tuner import LMFineTuner
from skulmfit.estimators.loading import load
from skulmfit.estimators.regressor import ULMFiTRegressor
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.registry import available_models
from skulmfit.training.recipe import EpochsForUpdates, Phase, Recipe
from skulmfit.training.recipes import CLASSIFIER_RECIPES, LANGUAGE_MODEL_RECIPES
from skulmfit.version import __version__
from skulmfit.versions import show_versions

__all__ = [
    "CLASSIFIER_RECIPES",
    "LANGUAGE_MODEL_RECIPES",
    "EpochsForUpdates",
    "LMFineTuner",
    "LanguageModel",
    "Phase",
    "Recipe",
    "ULMFiTClassifier",
    "ULMFiTRegressor",
    "__version__",
    "available_models",
    "load",
    "show_versions",
]
