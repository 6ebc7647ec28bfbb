"""Losses of language models: cross-entropy without the logits over the whole vocabulary, and AR and TAR."""

from typing import Any

import torch
from torch import Tensor

# 16 MB in float32 stay in the last-level cache of a CPU; a GPU wants large kernels, and has memory for them.
_LOGITS_PER_CHUNK, _LOGITS_PER_CHUNK_GPU = 1 << 22, 1 << 27
_LOW_LOGITS_PER_CHUNK = 1 << 29


class _LinearCrossEntropy(torch.autograd.Function):
    """Cross-entropy of `hidden @ weight.T + bias`, computed in chunks of rows together with its gradients."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, dtype: torch.dtype, needs_grad: bool
    ) -> Tensor:
        """Hidden (N, E), weight (V, E), bias (V,), targets (N,)."""
        low_weight, low_bias = weight.to(dtype), bias.to(dtype)
        n_logits = _LOGITS_PER_CHUNK if hidden.device.type == "cpu" else _LOGITS_PER_CHUNK_GPU
        n_rows = min(len(hidden), max(1, n_logits // len(weight)))
        # One set of buffers for all chunks: fresh ones would cost as much in page faults as the softmax itself.
        low_buffer = low_weight.new_empty(n_rows, len(weight))
        logit_buffer, log_prob_buffer = (torch.empty_like(low_buffer, dtype=torch.float32) for _ in range(2))
        loss = hidden.new_zeros((), dtype=torch.float32)
        grads = (
            [torch.zeros_like(tensor, dtype=torch.float32) for tensor in (hidden, weight, bias)] if needs_grad else []
        )
        for start in range(0, len(hidden), n_rows):
            rows = slice(start, start + n_rows)
            low_hidden = hidden[rows].to(dtype)
            n = len(low_hidden)
            low_logits = torch.addmm(low_bias, low_hidden, low_weight.T, out=low_buffer[:n])  # (n, V)
            logits = logit_buffer[:n].copy_(low_logits)
            log_probs = torch.log_softmax(logits, dim=1, out=log_prob_buffer[:n])
            loss -= log_probs.gather(1, targets[rows, None]).sum() / len(hidden)
            if needs_grad:
                grad = _logit_gradient(log_probs, targets[rows], len(hidden))
                grads[2] += grad.sum(dim=0)
                low_grad = low_buffer[:n].copy_(grad)
                grads[0][rows] = low_grad @ low_weight
                grads[1] += low_grad.T @ low_hidden
        ctx.save_for_backward(*grads)
        return loss

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Scale the gradients that `forward` has computed."""
        grad_hidden, grad_weight, grad_bias = (grad * grad_loss for grad in ctx.saved_tensors)
        return grad_hidden, grad_weight, grad_bias, None, None, None


class _LowPrecisionCrossEntropy(torch.autograd.Function):
    """The same with the softmax in `dtype` too: on a GPU it costs what it reads and writes."""

    @staticmethod
    def forward(ctx, hidden, weight, bias, targets, dtype, needs_grad):
        """Hidden (N, E), weight (V, E), bias (V,), targets (N,)."""
        low_hidden, low_weight, low_bias = hidden.to(dtype), weight.to(dtype), bias.to(dtype)
        n_rows = min(len(hidden), max(1, _LOW_LOGITS_PER_CHUNK // len(weight)))
        loss = hidden.new_zeros((), dtype=torch.float32)
        grads = (
            [torch.zeros_like(tensor, dtype=torch.float32) for tensor in (hidden, weight, bias)] if needs_grad else []
        )
        for start in range(0, len(hidden), n_rows):
            rows = slice(start, start + n_rows)
            probs = torch.softmax(torch.addmm(low_bias, low_hidden[rows], low_weight.T), dim=1)  # (n, V)
            target_probs = probs.gather(1, targets[rows, None])
            loss -= target_probs.float().clamp(min=1e-30).log().sum() / len(hidden)
            if needs_grad:
                grad = probs.scatter_(1, targets[rows, None], target_probs - 1)
                grads[0][rows] = grad @ low_weight
                grads[1] += grad.T @ low_hidden[rows]
                grads[2] += grad.sum(dim=0, dtype=torch.float32)
        ctx.save_for_backward(*(grad.mul_(1 / len(hidden)) for grad in grads))
        return loss

    backward = _LinearCrossEntropy.backward


def _softmax_in_low_precision(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the softmax is computed in the precision of the products."""
    return device.type == "cuda" and dtype == torch.bfloat16


def _logit_gradient(log_probs: Tensor, targets: Tensor, n_rows: int) -> Tensor:
    """Turn log-probabilities (n, V) in place into the gradient, with respect to the logits, of a mean over n_rows."""
    grad = log_probs.exp_()
    grad[torch.arange(len(grad), device=grad.device), targets] -= 1
    return grad.mul_(1 / n_rows)


def linear_cross_entropy(
    hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Mean cross-entropy of a linear layer's logits, which never exist as a whole.

    Equal to `F.cross_entropy(F.linear(hidden, weight, bias), targets)` to the rounding of `dtype`, the precision of
    the matrix products, and with bfloat16 on a GPU of the softmax; sums are float32.

    Parameters
    ----------
    hidden : Tensor of shape (N, E)
    weight : Tensor of shape (V, E)
    bias : Tensor of shape (V,)
    targets : Tensor of shape (N,)
    dtype : torch.dtype, default=torch.float32
    """
    needs_grad = torch.is_grad_enabled()  # inside the function it never is
    with torch.autocast(hidden.device.type, enabled=False):
        is_low = _softmax_in_low_precision(hidden.device, dtype)
        function = _LowPrecisionCrossEntropy if is_low else _LinearCrossEntropy
        return function.apply(hidden, weight, bias, targets, dtype, needs_grad)


def activation_regularisation(output: Tensor, raw_output: Tensor, alpha: float, beta: float) -> Tensor:
    """AR and TAR (Merity et al. 2018, section 4.6), for outputs of shape (B, T, E).

    AR, times `alpha`, keeps the dropped outputs small; TAR, times `beta`, keeps successive raw outputs close.
    """
    loss = alpha * _mean_square(output)
    if raw_output.shape[1] > 1:
        loss = loss + beta * _mean_square(raw_output.float().diff(dim=1))
    return loss


def _mean_square(x: Tensor) -> Tensor:
    """Mean of squares, first of each row: torch sums a large tensor in an order that depends on the threads."""
    return x.float().square().mean(-1).mean()
