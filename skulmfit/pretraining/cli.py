"""`python -m skulmfit.pretraining`: from text files to a language model that `pretrained=` accepts."""

import argparse
import json
from dataclasses import fields, replace
from pathlib import Path

from skulmfit.pretrained.registry import load_pretrained, locate
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, train_tokenizer
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.training import PretrainingSettings, pretrain


def main(arguments: list[str] | None = None) -> None:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m skulmfit.pretraining", description=__doc__)
    commands = parser.add_subparsers(required=True)

    encode = commands.add_parser("encode", help="train a tokenizer on text files and encode them once")
    encode.add_argument("texts", nargs="+", help="text files (.txt, .gz, .bz2) or folders; blank lines end documents")
    encode.add_argument("--folder", type=Path, required=True, help="where the encoded corpus goes")
    encode.add_argument("--vocab-size", type=int, default=12_000)
    encode.add_argument("--tokenizer-words", type=int, default=12_000_000, help="words the tokenizer learns from")
    encode.set_defaults(command=_encode)

    training = commands.add_parser("train", help="train a language model; run again to continue after a kill")
    training.add_argument("--folder", type=Path, required=True, help="an encoded corpus")
    training.add_argument("--output", type=Path, required=True, help="the language model, an .npz file")
    training.add_argument("--checkpoint-seconds", type=float, default=120.0)
    for field in fields(PretrainingSettings):
        flag = "--" + field.name.replace("_", "-")
        training.add_argument(flag, type=field.type, default=field.default, help=f"default {field.default}")
    training.set_defaults(command=_train)

    evaluation = commands.add_parser("evaluate", help="nats per word of held-out files, written into the model's card")
    evaluation.add_argument("model", help="name or path of a language model")
    evaluation.add_argument("texts", nargs="+", type=Path)
    evaluation.add_argument("--update-card", action="store_true", help="write the figures into the file")
    evaluation.set_defaults(command=_evaluate)
    return parser


def _encode(options: argparse.Namespace) -> None:
    tokenizer = train_tokenizer(
        read_documents(options.texts), vocab_size=options.vocab_size, max_words=options.tokenizer_words
    )
    corpus = encode_corpus(read_documents(options.texts), tokenizer, options.folder)
    print(f"{options.folder}: {len(corpus.ids):,} tokens in {len(corpus):,} documents, {len(tokenizer):,} pieces")


def _train(options: argparse.Namespace) -> None:
    settings = PretrainingSettings(
        **{field.name: getattr(options, field.name) for field in fields(PretrainingSettings)}
    )
    path = options.output.with_suffix(".checkpoint")
    data = pretrain(options.folder, settings, checkpoint_path=path, checkpoint_seconds=options.checkpoint_seconds)
    data.save(options.output)
    path.unlink(missing_ok=True)
    print(f"{options.output}: {options.output.stat().st_size / 2**20:.1f} MiB")


def _evaluate(options: argparse.Namespace) -> None:
    data = load_pretrained(options.model)
    figures = {path.name: evaluate(data, read_held_out(path)) for path in options.texts}
    print(json.dumps(figures, indent=2))
    if options.update_card:
        replace(data, card=data.card | {"held_out": figures}).save(locate(options.model))
