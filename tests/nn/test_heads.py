import pytest
import torch
from torch import nn

from skulmfit.nn.heads import BatchNorm
from skulmfit.nn.language_model_losses import activation_regularisation


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_batch_norm_and_its_gradients_are_those_of_torch():
    ours, theirs = BatchNorm(5), nn.BatchNorm1d(5)
    with torch.no_grad():
        ours.weight.copy_(torch.rand(5))
    theirs.load_state_dict(ours.state_dict(), strict=False)  # torch counts its batches too
    for n in (2, 3, 16):
        x = (3 * torch.randn(n, 5) + 1).requires_grad_()
        result, expected = ours(x), theirs(x)
        torch.testing.assert_close(result, expected)
        factors = torch.randn(n, 5)
        gradients = [torch.autograd.grad((y * factors).sum(), x)[0] for y in (result, expected)]
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    x = torch.randn(4, 5)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


@pytest.mark.parametrize(
    ("operation", "shape"),
    [
        (lambda x: BatchNorm(x.shape[1])(x), (64, 768)),
        (lambda x: activation_regularisation(x, x, 2.0, 1.0), (32, 70, 256)),
    ],
    ids=["batch norm", "activation regularisation"],
)
def test_the_number_of_threads_changes_no_bit(operation, shape, threads):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    results = []
    for n in (1, 2, 3):
        threads(n)
        results.append(operation(x))
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])
