"""Held-out figures: how well a student agrees with its teacher, and predicts texts, that it does not learn from."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from skulmfit.inference.documents import document_outputs
from skulmfit.inference.likelihoods import log_likelihoods
from skulmfit.nn.runtime import Runtime
from skulmfit.pretraining.teaching.losses import Student
from skulmfit.text.token_corpus import TokenCorpus


@dataclass(frozen=True)
class HeldOut:
    """Segments with the teacher's vectors (n, D), and documents; all in the order in which they are read."""

    segments: TokenCorpus
    vectors: np.ndarray
    documents: TokenCorpus

    def backward(self) -> "HeldOut":
        """The same, read from the end."""
        return HeldOut(self.segments.backward(), self.vectors, self.documents.backward())

    def figures(self, student: Student, runtime: Runtime) -> dict[str, float]:
        """Mean cosines with the teacher, as the vectors are and about their means, and nats a piece of documents."""
        figures: dict[str, Tensor | float] = {}
        network = student.language_model
        if len(self.segments):
            head = student.sentence_map
            vectors = document_outputs(network.encoder, self.segments, runtime, head=head)  # (n, D)
            predicted, teacher = F.normalize(torch.from_numpy(vectors), dim=1), torch.from_numpy(self.vectors).float()
            figures["cosine"] = F.cosine_similarity(predicted, teacher).mean()
            predicted, teacher = predicted - predicted.mean(0), teacher - teacher.mean(0)
            figures["cosine_about_mean"] = F.cosine_similarity(predicted, teacher).mean()
        if len(self.documents):
            total = log_likelihoods(network, self.documents, runtime).sum()
            figures["nats_per_piece"] = -total / (self.documents.lengths - 1).sum()
        return {name: round(float(value), 4) for name, value in figures.items()}
