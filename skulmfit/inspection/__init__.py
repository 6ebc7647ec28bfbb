"""Looking into fitted estimators: explanations, mistakes, curves. Uses only what estimators show in public."""

from skulmfit.inference.explanation import Explanation, Explanations
from skulmfit.inspection.mistakes import Mistakes, most_wrong

__all__ = ["Explanation", "Explanations", "Mistakes", "most_wrong"]
