"""What phrases say of the classes as a linear model, alone or beside labelled texts.

A text's similarity to a class is the cosine of its sentence vector with that of the class's phrases. Similarities of
different phrases are of different sizes, so the texts, labelled or not, serve to centre and scale them. How this was
chosen is in docs/log.

Letters in shapes: n texts, C classes, F features, D width of a sentence vector.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import softmax

from skulmfit.estimators.regressions import logistic_regression
from skulmfit.training.head import Readings, Solution, WordReadings

_LOGITS_PER_DEVIATION = 1.5
_TRUST = 100  # labels that count as much as the phrases do
_FEW = 20  # texts that count as much as what holds for any
_MEANS_HELD = 0.05  # texts, as a share of all, that hold a class's mean where the phrases alone put it
_ROUNDS = 20
_LEAST_DEVIATION = 0.02  # of cosines
_SAME = 0.9999  # cosine of vectors that tell nothing apart


def centred(similarities: np.ndarray) -> Solution:
    """Gain and bias (C,) each that turn similarities (n, C) into logits, of classes of unknown shares.

    A class's centre is the mean over classes of the classes' mean similarities, so that a rare class does not move it.
    Who belongs to which class follows from the centres, and they from that, in turns; a mixture whose means are held by
    where they were at first. The shares of the classes are estimated in the same turns (Saerens et al. 2002).
    """
    n, n_classes = similarities.shape
    weight, held = n / (n + _FEW), max(_MEANS_HELD * n, _FEW)
    variance = similarities.var(axis=0)
    variance = weight * variance + (1 - weight) * max(variance.mean(), _LEAST_DEVIATION**2)
    gain = _LOGITS_PER_DEVIATION / np.sqrt(np.maximum(variance, _LEAST_DEVIATION**2 / 4))
    centre, log_shares = _towards_common(similarities.mean(axis=0), weight), np.zeros(n_classes)
    belongs = softmax((similarities - centre) * gain, axis=1)  # (n, C)
    first_means = belongs.T @ similarities / belongs.sum(axis=0)[:, None]  # (C, C)
    for _ in range(_ROUNDS):
        belongs = softmax((similarities - centre) * gain + log_shares, axis=1)
        sizes = belongs.sum(axis=0)
        log_shares = np.log((sizes + _FEW / n_classes) / (n + _FEW))
        means = (belongs.T @ similarities + held * first_means) / (sizes + held)[:, None]
        centre = _towards_common(means.mean(axis=0), weight)
    return gain, log_shares - centre * gain


def _towards_common(centre: np.ndarray, weight: float) -> np.ndarray:
    """Centres (C,), moved towards their mean where few texts stand behind them."""
    return centre.mean() + weight * (centre - centre.mean())


def phrase_regression(readings: Readings, words: WordReadings, labels: Sequence[Any]) -> Solution:
    """Weight (C, F) and bias (C,) of logits from phrases, and from labels if there are any.

    The phrases are examples of a logistic regression beside the labelled texts, and what they say by themselves is
    added to it, the less the more labels there are. Of an encoder that was fine-tuned it is their weighted mean: the
    phrases' similarities know the labels too.

    Raises
    ------
    ValueError
        If the phrases of two of the classes, whose `labels` are for the message, have the same vector.
    """
    n_classes = len(labels)
    classes = _class_vectors(words)
    if not readings.is_fine_tuned:
        _check_distinct(classes, labels)
    weight, bias = _from_phrases(classes, readings, words)
    n_labels = len(readings.features)
    if not n_labels:
        return weight, bias
    indices = np.concatenate([readings.targets, words.targets])
    weights = np.concatenate([readings.weights, np.ones(len(words.targets))])
    learnt, intercept = logistic_regression(
        np.concatenate([readings.features, words.phrases]), indices, weights, n_classes
    )  # fmt: skip
    trust = _TRUST / (n_labels + _TRUST)
    # Few labels say little of the classes' shares, of which the phrases' bias has an estimate of its own.
    sizes = np.bincount(indices, weights, minlength=n_classes)
    intercept = intercept - trust * np.log(sizes / sizes.sum())
    share = 1 / (1 + trust) if readings.is_fine_tuned else 1
    both = share * (learnt + trust * weight), share * (intercept + trust * bias)
    return both[0].astype(np.float32), both[1].astype(np.float32)


def _class_vectors(words: WordReadings) -> np.ndarray:
    """The mean of the sentence vectors of each class's phrases, with length 1, (C, D)."""
    vectors = words.sentence_vectors(words.phrases)
    sums = np.stack([vectors[words.targets == column].sum(axis=0) for column in range(words.targets.max() + 1)])
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)


def _check_distinct(classes: np.ndarray, labels: Sequence[Any]) -> None:
    """Raise if the phrases of two classes have one vector, given the vectors (C, D)."""
    for first, second in combinations(range(len(labels)), 2):
        if not classes[first] @ classes[second] < _SAME:
            raise ValueError(
                f"The phrases of {labels[first]!r} and {labels[second]!r} in label_texts have one sentence vector. "
                "Either they say the same, or a language-model stage has made sentence vectors useless: try "
                "lm=LMFineTuner(epochs=0)."
            )


def _from_phrases(classes: np.ndarray, readings: Readings, words: WordReadings) -> Solution:
    """Weight (C, F) and bias (C,) from the vectors (C, D) of the classes' phrases alone."""
    texts = np.concatenate([readings.features, words.unlabelled])
    gain, bias = centred(words.sentence_vectors(texts) @ classes.T)
    weight = np.zeros((len(classes), words.phrases.shape[1]), np.float32)
    weight[:, -words.sentence_dim :] = gain[:, None] * classes / words.sentence_length
    return weight, bias.astype(np.float32)
