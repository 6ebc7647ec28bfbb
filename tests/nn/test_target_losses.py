import pytest
import torch
import torch.nn.functional as F

from skulmfit.nn.target_losses import weighted_binary_cross_entropy, weighted_cross_entropy, weighted_squared_error


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
