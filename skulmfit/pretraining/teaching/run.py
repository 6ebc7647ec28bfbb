"""A teaching run: data on the device, the one training loop, and the language model that comes out."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from skulmfit.models.language_model import LanguageModel
from skulmfit.models.sentence_map import SentenceMap
from skulmfit.models.weights import load_numpy, to_numpy
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.threads import one_thread_an_operation
from skulmfit.pretraining.distributed import Processes, join_processes
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.pretraining.start import new_network, starting_point
from skulmfit.pretraining.teaching.course import Course
from skulmfit.pretraining.teaching.data import TeachingData, load_data
from skulmfit.pretraining.teaching.folder import TeachingFolder, open_folder
from skulmfit.pretraining.teaching.losses import Student, TeachingLoss
from skulmfit.pretraining.teaching.settings import TeachingSettings
from skulmfit.pretraining.teaching.teaching_progress import TeachingProgress
from skulmfit.pretraining.teaching.teaching_task import TeachingTask
from skulmfit.training.callback import Callback
from skulmfit.training.history import History
from skulmfit.training.layer_groups import EMBEDDING, language_model_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.schedules import WarmupStableDecay
from skulmfit.training.stages import Stage

_MAP = "sentence_map"


def teach(
    folder: Path,
    settings: TeachingSettings,
    checkpoint: CheckpointSettings,
    *,
    texts: Path | None = None,
    card: dict[str, Any] | None = None,
) -> LanguageModel | None:
    """Teach a language model the vectors of a folder, and the documents of an encoded corpus; None if interrupted.

    Under `torchrun` every process calls this, and each gets the model.

    Parameters
    ----------
    folder : Path
        In the format of `skulmfit.pretraining.teaching.folder`.
    settings : TeachingSettings
    checkpoint : CheckpointSettings
    texts : Path, optional
        An encoded corpus; without it nothing is read as streams of documents.
    card : dict, optional
        What else the model's card says.

    Raises
    ------
    FileNotFoundError
        If a folder is not what it should be.
    ValueError
        If its parts do not belong together, or a vector is 0 or not finite.
    """
    checkpoint.check()
    opened = open_folder(folder)
    start = starting_point(settings, opened.tokenizer.in_direction(settings.direction))
    with join_processes(settings.device) as (processes, runtime):
        data = load_data(
            opened, texts if settings.lm else None, runtime.device,
            direction=settings.direction, n_held_out=settings.held_out, seed=settings.seed,
        )  # fmt: skip
        return _Run(opened, settings, start, data, processes, runtime).train(checkpoint, card or {})


@dataclass
class _Run:
    """What a run is made of."""

    folder: TeachingFolder
    settings: TeachingSettings
    start: LanguageModel | None
    data: TeachingData
    processes: Processes
    runtime: Runtime

    def train(self, checkpoint: CheckpointSettings, card: dict[str, Any]) -> LanguageModel | None:
        """Train to the end, from the checkpoint if there is one."""
        settings, runtime = self.settings, self.runtime
        with runtime.seeded(settings.seed), one_thread_an_operation():
            student = self._new_student().to(runtime.device)
            groups = self._groups(student)
            if self.processes.rank:  # the same weights in every process, but other samples
                torch.manual_seed(settings.seed + self.processes.rank)
            task = self._task(student)
            history, callbacks = History(), list[Callback]()
            identity = asdict(settings) | {"data": self.data.checksum}
            if self.processes.rank == 0:
                callbacks.append(TeachingProgress(task, self.processes.world_size, lambda: self._figures(student)))
            rates = {name: settings.learning_rate * (settings.embedding_rate if name == EMBEDDING else 1.0)
                     for name in groups}  # fmt: skip
            # The course of the run gives the rate, by updates or by the clock, and so the schedule is flat.
            stage = Stage("teaching", rates, 1, WarmupStableDecay(0.0, 0.0))
            finished = train(
                student, groups, [(stage, task)],
                settings=OptimizerSettings((0.9, 0.99), settings.weight_decay, settings.clip), runtime=runtime,
                rng=np.random.default_rng(settings.seed),
                callbacks=[history, *callbacks, checkpoint.callback(identity, self.processes, runtime)],
            )  # fmt: skip
            return self._result(student, task, card, history.rows) if finished else None

    def _new_student(self) -> Student:
        """The start's network and, where it has one of the teacher's width, its sentence map; else new ones."""
        tokenizer = self.folder.tokenizer.in_direction(self.settings.direction)
        student = Student(new_network(self.settings, tokenizer, self.start), self.folder.vector_dim)
        known = self.start.sentence_map if self.start and self.settings.start_with != "embeddings" else None
        if known is not None and known.weight.shape == student.sentence_map.weight.shape:
            load_numpy(student.sentence_map, vars(known))
        return student

    def _groups(self, student: Student) -> dict[str, list[nn.Parameter]]:
        """Layer groups of what the mixture of losses trains; the rest needs no gradient."""
        settings = self.settings
        groups = language_model_groups(student.language_model) | {_MAP: list(student.sentence_map.parameters())}
        if not (settings.cosine or settings.relations):
            groups.pop(_MAP)
        if not (settings.segment_lm or self.data.documents):
            groups[EMBEDDING] = [student.language_model.encoder.embedding]  # the decoder's bias has no part in it
        trained = {id(param) for group in groups.values() for param in group}
        for param in student.parameters():
            param.requires_grad_(id(param) in trained)
        return groups

    def _task(self, student: Student) -> TeachingTask:
        settings, processes = self.settings, self.processes
        course = Course(
            updates=settings.updates, seconds=60 * settings.minutes, warmup=settings.warmup,
            cooldown=settings.cooldown, agree=_clock_of_the_first if processes.world_size > 1 else float,
        )  # fmt: skip
        return TeachingTask(
            TeachingLoss(student, settings.mixture(), dtype=self.runtime.training_dtype), self.data.segments,
            self.data.documents, self.runtime, course, sizes=settings.sizes(self.runtime.device),
            caseless=settings.caseless, rank=processes.rank, wrap=processes.wrap,
        )  # fmt: skip

    def _figures(self, student: Student) -> dict[str, float]:
        return self.data.held_out.figures(student, self.runtime)

    def _result(self, student: Student, task: TeachingTask, card: dict[str, Any], history: list[dict]) -> LanguageModel:
        """The language model that has been taught, and what its card says of it."""
        world_size = self.processes.world_size
        figures = self._figures(student) if self.processes.rank == 0 else {}
        card = card | {
            "tokens_seen": task.n_pieces * world_size,
            "hardware": self.runtime.description(),
            "command": "teach",
            "teacher": card.get("teacher") or self.folder.teacher(),
            "settings": asdict(self.settings),
            "processes": world_size,
            "seconds": round(sum(row["seconds"] for row in history)),
            "taught": figures,
        }
        if self.start:
            card["start"] = self.start.card
        tokenizer = self.folder.tokenizer.in_direction(self.settings.direction)
        model = LanguageModel.from_network(student.language_model, tokenizer, card)
        is_taught = self.settings.cosine or self.settings.relations
        return replace(model, sentence_map=SentenceMap(**to_numpy(student.sentence_map))) if is_taught else model


def _clock_of_the_first(seconds: float) -> float:
    """The first process's clock, on which all end at the same update."""
    clock = torch.tensor(seconds, dtype=torch.float64)
    dist.broadcast(clock, 0)
    return clock.item()
