"""The commands that teach: from text files and an embedding model to a compact encoder."""

import argparse
from contextlib import nullcontext
from pathlib import Path

from skulmfit.models.registry import load_pretrained
from skulmfit.pretraining.encoding import open_corpus, reading, writing
from skulmfit.pretraining.options import add_run_options, settings_of, train_to_output
from skulmfit.pretraining.teaching.embedding import embed, take_vectors
from skulmfit.pretraining.teaching.preparation import prepare
from skulmfit.pretraining.teaching.run import teach
from skulmfit.pretraining.teaching.settings import TeachingSettings


def add_teaching(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands."""
    segmenting = commands.add_parser("segment", help="cut texts into segments, to be embedded and taught")
    segmenting.add_argument(
        "texts",
        nargs="+",
        help="text files (.txt, .gz, .bz2), folders, or -; in a file without blank lines every line is a text",
    )
    segmenting.add_argument("--folder", type=Path, required=True, help="where the segments go")
    segmenting.add_argument(
        "--tokenizer", default="en", help="take the tokenizer of this model, by name or file, or of an encoded corpus"
    )
    segmenting.add_argument(
        "--most", type=int, default=0, help="keep at most this many segments, chosen at random (default: all)"
    )
    segmenting.add_argument(
        "--balance",
        type=float,
        default=0.5,
        help="read each file in proportion to its size to this power (default 0.5)",
    )
    segmenting.add_argument(
        "--weight", action="append", default=[], metavar="FILE=FACTOR", help="factor on how much of a file is read"
    )
    segmenting.set_defaults(command=_segment)

    embedding = commands.add_parser(
        "embed", help="get a teacher's vectors of the segments; after a kill the same command goes on"
    )
    embedding.add_argument("--folder", type=Path, required=True, help="segments")
    source = embedding.add_mutually_exclusive_group(required=True)
    source.add_argument("--teacher", help="a sentence-transformers model, by name or folder")
    source.add_argument("--vectors", type=Path, help="an .npy file with your own vectors of segments.txt")
    embedding.add_argument("--batch-size", type=int, default=64, help="segments that the teacher reads at once")
    embedding.add_argument("--device", help="where the teacher computes (default: a GPU if there is one)")
    embedding.set_defaults(command=_embed)

    teaching = commands.add_parser(
        "teach", help="teach a language model to give a teacher's vectors; also under torchrun"
    )
    teaching.add_argument("--folder", type=Path, required=True, help="segments and vectors")
    teaching.add_argument("--texts", type=Path, help="an encoded corpus to read as streams, beside the segments")
    teaching.add_argument(
        "--teacher", default="", help="name of the teacher, for the model card (default: what `embed` was given)"
    )
    add_run_options(teaching, TeachingSettings)
    teaching.set_defaults(command=_teach)


def _segment(options: argparse.Namespace) -> None:
    factors = {}
    for weight in options.weight:
        name, _, factor = weight.rpartition("=")
        try:
            factors[name] = float(factor)
        except ValueError as error:
            raise ValueError(f"--weight {weight} must be FILE=FACTOR, such as talk.txt=0.5.") from error
    if Path(options.tokenizer).is_dir():
        tokenizer = open_corpus(Path(options.tokenizer))[1]
    else:
        tokenizer = load_pretrained(options.tokenizer).tokenizer.in_direction("forward")
    with writing(options.folder):
        counts = prepare(
            options.texts, tokenizer, options.folder, most=options.most, balance=options.balance, factors=factors
        )
    print(f"{options.folder}: {sum(counts.values()):,} segments of {len(counts):,} files")


def _embed(options: argparse.Namespace) -> None:
    with writing(options.folder):
        if options.vectors:
            take_vectors(options.folder, options.vectors)
        else:
            embed(options.folder, options.teacher, batch_size=options.batch_size, device=options.device)


def _teach(options: argparse.Namespace) -> None:
    settings, teacher = settings_of(options, TeachingSettings), {"teacher": options.teacher}
    with reading(options.folder), reading(options.texts) if options.texts else nullcontext():
        train_to_output(
            options,
            lambda checkpoint, card: teach(
                options.folder, settings, checkpoint, texts=options.texts, card=card | teacher
            ),
        )
