"""The regressions that solve a head: scikit-learn's, on features of the encoder, before and after fine-tuning."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from skulmfit.training.head import Solution

_MAX_ITER = 300  # the default features of 1,000 questions of six kinds take 89
_ALPHA = 10.0  # of the ridge regression: best with 500 texts, and no worse with 100 (docs/log)
_ABSENT = -10.0  # logit of a class that no text has


def logistic_regression(features: np.ndarray, indices: np.ndarray, weights: np.ndarray, n_classes: int) -> Solution:
    """Logistic regression: weight (C, F) and bias (C,) of the logits, given the index of each text's class, (n,)."""
    coefficients = np.zeros((n_classes, features.shape[1]), np.float32)
    intercepts = np.full(n_classes, _ABSENT, np.float32)
    present = np.unique(indices)
    if len(present) == 1:
        intercepts[present] = -_ABSENT
        return coefficients, intercepts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # nearly solved is good enough
        warnings.simplefilter("ignore", DeprecationWarning)  # scikit-learn 1.6 with a new SciPy
        model = LogisticRegression(max_iter=_MAX_ITER).fit(features, indices, sample_weight=weights)
    if len(present) == 2:  # scikit-learn has one logit, that of the second class over the first
        coefficients[present] = np.vstack([-model.coef_, model.coef_]) / 2
        intercepts[present] = np.concatenate([-model.intercept_, model.intercept_]) / 2
    else:
        coefficients[present], intercepts[present] = model.coef_, model.intercept_
    return coefficients, intercepts


def ridge_regression(features: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Solution:
    """Ridge regression: weight (C, F) and bias (C,) of the outputs, given standardised targets (n, C)."""
    model = Ridge(_ALPHA).fit(features, targets, sample_weight=weights)
    coefficients = np.reshape(model.coef_, (targets.shape[1], -1)).astype(np.float32)
    return coefficients, np.reshape(model.intercept_, -1).astype(np.float32)
