"""The contrastive task: beside their loss, documents of one group are drawn together, and those of others apart."""

from typing import Any

import numpy as np
import torch

from skulmfit.nn.heads import SolvedHead
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.target_losses import contrastive_loss
from skulmfit.text.document_batches import merge_single_documents
from skulmfit.training.supervised_task import TOKENS_PER_BATCH, Examples, SupervisedTask
from skulmfit.training.task import BatchLoss

_TEMPERATURE = 0.1  # of the similarities (docs/log)
_FEW_TOKENS = 512  # tokens of a batch whose products are so thin that twice as many documents cost little more


class ContrastiveTask(SupervisedTask):
    """To the loss of the outputs comes the supervised contrastive loss of the sentence vectors, times `weight`.

    In small batches every document stands beside another one of its group, in large ones only that which would be the
    only one of its group. Documents of one class are a group; what else is one, the targets say: `groups`
    (n_documents,).
    """

    def __init__(
        self,
        network: DocumentNetwork,
        examples: Examples,
        runtime: Runtime,
        *,
        groups: np.ndarray,
        weight: float,
        **options: Any,
    ):
        super().__init__(network, examples, runtime, **options)
        if not isinstance(network.head, SolvedHead) or not network.head.features.sentence_dim:
            raise TypeError("The contrastive loss needs a head with sentence vectors.")
        self.weight, self.features, self._groups = weight, network.head.features, groups

    def _split(self, rng: np.random.Generator) -> list[np.ndarray]:
        if self.batch_size * self._lengths.mean() < _FEW_TOKENS:
            size = min(self.batch_size, max(TOKENS_PER_BATCH // int(2 * self._lengths.max()), 1))
            documents = rng.permutation(len(self.corpus))  # of any length: they have more to tell each other
            batches = merge_single_documents(np.split(documents, range(size, len(documents), size)))
            partners = self._partners(rng)
            return [np.concatenate([batch, partners[batch]]) for batch in batches]
        batches, partners = super()._split(rng), self._partners(rng)
        return [np.concatenate([batch, self._needed(batch, partners)]) for batch in batches]

    def _needed(self, batch: np.ndarray, partners: np.ndarray) -> np.ndarray:
        """Partners of the documents that are the only ones of their group in a batch, as far as none is longer."""
        found = partners[batch[_is_alone(self._groups[batch])]]
        return found[self._lengths[found] <= self._lengths[batch].max()]

    def _partners(self, rng: np.random.Generator) -> np.ndarray:
        """For each document another one of its group, drawn at random; itself if there is none."""
        partners = np.empty(len(self._groups), int)
        for group in np.unique(self._groups):
            rows = np.flatnonzero(self._groups == group)
            steps = rng.integers(1, max(len(rows), 2), len(rows))
            partners[rows] = rows[(np.arange(len(rows)) + steps) % len(rows)]
        return partners

    def loss(self, batch: np.ndarray) -> BatchLoss:
        """Both losses of one batch; what is reported is that of the outputs."""
        pooled, batch = self._pool(batch)
        index = self.runtime.tensor(batch)
        with torch.autocast(self.runtime.device.type, enabled=False):
            outputs = self.network.head(pooled)
            result = self._batch_loss(outputs, batch)
            vectors, groups = self.features.sentence_vectors(pooled), self.runtime.tensor(self._groups[batch])
            contrastive = contrastive_loss(vectors, groups, self.weights[index], temperature=_TEMPERATURE)
        return result._replace(objective=result.objective + self.weight * contrastive)


def _is_alone(groups: np.ndarray) -> np.ndarray:
    """Which of these groups (n,) occur only once."""
    _, places, counts = np.unique(groups, return_inverse=True, return_counts=True)
    return counts[places] == 1
