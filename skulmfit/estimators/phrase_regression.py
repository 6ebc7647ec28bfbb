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
from scipy.special import logsumexp, softmax

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
    alone = _phrases_alone(readings, words, words.targets, labels)
    if not len(readings.features):
        return alone
    features, indices, weights = _examples(readings, words)
    learnt, intercept = logistic_regression(features, indices, weights, len(labels))
    # Few labels say little of the classes' shares, of which the phrases' bias has an estimate of its own.
    sizes = np.bincount(indices, weights, minlength=len(labels))
    return _beside((learnt, intercept - _trust(readings) * np.log(sizes / sizes.sum())), alone, readings)


def phrase_regressions(
    readings: Readings, words: WordReadings, labels: Sequence[Any], positive_weights: np.ndarray
) -> Solution:
    """As `phrase_regression`, where a text may have several labels: a logit for each, that of its presence.

    What phrases say by themselves is made as if a text had one label, and is the log-odds of each against all others.
    The presence of a label counts `positive_weights` (C,) times as much as its absence.
    """
    weight, bias = _phrases_alone(readings, words, words.targets.argmax(axis=1), labels)
    alone = _against_all_others(weight, bias, _texts(readings, words))
    n_labels = len(readings.features)
    if not n_labels:
        return alone
    features, targets, weights = _examples(readings, words)
    is_text = np.arange(len(targets)) < n_labels
    learnt, intercepts = np.zeros_like(weight), np.zeros_like(bias)
    for column, positive in enumerate(positive_weights):
        own_weights = weights * np.where(is_text & (targets[:, column] == 1), positive, 1.0)
        absence_and_presence = logistic_regression(features, targets[:, column], own_weights, 2)
        sizes = np.bincount(targets[:, column], own_weights, minlength=2)
        learnt[column], intercepts[column] = (part[1] - part[0] for part in absence_and_presence)
        intercepts[column] -= _trust(readings) * np.log(sizes[1] / sizes[0])
    return _beside((learnt, intercepts), alone, readings)


def _phrases_alone(readings: Readings, words: WordReadings, columns: np.ndarray, labels: Sequence[Any]) -> Solution:
    """Weight (C, F) and bias (C,) of logits from phrases alone, given the column of each phrase."""
    classes = _class_vectors(words, columns)
    if not readings.is_fine_tuned:
        _check_distinct(classes, labels)
    gain, bias = centred(words.sentence_vectors(_texts(readings, words)) @ classes.T)
    weight = np.zeros((len(classes), words.phrases.shape[1]), np.float32)
    weight[:, -words.sentence_dim :] = gain[:, None] * classes / words.sentence_length
    return weight, bias.astype(np.float32)


def _against_all_others(weight: np.ndarray, bias: np.ndarray, texts: np.ndarray) -> Solution:
    """Weight (C, F) and bias (C,) of each class's log-odds, given those of logits and the features of texts (n, F).

    The log-odds of a softmax are a logit minus the log-sum-exp of all others, which is not linear. In its place stands
    a linear function, which has its mean slopes over the texts, and its mean.
    """
    logits = texts @ weight.T + bias  # (n, C)
    odds_weight, odds_bias = weight.copy(), bias.copy()
    for column in range(len(bias)):
        others = np.delete(np.arange(len(bias)), column)
        of_others = logits[:, others]
        sums = logsumexp(of_others, axis=1)
        slopes = np.exp(of_others - sums[:, None]).mean(axis=0)
        gap = (sums - of_others @ slopes).mean()
        odds_weight[column] -= slopes @ weight[others]
        odds_bias[column] -= slopes @ bias[others] + gap
    return odds_weight, odds_bias


def _beside(learnt: Solution, alone: Solution, readings: Readings) -> Solution:
    """What labels say, and what phrases say by themselves."""
    trust = _trust(readings)
    share = 1 / (1 + trust) if readings.is_fine_tuned else 1
    weight, bias = (share * (mine + trust * phrases) for mine, phrases in zip(learnt, alone))
    return weight.astype(np.float32), bias.astype(np.float32)


def _trust(readings: Readings) -> float:
    """What the phrases count, from 1 without labels towards 0 with many."""
    return _TRUST / (len(readings.features) + _TRUST)


def _texts(readings: Readings, words: WordReadings) -> np.ndarray:
    """Features of all texts, labelled or not, (n, F)."""
    return np.concatenate([readings.features, words.unlabelled])


def _examples(readings: Readings, words: WordReadings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, targets and weights of labelled texts and, after them, of phrases."""
    return (
        np.concatenate([readings.features, words.phrases]),
        np.concatenate([readings.targets, words.targets]),
        np.concatenate([readings.weights, np.ones(len(words.phrases))]),
    )


def _class_vectors(words: WordReadings, columns: np.ndarray) -> np.ndarray:
    """The mean of the sentence vectors of each class's phrases, with length 1, (C, D)."""
    vectors = words.sentence_vectors(words.phrases)
    sums = np.stack([vectors[columns == column].sum(axis=0) for column in range(columns.max() + 1)])
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
