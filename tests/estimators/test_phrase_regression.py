"""The head of phrases, of several labels a text. Features are random, the last 6 a sentence vector of length 2.5."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from skulmfit.estimators.phrase_regression import phrase_regression, phrase_regressions
from skulmfit.training.head import Readings, WordReadings


def random_readings(n_labels, n_texts=40, n_classes=4):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(n_texts, 9)).astype(np.float32)
    features[:, -1] += np.linspace(0, 3, n_texts)  # so that classes have unequal shares
    words = WordReadings(
        rng.normal(size=(n_classes, 9)).astype(np.float32), np.eye(n_classes, dtype=int), features[n_labels:], 6, 2.5
    )
    targets = (rng.random((n_labels, n_classes)) < 0.4).astype(int)
    return Readings(features[:n_labels], targets, np.ones(n_labels), words)


def several(readings, positive_weights=(1, 1, 1, 1)):
    return phrase_regressions(readings, readings.words, list("abcd"), np.array(positive_weights, dtype=float))


def test_without_labels_each_of_several_has_the_mean_log_odds_and_the_mean_slopes_that_it_has_among_classes():
    readings = random_readings(0)
    texts, words = readings.words.unlabelled, readings.words
    weight, bias = phrase_regression(
        replace(readings, targets=np.empty(0, int)), replace(words, targets=np.arange(4)), list("abcd")
    )

    def log_odds(inputs):  # (n, 9) -> (n, 4)
        logits = inputs @ torch.from_numpy(weight).T + torch.from_numpy(bias)
        probabilities = logits.softmax(dim=1)
        return probabilities.log() - (1 - probabilities).log()

    inputs = torch.from_numpy(texts).requires_grad_()
    slopes = [torch.autograd.grad(log_odds(inputs)[:, column].sum(), inputs)[0].mean(0) for column in range(4)]
    found_weight, found_bias = several(readings)
    np.testing.assert_allclose(found_weight, torch.stack(slopes), atol=1e-4)
    np.testing.assert_allclose(
        (texts @ found_weight.T + found_bias).mean(0), log_odds(inputs).mean(0).detach(), atol=1e-4
    )


def test_labels_beside_phrases_have_a_regression_each_without_their_shares_as_far_as_phrases_count():
    readings = random_readings(12)
    weight, bias = several(readings)
    phrases = several(replace(readings, features=readings.features[:0], targets=readings.targets[:0], words=replace(
        readings.words, unlabelled=np.concatenate([readings.features, readings.words.unlabelled])
    )))  # fmt: skip
    trust = 100 / (100 + 12)
    X = np.concatenate([readings.features, readings.words.phrases])
    y = np.concatenate([readings.targets, np.eye(4, dtype=int)])
    for column in range(4):
        model = LogisticRegression(max_iter=1000).fit(X, y[:, column])
        share = y[:, column].mean()
        np.testing.assert_allclose(weight[column], model.coef_[0] + trust * phrases[0][column], atol=1e-3)
        expected = model.intercept_[0] - trust * np.log(share / (1 - share)) + trust * phrases[1][column]
        assert bias[column] == pytest.approx(expected, abs=1e-3)


def test_a_class_weight_moves_its_own_label_alone():
    readings = random_readings(12)
    (weight, bias), (plain_weight, plain_bias) = several(readings, (1, 50, 1, 1)), several(readings)
    assert np.flatnonzero(np.abs(bias - plain_bias) > 1e-6).tolist() == [1]
    assert np.flatnonzero(np.abs(weight - plain_weight).max(axis=1) > 1e-6).tolist() == [1]
