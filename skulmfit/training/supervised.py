"""The supervised task: documents to targets through the whole encoder, or through the head alone."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.heads import TextClassifier
from skulmfit.nn.pooling import pool_documents
from skulmfit.text.batches import bucketed_order, document_batches, join_single, pad
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.inference import CHUNK_SIZE, document_outputs
from skulmfit.training.loop import StepLoss
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import EMBEDDING, HEAD, layer_names

MAX_BACKPROP = 1400  # fastai's 20 * 70: gradients reach this far back from the end of a batch
_TOKENS_PER_BATCH = 1 << 14  # padded, within the reach of gradients: bounds memory, whatever the lengths


OutputLoss = Callable[[Tensor, Tensor, Tensor], Tensor]  # of outputs (B, C), targets (B, ...) and weights (B,)


class SupervisedTask:
    """Batches of documents of similar length through encoder and head, with dropout."""

    def __init__(
        self,
        model: TextClassifier,
        corpus: TokenCorpus,
        targets: np.ndarray,
        weights: np.ndarray,
        runtime: Runtime,
        *,
        loss: OutputLoss,
        batch_size: int,
        pad_id: int,
        held_out: "SupervisedTask | None" = None,
    ):
        self.model, self.corpus, self.runtime, self.pad_id = model, corpus, runtime, pad_id
        self.targets = torch.from_numpy(targets).to(runtime.device)
        self.weights = torch.from_numpy(weights).float().to(runtime.device)
        self.output_loss, self.batch_size, self.held_out = loss, batch_size, held_out
        self._capped_lengths = np.minimum(corpus.lengths, MAX_BACKPROP)

    def n_batches(self) -> int:
        """Number of updates in an epoch, near enough: bucketing differs a little from epoch to epoch."""
        return len(self.batches(np.random.default_rng(0)))

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the documents of each batch, in random order."""
        order = bucketed_order(self._capped_lengths, rng)
        batches = document_batches(self._capped_lengths, order, self.batch_size, _TOKENS_PER_BATCH)
        batches = join_single(batches)
        return [batches[index] for index in rng.permutation(len(batches))]

    def loss(self, batch: np.ndarray) -> StepLoss:
        """Loss of one batch."""
        ids, lengths = map(self.runtime.tensor, pad(self.corpus, batch, self.pad_id))
        pooled = pool_documents(self.model.encoder, ids, lengths, chunk_size=CHUNK_SIZE, max_backprop=MAX_BACKPROP)
        return self._head_loss(pooled, batch)

    def _head_loss(self, pooled: Tensor, batch: np.ndarray) -> StepLoss:
        index = self.runtime.tensor(batch)
        weights = self.weights[index]
        with torch.autocast(self.runtime.device.type, enabled=False):
            loss = self.output_loss(self.model.head(pooled.float()), self.targets[index], weights)
        return StepLoss(loss, loss, weight=len(batch))

    def validation_loss(self) -> float | None:
        """Mean loss of the held-out documents, without dropout."""
        return None if self.held_out is None else self.held_out.mean_loss()

    def mean_loss(self) -> float:
        """Mean loss of all documents, without dropout."""
        outputs = torch.from_numpy(self._outputs()).to(self.runtime.device)
        return float(self.output_loss(outputs, self.targets, self.weights / self.weights.mean()))

    def _outputs(self) -> np.ndarray:
        model, runtime = self.model, self.runtime
        return document_outputs(model.encoder, self.corpus, runtime, pad_id=self.pad_id, head=model.head)

    def state(self) -> None:
        """Nothing is carried from batch to batch."""

    def load_state(self, state: None) -> None:
        """Nothing is carried from batch to batch."""


class HeadTask(SupervisedTask):
    """The head alone on pooled states of the encoder without dropout, which are computed once."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._pooled = torch.from_numpy(
            document_outputs(self.model.encoder, self.corpus, self.runtime, pad_id=self.pad_id)
        ).to(self.runtime.device)

    def batches(self, rng: np.random.Generator) -> list[np.ndarray]:
        """Indices of the documents of each batch, in random order."""
        shuffled = rng.permutation(len(self.corpus))
        starts = range(0, len(shuffled), self.batch_size)
        return join_single([shuffled[start : start + self.batch_size] for start in starts])

    def loss(self, batch: np.ndarray) -> StepLoss:
        """Loss of one batch."""
        return self._head_loss(self._pooled[self.runtime.tensor(batch)], batch)

    @torch.no_grad()
    def _outputs(self) -> np.ndarray:
        self.model.head.eval()
        return self.model.head(self._pooled).cpu().numpy()


def classifier_groups(model: TextClassifier) -> dict[str, list[nn.Parameter]]:
    """Layer groups of a classifier, lowest first."""
    names = layer_names(len(model.encoder.layers), model.encoder.architecture.kind)
    layers: Iterable = zip(names, model.encoder.layers)
    groups = {EMBEDDING: [model.encoder.embedding]} | {name: list(layer.parameters()) for name, layer in layers}
    return groups | {HEAD: list(model.head.parameters())}
