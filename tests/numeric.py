"""Test-only adapter: scikit-learn's numeric checks drive a text estimator, one word per feature."""

import numpy as np
from sklearn.utils.validation import validate_data

from skulmfit import LMFineTuner, ULMFiTClassifier, ULMFiTRegressor


def rows_to_texts(X):
    """Feature j with value v becomes the word f{j}q{floor(2v)}, repeated so that texts differ in length."""
    quantised = np.floor(2 * np.asarray(X, dtype=float)).astype(int)
    return [
        " ".join(f"f{j}q{value}".replace("-", "n") for j, value in enumerate(row) for _ in range(1 + abs(value) % 3))
        for row in quantised
    ]


class NumericTexts:
    def _check_texts(self, X, *, reset):
        return rows_to_texts(validate_data(self, X, reset=reset))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.one_d_array, tags.input_tags.string = True, False, False
        return tags


TINY = {"pretrained": None, "vocab_size": 400, "embedding_dim": 8, "hidden_dim": 8, "n_layers": 1, "epochs": 1}


class NumericLMFineTuner(NumericTexts, LMFineTuner):
    pass


class NumericULMFiTClassifier(NumericTexts, ULMFiTClassifier):
    pass


class NumericULMFiTRegressor(NumericTexts, ULMFiTRegressor):
    pass


def numeric_lm():
    return NumericLMFineTuner(**TINY)


def numeric_classifier():
    return NumericULMFiTClassifier(LMFineTuner(**TINY), epochs=20, learning_rate=0.03, batch_size=64)


def numeric_regressor():
    return NumericULMFiTRegressor(LMFineTuner(**TINY), epochs=20, learning_rate=0.03, batch_size=64)
