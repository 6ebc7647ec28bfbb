"""The settings of a teaching run."""

from dataclasses import dataclass
from numbers import Integral, Real

import torch

from skulmfit.pretraining.start import NetworkSettings, setting
from skulmfit.pretraining.teaching.losses import Mixture
from skulmfit.pretraining.teaching.teaching_task import BatchSizes
from skulmfit.training.parameters import check_number

_SIZES_GPU = BatchSizes(pieces=32_768, segments=2_048, streams=384, bptt=64)
_SIZES_CPU = BatchSizes(pieces=2_048, segments=128, streams=24, bptt=48)


@dataclass(frozen=True)
class TeachingSettings(NetworkSettings):
    """Everything a teaching run depends on, besides its data and the number of processes."""

    updates: int = setting(0, "updates of the run; 0 to go by the clock")
    minutes: float = setting(0.0, "minutes of the run, if no updates are given")
    lm: float = setting(1.0, "weight of the next piece's cross-entropy on streams of the documents of --texts")
    segment_lm: float = setting(0.5, "weight of the next piece's cross-entropy on a sample of the segments' positions")
    cosine: float = setting(6.0, "weight of 1 - cosine between sentence vector and teacher's vector")
    relations: float = setting(1.0, "weight of the cross-entropy between softmaxes of similarities within a batch")
    temperature: float = setting(0.05, "temperature of these softmaxes")
    sampled: float = setting(0.3, "share of the segments' positions in the sample")
    caseless: float = setting(0.3, "share of the segments that are read without case markers")
    segment_pieces: int = setting(0, "pieces of segments per update and process; 0: 32,768 on a GPU, 2,048 on a CPU")
    streams: int = setting(0, "parallel streams of each process; 0: 384 on a GPU, 24 on a CPU")
    bptt: int = setting(0, "pieces of each stream per update; 0: 64 on a GPU, 48 on a CPU")
    learning_rate: float = setting(4e-3, "peak learning rate")
    embedding_rate: float = setting(0.5, "learning rate of the embeddings, as a share of the peak")
    warmup: float = setting(0.03, "share of the run over which the rate rises to its peak")
    cooldown: float = setting(0.55, "share of the run over which the rate falls to 0 at the end; 0 for no fall")
    weight_decay: float = setting(0.01, "decoupled weight decay")
    clip: float = setting(1.0, "largest norm of the gradient")
    held_out: int = setting(4_000, "segments held out to measure on, at most one in 20; and a tenth as many documents")
    seed: int = setting(0, "seed of everything random")
    device: str = setting("auto", "where to compute; auto takes a GPU if there is one, else the CPU")

    def __post_init__(self):
        super().__post_init__()
        check_number(self.seed, "seed", Integral, low=0, high=2**63 - 1)
        for name in ("updates", "segment_pieces", "streams", "bptt", "held_out"):
            check_number(getattr(self, name), name, Integral, low=0)
        for name in ("learning_rate", "clip", "temperature"):
            check_number(getattr(self, name), name, Real, low=0, bounds="neither")
        for name in ("minutes", "lm", "segment_lm", "cosine", "relations", "embedding_rate", "weight_decay"):
            check_number(getattr(self, name), name, Real, low=0)
        for name in ("sampled", "caseless", "warmup", "cooldown"):
            check_number(getattr(self, name), name, Real, low=0, high=1)
        if not self.updates and not self.minutes:
            raise ValueError("updates and minutes are both 0; give the length of the run as one of them.")
        if not (self.lm or self.segment_lm or self.cosine or self.relations):
            raise ValueError("lm, segment_lm, cosine and relations are all 0; give one of the losses a weight.")

    def mixture(self) -> Mixture:
        """The weights of the losses."""
        return Mixture(self.lm, self.segment_lm, self.cosine, self.relations, self.temperature, self.sampled)

    def sizes(self, device: torch.device) -> BatchSizes:
        """What an update reads on a device."""
        usual = _SIZES_GPU if device.type == "cuda" else _SIZES_CPU
        pieces = self.segment_pieces or usual.pieces
        return BatchSizes(
            pieces, max(2, pieces * usual.segments // usual.pieces), self.streams or usual.streams,
            self.bptt or usual.bptt,
        )  # fmt: skip
