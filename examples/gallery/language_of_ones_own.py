"""
A language of one's own
=======================

The models in the package know English. This example trains a tokenizer and a language model from nothing, on a
language that nobody taught them: Python. The same lines do it for any human language.
"""

# %%
# The texts are functions of Python's standard library, which every Python has. The label is the package that a
# function comes from. We take the first 200 characters of each.

import ast
import sysconfig
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split

PACKAGES = ["asyncio", "email", "logging", "multiprocessing", "unittest", "xml"]


def functions(package):
    """Source of the functions in a package, without line breaks."""
    for path in sorted((Path(sysconfig.get_path("stdlib")) / package).rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 1:
                yield " ".join(ast.get_source_segment(source, node).split())[:200]


code = pd.DataFrame(
    [(package, text) for package in PACKAGES for text in functions(package)], columns=["package", "text"]
)
code = code.drop_duplicates("text")
train, test = train_test_split(code, train_size=1500, test_size=400, stratify=code["package"], random_state=0)
unlabelled = code.drop(test.index)
print(f"{len(train)} labelled functions, {len(unlabelled)} to read, {len(test)} to test on")

# %%
# From nothing
# ------------
# `pretrained=None` learns a vocabulary and a network from the texts alone. There is little text, so both are small.

from skulmfit import LMFineTuner

lm = LMFineTuner(
    pretrained=None, vocab_size=2000, embedding_dim=64, hidden_dim=128, n_layers=2, epochs=5, random_state=0
).fit(unlabelled["text"])
pd.DataFrame(lm.history_)[["epoch", "loss", "seconds"]].round(2)

# %%
# What does it think that follows?

for prompt in ("def __init__(self", "async def"):
    print(lm.generate(prompt, n_tokens=25, random_state=0))

# %%
# Which package is it from?
# -------------------------
# A classifier on it, beside counts of words, which are hard to beat here: a name says much. `FrozenEstimator` keeps
# the language model as it is. The learning rate is higher than the default, which is meant for a network that knows
# much.

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skulmfit import ULMFiTClassifier

models = {
    "TF-IDF": make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
    ),
    "ULMFiT from nothing": ULMFiTClassifier(FrozenEstimator(lm), learning_rate=0.01, random_state=0),
}
for name, model in models.items():
    print(f"{name}: {model.fit(train['text'], train['package']).score(test['text'], test['package']):.3f}")
