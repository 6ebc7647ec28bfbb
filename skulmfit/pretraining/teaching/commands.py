"""The commands that teach: from text files and an embedding model to a compact encoder."""

import argparse
from pathlib import Path

from skulmfit.pretraining.options import add_run_options, settings_of, train_to_output
from skulmfit.pretraining.teaching.run import TeachingSettings, teach


def add_teaching(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    teaching = commands.add_parser("teach", help="teach a language model a teacher's vectors; also under torchrun")
    teaching.add_argument("--folder", type=Path, required=True, help="segments and vectors")
    teaching.add_argument("--texts", type=Path, help="an encoded corpus to read as streams, beside the segments")
    add_run_options(teaching, TeachingSettings)
    teaching.set_defaults(command=_teach)


def _teach(options: argparse.Namespace) -> None:
    settings = settings_of(options, TeachingSettings)
    train_to_output(
        options, lambda checkpoint, card: teach(options.folder, settings, checkpoint, texts=options.texts, card=card)
    )
