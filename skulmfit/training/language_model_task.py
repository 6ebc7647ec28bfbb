"""The language-model task: next-token prediction on streams of documents."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.inference.likelihoods import log_likelihoods
from skulmfit.nn.encoder import State, detach, join, rows_of
from skulmfit.nn.language_model_losses import activation_regularisation
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.shards import Shard, in_shards
from skulmfit.text.streams import StreamBatch, bptt_lengths, shuffled_stream, stream_batches
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.task import BatchLoss


class LanguageModelLoss(nn.Module):
    """The loss of a language model on a batch as one module, so that data-parallel training can wrap it whole."""

    def __init__(self, network: LanguageModelNetwork, *, alpha: float, beta: float, dtype: torch.dtype):
        super().__init__()
        self.network, self.alpha, self.beta, self.dtype = network, alpha, beta, dtype

    def forward(self, inputs: Tensor, targets: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        """Objective (cross-entropy, AR and TAR), cross-entropy alone, and next state, of inputs and targets (B, T)."""

        def of_shard(shard: Shard) -> tuple[list[Tensor], State]:
            own = inputs[shard.rows]
            encoded = self.network(own, rows_of(state, shard.rows), shard.draw)
            loss = self.network.cross_entropy(encoded.output, targets[shard.rows], dtype=self.dtype)
            regularisation = activation_regularisation(encoded.output, encoded.raw_output, self.alpha, self.beta)
            share = len(own) / len(inputs)
            return [share * (loss + regularisation), share * loss], detach(encoded.state)

        shards = in_shards(of_shard, len(inputs), self.network.encoder, [self.network.decoder_bias])
        objective, loss = (torch.stack(parts).sum() for parts in zip(*[own for own, _ in shards]))
        return objective, loss, join([state for _, state in shards])


class LanguageModelTask:
    """Documents in random order as parallel streams, the state carried from batch to batch.

    Of several processes that train one model, `rank` among `world_size`, each has `batch_size` streams of its own, and
    `wrap` makes the loss average their gradients.
    """

    def __init__(
        self,
        network: LanguageModelNetwork,
        corpus: TokenCorpus,
        runtime: Runtime,
        rng: np.random.Generator,
        *,
        batch_size: int,
        bptt: int,
        alpha: float,
        beta: float,
        validation: TokenCorpus | None = None,
        rank: int = 0,
        world_size: int = 1,
        wrap: Callable[[nn.Module], nn.Module] = lambda loss: loss,
    ):
        self.network, self.corpus, self.runtime = network, corpus, runtime
        self.batch_size, self.bptt, self.rank, self.world_size = batch_size, bptt, rank, world_size
        self.validation = validation
        # Drawn once, so that every epoch of a stage has the same number of batches.
        self._lengths = bptt_lengths((len(corpus.ids) - 1) // (batch_size * world_size), bptt, rng)
        self._loss = wrap(LanguageModelLoss(network, alpha=alpha, beta=beta, dtype=runtime.training_dtype))
        self._state: State = []

    def n_batches(self) -> int:
        """Number of batches in an epoch, each of them one update."""
        return len(self._lengths)

    def batches(self, rng: np.random.Generator) -> Iterator[StreamBatch]:
        """One epoch, documents shuffled anew, starting from a zero state."""
        self._state = []
        own = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        stream = shuffled_stream(self.corpus, rng)
        for batch in stream_batches(stream, self.batch_size * self.world_size, self._lengths):
            yield StreamBatch(batch.inputs[own], batch.targets[own])

    def loss(self, batch: StreamBatch) -> BatchLoss:
        """Cross-entropy with AR and TAR; the rate follows the length of the batch (Merity et al. 2018, section 5)."""
        inputs, targets = self.runtime.tensor(batch.inputs), self.runtime.tensor(batch.targets)
        state = detach(self._state) if self._state else self.network.encoder.initial_state(len(inputs))
        objective, loss, self._state = self._loss(inputs, targets, state)
        return BatchLoss(objective, loss, weight=inputs.numel(), rate_scale=inputs.shape[1] / self.bptt)

    def validate(self) -> dict[str, float]:
        """Mean negative log-likelihood of the validation documents, in nats per piece."""
        if self.validation is None:
            return {}
        total = log_likelihoods(self.network, self.validation, self.runtime).sum()
        return {"validation_loss": float(-total / max((self.validation.lengths - 1).sum(), 1))}

    def state(self) -> State:
        """The hidden state carried between batches."""
        return [(hidden.cpu(), cell.cpu()) for hidden, cell in detach(self._state)]

    def load_state(self, state: State) -> None:
        """Carry on with a saved hidden state."""
        device = self.runtime.device
        self._state = [(hidden.to(device), cell.to(device)) for hidden, cell in state]
