"""Two text columns, title and body of BBC articles: joined by a line break, or each marked for the network.

    python benchmarks/columns.py --fine-tune 3

Of each article the title and the first --words words of the body. Draw `d` takes --labels labels, the same for each
way, and is the `random_state`; accuracy in % on all other articles, mean and standard deviation. Marked is fastai's
way: "xxfld 1 TITLE xxfld 2 BODY". Features are those of `LMFineTuner(epochs=0)` under a logistic regression.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skulmfit import LMFineTuner, ULMFiTClassifier

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from quickstart import read_bbc_news


def main():
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--draws", type=int, default=20, help="of labels for features")
    parser.add_argument("--fine-tune", type=int, default=3, help="draws for ULMFiTClassifier()")
    options = parser.parse_args()
    articles, topics = read_bbc_news()
    topics = np.array(topics)
    titles = [article.partition("\n")[0].strip() for article in articles]
    bodies = [" ".join(article.partition("\n")[2].split()[: options.words]) for article in articles]
    ways = {
        "body": bodies,
        "title": titles,
        "joined": [f"{title}\n{body}" for title, body in zip(titles, bodies)],
        "marked": [f"xxfld 1 {title} xxfld 2 {body}" for title, body in zip(titles, bodies)],
    }
    draws = [
        train_test_split(np.arange(len(topics)), train_size=options.labels, stratify=topics, random_state=draw)
        for draw in range(max(options.draws, options.fine_tune))
    ]
    lm = LMFineTuner(epochs=0).fit(["-"])
    features = {way: lm.transform(texts) for way, texts in ways.items()}
    features["side by side"] = np.hstack([features["title"], features["body"]])
    for way, columns in features.items():
        scores = []
        for train, test in draws[: options.draws]:
            model = LogisticRegression(max_iter=2000).fit(columns[train], topics[train])
            scores.append(model.score(columns[test], topics[test]))
        report(f"features, {way}", scores)
    for way in ("joined", "marked"):
        texts = np.array(ways[way], dtype=object)
        scores = []
        for draw, (train, test) in enumerate(draws[: options.fine_tune]):
            classifier = ULMFiTClassifier(random_state=draw).fit(texts[train], topics[train])
            scores.append(classifier.score(texts[test], topics[test]))
        report(f"ULMFiTClassifier(), {way}", scores)


def report(name, scores):
    """One line."""
    if scores:
        print(f"{name}: {100 * np.mean(scores):.2f} +- {100 * np.std(scores):.2f} ({len(scores)} draws)", flush=True)


if __name__ == "__main__":
    main()
