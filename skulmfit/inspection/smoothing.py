"""Noisy losses as one line."""

import numpy as np
from numpy.typing import ArrayLike


def smooth(losses: ArrayLike, share: float) -> np.ndarray:
    """Moving average in which each loss counts `share` as much as the one after it, corrected for its beginning.

    As Adam corrects its averages (Kingma & Ba 2015, section 3).

    >>> smooth([1.0, 1.0, 0.0], share=0.5).round(2).tolist()
    [1.0, 1.0, 0.43]
    """
    values = np.asarray(losses, dtype=np.float64)
    averages, average = np.empty(len(values)), 0.0
    for index, value in enumerate(values):
        average = share * average + (1 - share) * value
        averages[index] = average / (1 - share ** (index + 1))
    return averages
