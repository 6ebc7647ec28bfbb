"""ULMFiT as scikit-learn estimators."""

from skulmfit.classifier import ULMFiTClassifier
from skulmfit.finetuner import LMFineTuner

__all__ = ["LMFineTuner", "ULMFiTClassifier", "__version__"]
__version__ = "0.1.0"
