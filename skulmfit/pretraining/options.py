"""Options that several commands share, and what they do: settings, checkpoint, the file that comes out, its card."""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from skulmfit.models.card import write_card
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.writing import locked
from skulmfit.pretraining.distributed import is_first_process
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.pretraining.start import NetworkSettings

Run = Callable[[CheckpointSettings, dict[str, str]], LanguageModel | None]
AnySettings = TypeVar("AnySettings", bound=NetworkSettings)


def add_card_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what a model card should say and the command cannot know."""
    parser.add_argument("--data", default="", help="what the texts are, for the model card")
    parser.add_argument("--licence", default="", help="their licence, for the model card")
    parser.add_argument("--notes", default="", help="known limits, for the model card")


def card_of(options: argparse.Namespace) -> dict[str, str]:
    """What the command line says of a training."""
    return {name: getattr(options, name) for name in ("data", "licence", "notes")}


def add_run_options(parser: argparse.ArgumentParser, settings: type[NetworkSettings]) -> None:
    """Add the options for output, checkpoint and card, and one for each setting of a training."""
    parser.add_argument("--output", type=Path, required=True, help="the language model, an .npz file")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint, if there is one")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=120.0,
        help="seconds between two checkpoints, the most that a kill may cost",
    )
    add_card_options(parser)
    for field in fields(settings):
        flag = "--" + field.name.replace("_", "-")
        meaning = f"{field.metadata['help']} (default {field.default!r})".replace("%", "%%")
        parser.add_argument(flag, type=field.type, default=field.default, help=meaning)  # type: ignore[arg-type]


def settings_of(options: argparse.Namespace, settings: type[AnySettings]) -> AnySettings:
    """The settings that the command line gives."""
    return settings(**{field.name: getattr(options, field.name) for field in fields(settings)})


def train_to_output(
    options: argparse.Namespace,
    run: Run,
    *,
    minutes: float = math.inf,
) -> None:
    """Run a training, or go on with it, and write its language model; say what to do if it stops before the end."""
    output = checked_output(options)
    path = output.with_suffix(".checkpoint")
    if is_first_process():
        with locked(path.with_name(path.name + ".lock"), f"The checkpoint {path}"):
            _train_to_output(options, run, minutes, output, path)
    else:
        _train_to_output(options, run, minutes, output, path)


def _train_to_output(options: argparse.Namespace, run: Run, minutes: float, output: Path, path: Path) -> None:
    if output.exists() and not path.exists():
        raise FileExistsError(f"{output} is finished; remove it to train anew.")
    output.parent.mkdir(parents=True, exist_ok=True)
    if options.resume and is_first_process():
        print(f"continuing from {path}" if path.exists() else f"no {path}: starting anew", flush=True)
    checkpoint = CheckpointSettings(path, minutes, options.checkpoint_seconds, options.resume)
    started = time.monotonic()
    model = run(checkpoint, card_of(options))
    if model is None and time.monotonic() - started < 60 * minutes:
        raise KeyboardInterrupt(f"{path} goes on with --resume" if path.exists() else "nothing is kept")
    if not is_first_process():
        return
    if model is None:
        print(
            f"Stopped before the end. The same command with --resume continues from {path}."
            if path.exists()
            else "Stopped before the first checkpoint: nothing is kept."
        )
        return
    save(model, output)
    path.unlink(missing_ok=True)


def checked_output(options: argparse.Namespace) -> Path:
    """The file that --output names."""
    output: Path = options.output
    if output.suffix != ".npz":
        raise ValueError(f"--output {output} must end in .npz.")
    return output


def save(model: LanguageModel, path: Path) -> None:
    """Write a language model and its card."""
    model.save(path)
    write_card(model, path)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB; its card is {path.with_suffix('.md')}")
