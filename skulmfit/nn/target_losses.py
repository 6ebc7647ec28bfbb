"""Weighted losses of the head's outputs: for one label a document, for several, and for numbers."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean of weight times cross-entropy, of logits (B, C) and class indices (B,).

    The weights have a mean of 1 over all documents. They are not divided by their sum in the batch: a batch of light
    documents would then count as much as one of heavy documents.
    """
    losses = F.cross_entropy(logits.float(), targets, reduction="none", label_smoothing=label_smoothing)
    return losses @ weights / len(weights)


def weighted_binary_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    weights: Tensor,
    *,
    label_smoothing: float = 0.0,
    positive_weights: np.ndarray | None = None,
) -> Tensor:
    """Mean of weight times binary cross-entropy, of logits and targets (B, L), averaged over the labels.

    `positive_weights` (L,) is how much more the presence of a label counts than its absence.
    """
    targets = targets.float() * (1 - label_smoothing) + label_smoothing / 2
    pos_weight = (
        None if positive_weights is None else torch.as_tensor(positive_weights).to(logits.device, torch.float32)
    )
    losses = F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none", pos_weight=pos_weight)
    return losses.mean(dim=1) @ weights / len(weights)


def contrastive_loss(vectors: Tensor, groups: Tensor, weights: Tensor, *, temperature: float) -> Tensor:
    """Supervised contrastive loss of vectors (B, D) of length 1, given groups and weights (B,).

    Khosla et al. 2020, equation 2: the cross-entropy between each text's similarities to all others and those to the
    texts of its group alone, as there of its class.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    log_shares = (vectors @ vectors.T / temperature).masked_fill(itself, -torch.inf).log_softmax(dim=1)  # (B, B)
    is_alike = (groups[:, None] == groups) & ~itself
    losses = -log_shares.masked_fill(~is_alike, 0).sum(dim=1) / is_alike.sum(dim=1).clamp(min=1)
    return losses @ weights / len(weights)


def weighted_squared_error(outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Mean of weight times squared error, of outputs and targets (B, K), averaged over the targets."""
    return (outputs.float() - targets).square().mean(dim=1) @ weights / len(weights)
