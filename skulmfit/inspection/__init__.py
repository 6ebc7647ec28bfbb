"""Looking into fitted estimators: explanations, mistakes, curves. Uses only what estimators show in public."""

from skulmfit.inference.explanation import Explanation, Explanations
from skulmfit.inspection.label_curve import LabelCurveDisplay
from skulmfit.inspection.learning_rate_range import LearningRateDisplay
from skulmfit.inspection.mistakes import Mistakes, most_wrong
from skulmfit.inspection.phrase_check import PhraseCheck, check_phrases
from skulmfit.inspection.training_curve import TrainingCurveDisplay

__all__ = [
    "Explanation",
    "Explanations",
    "LabelCurveDisplay",
    "LearningRateDisplay",
    "Mistakes",
    "PhraseCheck",
    "TrainingCurveDisplay",
    "check_phrases",
    "most_wrong",
]
