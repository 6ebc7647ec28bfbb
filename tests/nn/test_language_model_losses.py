import pytest
import torch
import torch.nn.functional as F

from skulmfit.nn import language_model_losses as losses
from skulmfit.nn.language_model_losses import activation_regularisation, linear_cross_entropy


def problem(n=37, width=6, vocab=50):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(n, width, generator=generator, requires_grad=True)
    weight = torch.randn(vocab, width, generator=generator, requires_grad=True)
    bias = torch.randn(vocab, generator=generator, requires_grad=True)
    return hidden, weight, bias, torch.randint(0, vocab, (n,), generator=generator)


@pytest.mark.parametrize("rows_per_chunk", [1, 5, 37, 100])
def test_chunked_loss_and_gradients_equal_torchs(monkeypatch, rows_per_chunk):
    monkeypatch.setattr(losses, "_LOGITS_PER_CHUNK", rows_per_chunk * 50)
    *tensors, targets = problem()
    loss = linear_cross_entropy(*tensors, targets)
    grads = torch.autograd.grad(3 * loss, tensors)
    expected = F.cross_entropy(F.linear(*tensors), targets)
    expected_grads = torch.autograd.grad(3 * expected, tensors)
    torch.testing.assert_close(loss, expected)
    for grad, expected_grad in zip(grads, expected_grads):
        torch.testing.assert_close(grad, expected_grad)


def test_bfloat16_products_cost_only_bfloat16_rounding():
    *tensors, targets = problem()
    exact = linear_cross_entropy(*tensors, targets)
    rounded = linear_cross_entropy(*tensors, targets, dtype=torch.bfloat16)
    grads, rounded_grads = torch.autograd.grad(exact, tensors), torch.autograd.grad(rounded, tensors)
    torch.testing.assert_close(rounded, exact, rtol=0.01, atol=0)
    for grad, rounded_grad in zip(grads, rounded_grads):
        assert (grad - rounded_grad).norm() < 0.02 * grad.norm()


@pytest.mark.parametrize("rows_per_chunk", [5, 37])
def test_a_softmax_in_bfloat16_costs_only_bfloat16_rounding(monkeypatch, rows_per_chunk):
    monkeypatch.setattr(losses, "_softmax_in_low_precision", lambda device, dtype: True)
    monkeypatch.setattr(losses, "_LOW_LOGITS_PER_CHUNK", rows_per_chunk * 50)
    *tensors, targets = problem()
    rounded = linear_cross_entropy(*tensors, targets, dtype=torch.bfloat16)
    expected = F.cross_entropy(F.linear(*tensors), targets)
    torch.testing.assert_close(rounded, expected, rtol=0.01, atol=0)
    grads = torch.autograd.grad(3 * rounded, tensors)
    for grad, expected_grad in zip(grads, torch.autograd.grad(3 * expected, tensors)):
        assert (grad - expected_grad).norm() < 0.02 * expected_grad.norm()
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*tensors, targets, dtype=torch.bfloat16), rounded.detach())


def test_a_softmax_in_the_precision_of_the_products_gives_torchs_loss_and_gradients(monkeypatch):
    monkeypatch.setattr(losses, "_softmax_in_low_precision", lambda device, dtype: True)
    *tensors, targets = problem()
    loss, expected = linear_cross_entropy(*tensors, targets), F.cross_entropy(F.linear(*tensors), targets)
    torch.testing.assert_close(loss, expected)
    for grad, expected_grad in zip(torch.autograd.grad(loss, tensors), torch.autograd.grad(expected, tensors)):
        torch.testing.assert_close(grad, expected_grad)


def test_no_gradient_is_computed_where_none_is_wanted(monkeypatch):
    *tensors, targets = problem()
    expected = linear_cross_entropy(*tensors, targets).detach()
    monkeypatch.setattr(losses, "_logit_gradient", None)
    with torch.no_grad():
        torch.testing.assert_close(linear_cross_entropy(*tensors, targets), expected)


def test_activation_regularisation_is_alpha_ar_plus_beta_tar():
    output, raw = torch.randn(2, 4, 3), torch.randn(2, 4, 3)
    ar = (output**2).sum() / 24
    tar = ((raw[:, 1:] - raw[:, :-1]) ** 2).sum() / 18
    torch.testing.assert_close(activation_regularisation(output, raw, 2.0, 1.0), 2 * ar + tar)


def test_activation_regularisation_of_one_step_is_finite():
    assert torch.isfinite(activation_regularisation(torch.ones(2, 1, 3), torch.ones(2, 1, 3), 2.0, 1.0))
