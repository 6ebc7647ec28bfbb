"""The losses that teach a student: of the teacher's vectors, of their similarities, and of the next piece.

Letters in shapes: B batch, T time, E embedding, D width of the teacher's vectors.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from skulmfit.nn.encoder import State, detach
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.pooling import Pool

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

    def sentence_vectors(self, output: Tensor, lengths: Tensor) -> Tensor:
        """Vectors of length 1, (B, D), of texts with outputs (B, T, E) and lengths (B,)."""
        pool = Pool.empty(len(output), output, output.shape[2]).add(output, lengths)
        return F.normalize(self.sentence_map(pool.concat(lengths)), dim=1)


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
        network, weights = self.student.language_model, self.mixture
        ids, lengths, vectors = segments
        parts = dict.fromkeys(PARTS, vectors.new_zeros(()))
        if stream is not None:
            encoded = network(stream[0], state)
            state = detach(encoded.state)
            parts["lm"] = network.cross_entropy(encoded.output, stream[1], dtype=self.dtype)
        output = network(ids, network.encoder.initial_state(len(ids))).output
        if weights.segment_lm:
            parts["segment_lm"] = self._sampled_cross_entropy(output, ids, lengths)
        if weights.cosine or weights.relations:
            with torch.autocast(ids.device.type, enabled=False):
                predicted = self.student.sentence_vectors(output, lengths)
                parts["cosine"] = 1 - (predicted * vectors).sum(dim=1).mean()
                parts["relations"] = relation_loss(predicted, vectors, weights.temperature)
        objective = sum(getattr(weights, name) * part for name, part in parts.items() if getattr(weights, name))
        return objective, torch.stack(list(parts.values())).detach(), state

    def _sampled_cross_entropy(self, output: Tensor, ids: Tensor, lengths: Tensor) -> Tensor:
        """Cross-entropy of the next piece at random positions of texts, drawn with replacement."""
        n_samples = max(1, int(self.mixture.sampled * ids.numel()))
        rows = torch.randint(len(ids), (n_samples,), device=ids.device)
        columns = (torch.rand(n_samples, device=ids.device) * (lengths[rows] - 1)).long()
        network = self.student.language_model
        return network.cross_entropy(output[rows, columns][None], ids[rows, columns + 1][None], dtype=self.dtype)


def relation_loss(vectors: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy between softmaxes of similarities, of vectors and the teacher's (B, D), all of length 1.

    All similarities are with the teacher's vectors: those of the teacher's own vectors are the targets, those of the
    student's vectors are trained.
    """
    targets = (teacher @ teacher.T / temperature).softmax(dim=1)  # (B, B)
    return -(targets * F.log_softmax(vectors @ teacher.T / temperature, dim=1)).sum(dim=1).mean()
