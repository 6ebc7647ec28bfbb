"""The losses that teach a student: of the teacher's vectors, of their similarities, and of the next piece.

Letters in shapes: B batch, T time, E embedding, D width of the teacher's vectors.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.encoder import State, detach, join, rows_of
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.pooling import Pool
from skulmfit.nn.shards import Shard, in_shards

PARTS = ("lm", "segment_lm", "cosine", "relations")  # the losses, as the fields of `Mixture`


@dataclass(frozen=True)
class Mixture:
    """How much each loss counts; one of weight 0 is not computed."""

    lm: float = 1.0  # cross-entropy of the next piece, on streams of documents
    segment_lm: float = 0.5  # the same on a sample of the segments' positions
    cosine: float = 6.0  # 1 - cosine between sentence vector and teacher's vector
    relations: float = 1.0  # cross-entropy between the softmaxes of similarities within a batch
    temperature: float = 0.05  # of these softmaxes
    sampled: float = 0.3  # share of the segments' positions


class Student(nn.Module):
    """A language model, and a linear map from its pooled states onto the teacher's vectors."""

    def __init__(self, language_model: LanguageModelNetwork, vector_dim: int):
        super().__init__()
        self.language_model = language_model
        self.sentence_map = nn.Linear(3 * language_model.encoder.architecture.embedding_dim, vector_dim)

    def sentence_vectors(self, pooled: Tensor) -> Tensor:
        """Vectors of length 1, (B, D), of texts with pooled states (B, 3*E)."""
        return F.normalize(self.sentence_map(pooled), dim=1)


class TeachingLoss(nn.Module):
    """All losses of an update as one module, so that data-parallel training can wrap it whole."""

    def __init__(self, student: Student, mixture: Mixture, *, dtype: torch.dtype):
        super().__init__()
        self.student, self.mixture, self.dtype = student, mixture, dtype

    def forward(
        self, stream: tuple[Tensor, Tensor] | None, state: State, segments: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, State]:
        """Objective, its parts as in `PARTS` (4,), and next state.

        `stream` is inputs and targets (B, T) with `state` before them, `segments` padded ids (B, T), lengths (B,) and
        the teacher's vectors (B, D).
        """
        weights, vectors = self.mixture, segments[2]
        parts = dict.fromkeys(PARTS, vectors.new_zeros(()))
        sample = self._sample(*segments[:2])
        if stream is not None:
            parts["lm"], state = self._stream_loss(*stream, state)
        pooled, parts["segment_lm"] = self._read_segments(*segments[:2], sample)
        if weights.cosine or weights.relations:
            with torch.autocast(vectors.device.type, enabled=False):
                predicted = self.student.sentence_vectors(pooled)
                parts["cosine"] = 1 - (predicted * vectors).sum(dim=1).mean()
                parts["relations"] = relation_loss(predicted, vectors, weights.temperature)
        objective = sum(getattr(weights, name) * part for name, part in parts.items() if getattr(weights, name))
        return objective, torch.stack(list(parts.values())).detach(), state

    def _stream_loss(self, inputs: Tensor, targets: Tensor, state: State) -> tuple[Tensor, State]:
        """Cross-entropy of the next piece on streams (B, T), and the state after them."""
        network = self.student.language_model

        def of_shard(shard: Shard) -> tuple[list[Tensor], State]:
            own = inputs[shard.rows]
            encoded = network(own, rows_of(state, shard.rows), shard.draw)
            loss = network.cross_entropy(encoded.output, targets[shard.rows], dtype=self.dtype)
            return [loss * (len(own) / len(inputs))], detach(encoded.state)

        shards = in_shards(of_shard, len(inputs), network.encoder, [network.decoder_bias])
        return torch.stack([loss for (loss,), _ in shards]).sum(), join([after for _, after in shards])

    def _sample(self, ids: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Rows and columns of random positions of texts (B, T) that have a next piece, drawn with replacement."""
        n_samples = max(1, int(self.mixture.sampled * ids.numel())) if self.mixture.segment_lm else 0
        rows = torch.randint(len(ids), (n_samples,), device=ids.device)
        return rows, (torch.rand(n_samples, device=ids.device) * (lengths[rows] - 1)).long()

    def _read_segments(self, ids: Tensor, lengths: Tensor, sample: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Pooled states (B, 3*E) of padded texts (B, T), and the cross-entropy of the piece after sampled positions."""
        network, (rows, columns) = self.student.language_model, sample

        def of_shard(shard: Shard) -> tuple[list[Tensor], None]:
            own, start = ids[shard.rows], shard.rows.start
            output = network(own, network.encoder.initial_state(len(own)), shard.draw).output
            pool = Pool.empty(len(output), output, output.shape[2]).add(output, lengths[shard.rows])
            is_own = (rows >= start) & (rows < shard.rows.stop) if len(own) < len(ids) else slice(None)
            own_rows, own_columns = rows[is_own] - start, columns[is_own]
            loss = output.new_zeros(())
            if len(own_rows):
                hidden, targets = output[own_rows, own_columns], own[own_rows, own_columns + 1]
                loss = network.cross_entropy(hidden[None], targets[None], dtype=self.dtype)
            return [pool.concat(lengths[shard.rows]), loss * (len(own_rows) / max(len(rows), 1))], None

        shards = in_shards(of_shard, len(ids), network.encoder, [network.decoder_bias])
        pooled, losses = zip(*[tensors for tensors, _ in shards])
        return torch.cat(pooled), torch.stack(losses).sum()


def relation_loss(vectors: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between softmaxes of similarities, of vectors and the teacher's (B, D), all of length 1.

    All similarities are with the teacher's vectors: those of the teacher's own vectors are the targets, those of the
    student's vectors are trained.
    """
    targets = (teacher @ teacher.T / temperature).softmax(dim=1)  # (B, B)
    return -(targets * F.log_softmax(vectors @ teacher.T / temperature, dim=1)).sum(dim=1).mean()
