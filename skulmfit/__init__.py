"""ULMFiT as scikit-learn estimators."""

from skulmfit.classifier import ULMFiTClassifier
from skulmfit.finetuner import LMFineTuner
from skulmfit.persistence import load
from skulmfit.regressor import ULMFiTRegressor

__all__ = ["LMFineTuner", "ULMFiTClassifier", "ULMFiTRegressor", "__version__", "load"]
__version__ = "0.1.0"
