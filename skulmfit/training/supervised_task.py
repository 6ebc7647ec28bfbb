"""The supervised tasks: documents to targets through the whole network, or through the head alone."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from skulmfit.inference.beginnings import Beginnings
from skulmfit.inference.documents import document_outputs
from skulmfit.inference.passes import CHUNK_SIZE
from skulmfit.nn.networks import DocumentNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.document_batches import bucketed_order, document_batches, merge_single_documents, pad
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.task import BatchLoss

MAX_BACKPROP = 320  # gradients reach this far back from the end of a document (docs/log)
TOKENS_PER_BATCH = 1 << 14  # padded, within the reach of gradients: bounds memory, whatever the lengths


OutputLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of outputs (B, C), targets (B, ...) and weights (B,)
OutputScore = Callable[[np.ndarray, np.ndarray], float]  # of outputs (n, C) and targets (n, ...)


@dataclass(frozen=True, eq=False)
class Examples:
    """Documents, and the target and weight of each.

    Parameters
    ----------
    corpus : TokenCorpus
    targets : ndarray of shape (n_documents, ...)
        As the loss takes them.
    weights : ndarray of shape (n_documents,)
        With a mean of 1.
    """

    corpus: TokenCorpus
    targets: np.ndarray
    weights: np.ndarray

    def beside(self, others: "Examples") -> "Examples":
        """These and then others."""
        return Examples(
            TokenCorpus.concatenate([self.corpus, others.corpus]),
            np.concatenate([self.targets, others.targets]), np.concatenate([self.weights, others.weights]),
        )  # fmt: skip


class SupervisedTask:
    """Batches of documents of similar length through encoder and head, with dropout."""

    def __init__(
        self,
        network: DocumentNetwork,
        examples: Examples,
        runtime: Runtime,
        *,
        loss: OutputLoss,
        batch_size: int,
        score: OutputScore | None = None,
        validation: "SupervisedTask | None" = None,
        beginnings: Beginnings | None = None,
    ):
        self.network, self.corpus, self.runtime = network, examples.corpus, runtime
        self.targets = torch.from_numpy(examples.targets).to(runtime.device)
        self.weights = torch.from_numpy(examples.weights).float().to(runtime.device)
        self.output_loss, self.score, self.batch_size, self.validation = loss, score, batch_size, validation
        self.beginnings = beginnings or Beginnings(self.corpus, MAX_BACKPROP, runtime)
        self._lengths = self.beginnings.ends.lengths  # of what is read in every epoch

    def n_batches(self) -> int:
        """Number of batches in an epoch. It is not exact: bucketing differs a little from epoch to epoch."""
        return len(self._split(np.random.default_rng(0)))

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the documents of each batch, in random order."""
        self.beginnings.read(self.network.encoder, self.network.head.n_layers)
        return self._split(rng)

    def _split(self, rng: np.random.Generator) -> list[np.ndarray]:
        order = bucketed_order(self._lengths, rng)
        batches = document_batches(self._lengths, order, self.batch_size, TOKENS_PER_BATCH)
        batches = merge_single_documents(batches)
        return [batches[index] for index in rng.permutation(len(batches))]

    def loss(self, batch: np.ndarray) -> BatchLoss:
        """Loss of one batch."""
        pooled, batch = self._pool(batch)
        with torch.autocast(self.runtime.device.type, enabled=False):
            outputs = self.network.head(pooled)
        return self._batch_loss(outputs, batch)

    def _pool(self, batch: np.ndarray) -> tuple[Tensor, np.ndarray]:
        """Pooled states (B, 3*W) of the documents of a batch, and which they are, the longest ones first.

        So the rows of a shard are of similar length.
        """
        batch = batch[np.argsort(-self._lengths[batch], kind="stable")]
        ids, lengths = map(self.runtime.tensor, pad(self.beginnings.ends, batch))
        return self.network.pool(ids, lengths, chunk_size=CHUNK_SIZE, beginning=self.beginnings.of(batch)), batch

    def _batch_loss(self, outputs: Tensor, batch: np.ndarray) -> BatchLoss:
        index = self.runtime.tensor(batch)
        with torch.autocast(self.runtime.device.type, enabled=False):
            loss = self.output_loss(outputs, self.targets[index], self.weights[index])
        return BatchLoss(loss, loss, weight=len(batch))

    def validate(self) -> dict[str, float]:
        """Mean loss and score of the validation documents, without dropout."""
        return {} if self.validation is None else self.validation.figures()

    def figures(self) -> dict[str, float]:
        """Mean loss and score of all documents, without dropout."""
        outputs = self._outputs()
        on_device = torch.from_numpy(outputs).to(self.runtime.device)
        loss = float(self.output_loss(on_device, self.targets, self.weights / self.weights.mean()))
        score = {} if self.score is None else {"validation_score": self.score(outputs, self.targets.cpu().numpy())}
        return {"validation_loss": loss} | score

    def _outputs(self) -> np.ndarray:
        return document_outputs(self.network.encoder, self.corpus, self.runtime, head=self.network.head)

    def state(self) -> list[list[Tensor]]:
        """What the encoder made of the beginnings of long documents when it read them last."""
        return self.beginnings.state()

    def load_state(self, state: list[list[Tensor]]) -> None:
        """Carry on with a saved state."""
        self.beginnings.load_state(state)


class HeadTask(SupervisedTask):
    """The head alone on pooled states of the encoder without dropout, which are computed once."""

    @cached_property
    def _pooled(self) -> Tensor:
        """Pooled states (n_documents, 3*W), of the layers that the head sees, when the stage begins."""
        encoder, n_layers = self.network.encoder, self.network.head.n_layers
        self.beginnings.read(encoder, n_layers)
        pooled = self.beginnings.outputs(encoder, n_layers)
        return torch.from_numpy(pooled).to(self.runtime.device)

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the documents of each batch, in random order."""
        _ = self._pooled  # here, and not in `loss`: that runs in another precision
        return self._split(rng)

    def _split(self, rng: np.random.Generator) -> list[np.ndarray]:
        shuffled = rng.permutation(len(self.corpus))
        starts = range(0, len(shuffled), self.batch_size)
        return merge_single_documents([shuffled[start : start + self.batch_size] for start in starts])

    def loss(self, batch: np.ndarray) -> BatchLoss:
        """Loss of one batch."""
        with torch.autocast(self.runtime.device.type, enabled=False):
            outputs = self.network.head(self._pooled[self.runtime.tensor(batch)])
        return self._batch_loss(outputs, batch)

    @torch.no_grad()
    def _outputs(self) -> np.ndarray:
        self.network.head.eval()
        return self.network.head(self._pooled).cpu().numpy()
