"""`skulmfit`, or `python -m skulmfit.pretraining`: from text files to a language model that `pretrained=` accepts."""

import argparse
import json
import math
import sys
import zlib
from dataclasses import replace
from pathlib import Path

from skulmfit.models.registry import available_models, load_pretrained
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, reading, train_tokenizer, writing
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.options import (
    add_card_options,
    add_run_options,
    card_of,
    checked_output,
    save,
    settings_of,
    train_to_output,
)
from skulmfit.pretraining.teaching.commands import add_teaching
from skulmfit.pretraining.training import PretrainingSettings, export, pretrain
from skulmfit.text.any_tokenizer import AnyTokenizer

_INTERRUPTED = 130  # what a shell gives for Ctrl-C
_FORESEEN = (
    ValueError, TypeError, ArithmeticError, OSError, EOFError, ImportError, MemoryError, RuntimeError, zlib.error
)  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt as interruption:
        print(f"interrupted: {interruption}".removesuffix(": "), file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from interruption
    except _FORESEEN as error:
        reason = str(error).strip().partition("\n")[0]  # torch adds where in its code
        raise SystemExit(f"error: {reason or type(error).__name__}") from error


def _parser() -> argparse.ArgumentParser:
    is_script = Path(sys.argv[0]).stem == "skulmfit"
    parser = argparse.ArgumentParser(
        prog="skulmfit" if is_script else "python -m skulmfit.pretraining", description=__doc__
    )
    commands = parser.add_subparsers(required=True)

    encode = commands.add_parser("encode", help="train a tokenizer on text and encode the text once")
    encode.add_argument(
        "texts",
        nargs="+",
        help="text files (.txt, .gz, .bz2), folders, or - for standard input; blank lines end documents",
    )
    encode.add_argument("--folder", type=Path, required=True, help="where the encoded corpus goes")
    encode.add_argument(
        "--as-is", action="store_true", help="keep everything: headings, placeholders, stubs, near-copies"
    )
    encode.add_argument("--vocab-size", type=int, help="pieces of a new tokenizer (default 12,000)")
    encode.add_argument(
        "--tokenizer-words", type=int, help="words that a new tokenizer learns from (default 12,000,000)"
    )
    encode.add_argument("--tokenizer", help="take the tokenizer of this language model instead")
    encode.set_defaults(command=_encode)

    training = commands.add_parser("train", aliases=["pretrain"], help="train a language model; also under torchrun")
    training.add_argument("--folder", type=Path, required=True, help="an encoded corpus")
    training.add_argument(
        "--minutes", type=float, default=math.inf, help="stop after this many minutes; --resume goes on"
    )
    add_run_options(training, PretrainingSettings)
    training.set_defaults(command=_train)

    exporting = commands.add_parser("export", help="write the language model of an unfinished training")
    exporting.add_argument("checkpoint", type=Path)
    exporting.add_argument("--folder", type=Path, required=True, help="the encoded corpus it trains on")
    exporting.add_argument("--output", type=Path, required=True)
    add_card_options(exporting)
    exporting.set_defaults(command=_export)

    evaluation = commands.add_parser("evaluate", help="nats per word of held-out files")
    evaluation.add_argument("model", help="name or path of a language model")
    evaluation.add_argument("texts", nargs="+", type=Path)
    evaluation.add_argument("--update-card", action="store_true", help="write the figures into the model and its card")
    evaluation.set_defaults(command=_evaluate)
    add_teaching(commands)
    return parser


def _encode(options: argparse.Namespace) -> None:
    documents = read_documents(options.texts, as_is=options.as_is)
    tokenizer: AnyTokenizer
    if options.tokenizer is None:
        print("training the tokenizer", flush=True)
        vocab_size = 12_000 if options.vocab_size is None else options.vocab_size
        max_words = 12_000_000 if options.tokenizer_words is None else options.tokenizer_words
        tokenizer, documents = train_tokenizer(documents, vocab_size=vocab_size, max_words=max_words)
    elif options.vocab_size is not None or options.tokenizer_words is not None:
        raise ValueError(
            "--vocab-size and --tokenizer-words are for a new tokenizer, but --tokenizer takes a known one. Leave "
            "out the first two, or --tokenizer."
        )
    else:
        tokenizer = load_pretrained(options.tokenizer).tokenizer.in_direction("forward")
    with writing(options.folder):
        corpus = encode_corpus(documents, tokenizer, options.folder)
    print(f"{options.folder}: {len(corpus.ids):,} tokens in {len(corpus):,} documents, {len(tokenizer):,} pieces")


def _train(options: argparse.Namespace) -> None:
    settings = settings_of(options, PretrainingSettings)
    with reading(options.folder):
        train_to_output(
            options, lambda checkpoint, card: pretrain(options.folder, settings, checkpoint, card=card),
            minutes=options.minutes,
        )  # fmt: skip


def _export(options: argparse.Namespace) -> None:
    output = checked_output(options)
    save(export(options.checkpoint, options.folder, card=card_of(options)), output)


def _evaluate(options: argparse.Namespace) -> None:
    if options.update_card and options.model in available_models():
        raise ValueError(
            f"--update-card changes the file of a model, but {options.model!r} is the package's own. Give a path."
        )
    model = load_pretrained(options.model)
    figures = {path.name: evaluate(model, read_held_out(path), verbose=1) for path in options.texts}
    print(json.dumps(figures, indent=2))
    if options.update_card:
        held_out = model.card.get("held_out", {}) | figures
        save(replace(model, card=model.card | {"held_out": held_out}), Path(options.model))
