"""`python -m skulmfit.pretraining`: from text files to a language model that `pretrained=` accepts."""

import argparse
import json
import math
import zlib
from dataclasses import fields, replace
from pathlib import Path

from skulmfit.models.card import write_card
from skulmfit.models.language_model import LanguageModel
from skulmfit.models.registry import available_models, load_pretrained
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.distributed import is_first_process
from skulmfit.pretraining.encoding import encode_corpus, train_tokenizer
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.training import CheckpointSettings, PretrainingSettings, export, pretrain
from skulmfit.text.any_tokenizer import AnyTokenizer


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, TypeError, FloatingPointError, OSError, EOFError, zlib.error) as error:
        raise SystemExit(f"error: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m skulmfit.pretraining", description=__doc__)
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
    encode.add_argument("--vocab-size", type=int, help="pieces of the tokenizer (default 12,000)")
    encode.add_argument("--tokenizer-words", type=int, help="words it learns from (default 12,000,000)")
    encode.add_argument("--tokenizer", help="a language model whose tokenizer to take instead")
    encode.set_defaults(command=_encode)

    training = commands.add_parser("train", help="train a language model; also under torchrun")
    training.add_argument("--folder", type=Path, required=True, help="an encoded corpus")
    training.add_argument("--output", type=Path, required=True, help="the language model, an .npz file")
    training.add_argument("--minutes", type=float, default=math.inf, help="stop after so long, to be resumed")
    training.add_argument("--resume", action="store_true", help="continue from the checkpoint, if there is one")
    training.add_argument("--checkpoint-seconds", type=float, default=120.0, help="what a kill may cost")
    _add_card_options(training)
    for field in fields(PretrainingSettings):
        flag, meaning = "--" + field.name.replace("_", "-"), f"{field.metadata['help']} (default {field.default!r})"
        training.add_argument(flag, type=field.type, default=field.default, help=meaning)
    training.set_defaults(command=_train)

    exporting = commands.add_parser("export", help="write the language model of an unfinished training")
    exporting.add_argument("checkpoint", type=Path)
    exporting.add_argument("--folder", type=Path, required=True, help="the encoded corpus it trains on")
    exporting.add_argument("--output", type=Path, required=True)
    _add_card_options(exporting)
    exporting.set_defaults(command=_export)

    evaluation = commands.add_parser("evaluate", help="nats per word of held-out files")
    evaluation.add_argument("model", help="name or path of a language model")
    evaluation.add_argument("texts", nargs="+", type=Path)
    evaluation.add_argument("--update-card", action="store_true", help="write the figures into the model and its card")
    evaluation.set_defaults(command=_evaluate)
    return parser


def _add_card_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="", help="what the texts are, for the model card")
    parser.add_argument("--licence", default="", help="their licence, for the model card")
    parser.add_argument("--notes", default="", help="known limits, for the model card")


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
            "--vocab-size and --tokenizer-words are for a new tokenizer, --tokenizer has its own pieces: give either."
        )
    else:
        tokenizer = load_pretrained(options.tokenizer).tokenizer.in_direction("forward")
    corpus = encode_corpus(documents, tokenizer, options.folder)
    print(f"{options.folder}: {len(corpus.ids):,} tokens in {len(corpus):,} documents, {len(tokenizer):,} pieces")


def _train(options: argparse.Namespace) -> None:
    settings = PretrainingSettings(
        **{field.name: getattr(options, field.name) for field in fields(PretrainingSettings)}
    )
    output = _checked_output(options)
    path = output.with_suffix(".checkpoint")
    if output.exists() and not path.exists():
        raise FileExistsError(f"{output} is finished; remove it to train anew.")
    output.parent.mkdir(parents=True, exist_ok=True)
    if options.resume and is_first_process():
        print(f"continuing from {path}" if path.exists() else f"no {path}: starting anew", flush=True)
    checkpoint = CheckpointSettings(path, options.minutes, options.checkpoint_seconds, options.resume)
    data = pretrain(options.folder, settings, checkpoint, card=_card(options))
    if not is_first_process():
        return
    if data is None:
        print(
            f"Stopped before the end. The same command with --resume continues from {path}."
            if path.exists()
            else "Stopped before the first checkpoint: nothing is kept."
        )
        return
    _save(data, output)
    path.unlink(missing_ok=True)


def _export(options: argparse.Namespace) -> None:
    output = _checked_output(options)
    _save(export(options.checkpoint, options.folder, card=_card(options)), output)


def _checked_output(options: argparse.Namespace) -> Path:
    output: Path = options.output
    if output.suffix != ".npz":
        raise ValueError(f"--output {output} must end in .npz.")
    return output


def _evaluate(options: argparse.Namespace) -> None:
    if options.update_card and options.model in available_models():
        raise ValueError(f"--update-card writes into a file of yours; {options.model!r} is the package's own.")
    data = load_pretrained(options.model)
    figures = {path.name: evaluate(data, read_held_out(path), verbose=1) for path in options.texts}
    print(json.dumps(figures, indent=2))
    if options.update_card:
        held_out = data.card.get("held_out", {}) | figures
        _save(replace(data, card=data.card | {"held_out": held_out}), Path(options.model))


def _save(data: LanguageModel, path: Path) -> None:
    data.save(path)
    write_card(data, path)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB; its card is {path.with_suffix('.md')}")


def _card(options: argparse.Namespace) -> dict[str, str]:
    """What the command line says of a training."""
    return {name: getattr(options, name) for name in ("data", "licence", "notes")}
