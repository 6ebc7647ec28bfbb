import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from skulmfit.nn.target_losses import (
    contrastive_loss,
    weighted_binary_cross_entropy,
    weighted_cross_entropy,
    weighted_squared_error,
)


def test_smoothed_labels_are_a_mixture_of_the_label_and_all_classes():
    logits, targets, weights = torch.randn(3, 4), torch.tensor([0, 3, 1]), torch.tensor([0.5, 2.0, 0.5])
    probabilities = 0.8 * F.one_hot(targets, 4) + 0.2 / 4
    each = -(probabilities * torch.log_softmax(logits, 1)).sum(1)
    loss = weighted_cross_entropy(logits, targets, weights, label_smoothing=0.2)
    torch.testing.assert_close(loss, (each * weights).sum() / 3)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (weighted_cross_entropy, torch.tensor([0, 1, 1])),
        (weighted_binary_cross_entropy, torch.tensor([[0, 1], [1, 0], [1, 1]])),
        (weighted_squared_error, torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]])),
    ],
)
def test_a_batch_of_light_documents_counts_as_little_as_they_do(loss, targets):
    outputs = torch.tensor([[0.3, -0.2], [1.0, 0.1], [-0.5, 0.4]])
    torch.testing.assert_close(
        loss(outputs, targets, torch.full((3,), 1e-3)), 1e-3 * loss(outputs, targets, torch.ones(3))
    )


def test_the_contrastive_loss_draws_each_text_to_those_of_its_class():
    rng = np.random.default_rng(0)
    vectors, classes, weights = rng.normal(size=(5, 4)), [0, 1, 0, 0, 2], [0.5, 1.5, 1.0, 2.0, 0.0]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = 0.0
    for anchor, label in enumerate(classes):  # Khosla et al. 2020, equation 2
        others = [other for other in range(5) if other != anchor]
        total = sum(math.exp(vectors[anchor] @ vectors[other] / 0.1) for other in others)
        alike = [other for other in others if classes[other] == label]
        shares = [math.exp(vectors[anchor] @ vectors[other] / 0.1) / total for other in alike]
        expected -= weights[anchor] * sum(map(math.log, shares)) / max(len(alike), 1) / 5
    tensors = [torch.tensor(vectors), torch.tensor(classes), torch.tensor(weights, dtype=torch.float64)]
    found = contrastive_loss(*tensors, temperature=0.1)
    assert float(found) == pytest.approx(expected)


def test_texts_of_which_none_are_alike_leave_no_gradient_and_no_nan():
    vectors = F.normalize(torch.randn(3, 4), dim=1).requires_grad_()
    loss = contrastive_loss(vectors, torch.tensor([0, 1, 2]), torch.ones(3), temperature=0.1)
    loss.backward()
    assert loss == 0
    assert not vectors.grad.any()
