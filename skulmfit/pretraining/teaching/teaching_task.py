"""The teaching task: what the training loop needs of segments, their vectors and documents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from skulmfit.nn.encoder import State
from skulmfit.nn.runtime import Runtime
from skulmfit.pretraining.teaching.course import Course
from skulmfit.pretraining.teaching.losses import PARTS, TeachingLoss
from skulmfit.pretraining.teaching.on_device import TextsOnDevice
from skulmfit.pretraining.teaching.sampling import read_in_turn
from skulmfit.text.streams import n_streams
from skulmfit.training.task import BatchLoss


@dataclass(frozen=True)
class TaughtSegments:
    """Segments on the device, as they are and then without case markers, and the teacher's vectors of them."""

    texts: TextsOnDevice  # 2 * n_segments
    lengths: np.ndarray  # of these
    vectors: Tensor  # (n_segments, D)
    rows: np.ndarray  # the segments to learn from
    weights: np.ndarray  # how often an epoch reads each of these


@dataclass(frozen=True)
class Documents:
    """Documents on the device, and those to learn from."""

    texts: TextsOnDevice
    lengths: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True)
class BatchSizes:
    """How much an update reads in each process."""

    pieces: int  # of segments, padding included
    segments: int  # at most
    streams: int
    bptt: int  # pieces of each stream


class TeachingBatch(NamedTuple):
    """What an update reads, on the device. Its segments are given by their rows."""

    update: int  # counted from 0
    stream: tuple[Tensor, Tensor] | None  # inputs and targets (B, T)
    starts_anew: bool  # whether the streams start with it
    rows: Tensor  # (B,)
    longest: int
    n_pieces: int  # without padding


class TeachingTask:
    """Batches of segments of similar length, each beside the next pieces of streams of documents.

    If several processes train one model, each reads in an order of its own, which depends on its `rank`.
    """

    def __init__(
        self,
        loss: TeachingLoss,
        segments: TaughtSegments,
        documents: Documents | None,
        runtime: Runtime,
        course: Course,
        *,
        sizes: BatchSizes,
        caseless: float,
        rank: int = 0,
        wrap: Callable[[nn.Module], nn.Module] = lambda loss: loss,
    ):
        self.segments, self.documents, self.runtime, self.course = segments, documents, runtime, course
        self.sizes, self.caseless, self.rank = sizes, caseless, rank
        self.encoder = loss.student.language_model.encoder
        self._loss = wrap(loss)
        self._state: State = []
        self.n_pieces = 0  # read by this process and by those that it continues
        self.sums = torch.zeros(len(PARTS), device=runtime.device)  # of the losses, since a report took them

    def n_batches(self) -> int:
        """Number of updates; 0 if the clock decides."""
        return self.course.updates

    def batches(self, rng: np.random.Generator) -> Iterator[TeachingBatch]:
        """What the run reads, until it is over."""
        own = np.random.default_rng([int(rng.integers(2**32)), self.rank])
        segments, streams = self._segment_batches(own), self._stream_batches(own)
        update = 0
        while not self.course.is_over(update):
            stream, starts_anew = next(streams) if self.documents else (None, False)
            rows, longest, n_pieces = next(segments)
            n_pieces += stream[0].numel() if stream else 0
            yield TeachingBatch(update, stream, starts_anew, rows, longest, n_pieces)
            update += 1

    def _segment_batches(self, rng: np.random.Generator) -> Iterator[tuple[Tensor, int, int]]:
        """Rows on the device, length of the longest and number of pieces of one batch after another."""
        segments, sizes = self.segments, self.sizes
        for rows, batches in read_in_turn(
            segments.lengths, segments.rows, segments.weights, rng,
            caseless=self.caseless, max_pieces=sizes.pieces, max_rows=sizes.segments,
        ):  # fmt: skip
            rows_there = self.runtime.tensor(rows)
            for start, end, longest in batches:
                yield rows_there[start:end], longest, int(segments.lengths[rows[start:end]].sum())

    def _stream_batches(self, rng: np.random.Generator) -> Iterator[tuple[tuple[Tensor, Tensor], bool]]:
        """Inputs and targets (B, T) of parallel streams, and whether these start, epoch by epoch."""
        documents = self.documents
        assert documents is not None
        total = int(documents.lengths[documents.rows].sum())
        streams = n_streams(total, self.sizes.streams, self.sizes.bptt)
        n_columns = (total - 1) // streams
        bptt = min(self.sizes.bptt, n_columns)
        while True:
            order = self.runtime.tensor(rng.permutation(documents.rows))
            stream = documents.texts.joined(order, total).long()
            inputs = stream[: n_columns * streams].view(streams, n_columns)
            targets = stream[1 : n_columns * streams + 1].view(streams, n_columns)
            for start in range(0, n_columns - bptt + 1, bptt):  # what is left is read in another epoch
                columns = slice(start, start + bptt)
                yield (inputs[:, columns], targets[:, columns]), start == 0

    def loss(self, batch: TeachingBatch) -> BatchLoss:
        """The mixture of losses, at the rate that the course of the run gives."""
        factor = self.course.rate(batch.update)
        ids, lengths = self.segments.texts.padded(batch.rows, batch.longest)
        vectors = self.segments.vectors[batch.rows % len(self.segments.vectors)].float()
        if batch.stream is not None and (batch.starts_anew or not self._state):
            self._state = self.encoder.initial_state(len(batch.stream[0]))
        objective, parts, self._state = self._loss(batch.stream, self._state, (ids, lengths, vectors))
        self.sums += parts
        self.n_pieces += batch.n_pieces
        return BatchLoss(objective, objective, weight=1.0, rate_scale=factor)

    def validate(self) -> dict[str, float]:
        """Nothing: held-out figures are reported as the training goes on, and choose nothing."""
        return {}

    def state(self) -> dict[str, Any]:
        """Streams' state and how far the run has come, for a checkpoint."""
        state = [(hidden.cpu(), cell.cpu()) for hidden, cell in self._state]
        return {"streams": state, "seconds": self.course.elapsed(), "n_pieces": self.n_pieces}

    def load_state(self, state: dict[str, Any]) -> None:
        """Carry on with a saved state."""
        device = self.runtime.device
        self._state = [(hidden.to(device), cell.to(device)) for hidden, cell in state["streams"]]
        self.course.resume(state["seconds"])
        self.n_pieces = state["n_pieces"]
