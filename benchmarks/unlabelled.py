"""Labels that are missing: self-training and active learning beside the same number of labels without them.

    python benchmarks/unlabelled.py trec6 mr

Features are those of `LMFineTuner(epochs=0)`, computed once. Draw `d` shuffles the training texts. Accuracy in % on the
test set, mean and standard deviation. Most uncertain first begins with a fifth of the labels and asks four times for as
many again: those with the smallest distance between the two most probable classes. One text of each cluster asks
once, for the texts nearest to the centres of as many clusters of sentence vectors as there are labels. Reads the
sets from the folder in SKULMFIT_DATA (default ../shared/data).
"""

import argparse

import numpy as np
from accuracy import read_set
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances_argmin
from sklearn.semi_supervised import SelfTrainingClassifier

from skulmfit import LMFineTuner


def fit(features, labels):
    """A logistic regression."""
    return LogisticRegression(max_iter=2000).fit(features, labels)


def self_training(features, labels, known, threshold):
    """A logistic regression that takes its own labels for the rest, where it is sure."""
    classes, codes = np.unique(labels, return_inverse=True)
    y = np.full(len(labels), -1)
    y[known] = codes[known]
    model = SelfTrainingClassifier(LogisticRegression(max_iter=2000), threshold=threshold).fit(features, y)
    return lambda new: classes[model.predict(new)]


def typical(vectors, n_labels, seed):
    """Rows of the texts nearest to the centres of as many clusters as there are labels."""
    clusters = KMeans(n_labels, n_init=1, random_state=seed).fit(vectors)
    return pairwise_distances_argmin(clusters.cluster_centers_, vectors)


def active(features, labels, order, n_labels):
    """Rows of labels that were asked for: the most uncertain first."""
    step = n_labels // 5
    known = list(order[:step])
    while len(known) < n_labels:
        rest = np.setdiff1d(order, known)
        probabilities = np.sort(fit(features[known], labels[known]).predict_proba(features[rest]), axis=1)
        known += rest[np.argsort(probabilities[:, -1] - probabilities[:, -2])[:step]].tolist()
    return known


def main():
    """Print a line for each way on each set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+")
    parser.add_argument("--labels", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--pool", type=int, default=2000, help="training texts of a draw, most of them unlabelled")
    options = parser.parse_args()
    lm = LMFineTuner(epochs=0).fit(["-"])
    for name in options.sets:
        train, test = read_set(name)
        features, new = (lm.transform(part["text"]) for part in (train, test))
        vectors = lm.set_params(features="sentence").transform(train["text"])
        lm.set_params(features="auto")
        labels, truth = (part["label"].to_numpy().astype(str) for part in (train, test))
        for n_labels in options.labels:
            scores = {}
            for draw in range(options.draws):
                order = np.random.default_rng(draw).permutation(len(labels))[: options.pool]
                x, y, own = features[order], labels[order], np.arange(n_labels)
                ways = {"as many labels": fit(x[own], y[own]).predict}
                ways["self-training"] = self_training(x, y, own, threshold=0.95)
                asked = active(x, y, np.arange(len(y)), n_labels)
                ways["most uncertain first"] = fit(x[asked], y[asked]).predict
                asked = typical(vectors[order], n_labels, draw)
                ways["one text of each cluster"] = fit(x[asked], y[asked]).predict
                for way, predict in ways.items():
                    scores.setdefault(way, []).append(np.mean(predict(new) == truth))
            for way, own in scores.items():
                print(
                    f"{name}, {n_labels} labels, {way}: {100 * np.mean(own):.1f} +- {100 * np.std(own):.1f}", flush=True
                )


if __name__ == "__main__":
    main()
