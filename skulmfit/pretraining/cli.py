"""`python -m skulmfit.pretraining`: from text files to a language model that `pretrained=` accepts."""

import argparse
import json
import math
import os
import platform
from dataclasses import fields, replace
from pathlib import Path

import torch

from skulmfit.pretrained.language_model import LanguageModelData
from skulmfit.pretrained.registry import load_pretrained, locate
from skulmfit.pretraining.card import write_card
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, train_tokenizer
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.training import CheckpointSettings, PretrainingSettings, export, pretrain
from skulmfit.text.tokenizer import Tokenizer


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, FileNotFoundError, FileExistsError) as error:
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
    encode.add_argument("--vocab-size", type=int, default=12_000)
    encode.add_argument("--tokenizer-words", type=int, default=12_000_000, help="words the tokenizer learns from")
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
        flag, choices = (
            "--" + field.name.replace("_", "-"),
            ("forward", "backward") if field.name == "direction" else None,
        )
        help_text = f"default {field.default}"
        training.add_argument(flag, type=field.type, default=field.default, choices=choices, help=help_text)
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
    documents = read_documents(options.texts)
    if options.tokenizer is None:
        print("training the tokenizer", flush=True)
        tokenizer, documents = train_tokenizer(
            documents, vocab_size=options.vocab_size, max_words=options.tokenizer_words
        )
    else:
        tokenizer = Tokenizer(load_pretrained(options.tokenizer).tokenizer.model)
    corpus = encode_corpus(documents, tokenizer, options.folder)
    print(f"{options.folder}: {len(corpus.ids):,} tokens in {len(corpus):,} documents, {len(tokenizer):,} pieces")


def _train(options: argparse.Namespace) -> None:
    settings = PretrainingSettings(
        **{field.name: getattr(options, field.name) for field in fields(PretrainingSettings)}
    )
    path = options.output.with_suffix(".checkpoint")
    checkpoint = CheckpointSettings(path, options.minutes, options.checkpoint_seconds, options.resume)
    data = pretrain(options.folder, settings, checkpoint, card=_card(options))
    if int(os.environ.get("RANK", 0)):  # the first process speaks and writes for all
        return
    if data is None:
        print(f"Stopped before the end. The same command with --resume continues from {path}.")
        return
    _save(data, options.output)
    path.unlink(missing_ok=True)


def _export(options: argparse.Namespace) -> None:
    _save(export(options.checkpoint, options.folder, card=_card(options)), options.output)


def _evaluate(options: argparse.Namespace) -> None:
    data = load_pretrained(options.model)
    figures = {path.name: evaluate(data, read_held_out(path)) for path in options.texts}
    print(json.dumps(figures, indent=2))
    if options.update_card:
        _save(replace(data, card=data.card | {"held_out": figures}), locate(options.model))


def _save(data: LanguageModelData, path: Path) -> None:
    data.save(path)
    write_card(data, path)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB; its card is {path.with_suffix('.md')}")


def _card(options: argparse.Namespace) -> dict[str, str]:
    """What the command line and the machine say of a training."""
    has_gpu = torch.cuda.is_available()
    hardware = torch.cuda.get_device_name() if has_gpu else f"{torch.get_num_threads()} threads of {platform.machine()}"
    card = {name: getattr(options, name) for name in ("data", "licence", "notes")}
    return card | {"hardware": f"{hardware}, torch {torch.__version__}"}
