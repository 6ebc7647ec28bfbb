"""The model card: what a language model was made of, how, and how good it is, as Markdown beside its file."""

import math
from datetime import timedelta
from pathlib import Path
from typing import Any

from skulmfit.models.language_model import LanguageModel

_WORD = (
    "Nats per word: negative log-likelihood of every piece after `xxbos`, summed, divided by the number of "
    "whitespace-separated words of the file as it is (WikiText's `<unk>`, ` @-@ ` and headings included). The pieces "
    "are those of the text as ULMFiT's rules normalise it: lower case after a marker, which is predicted too, one "
    "kind of quote and dash, ` @-@ ` as `-`, `do n't` as `don't`. Each document, in WikiText each article, is read "
    "from a zero state; its end is not predicted."
)


def write_card(model: LanguageModel, path: Path) -> None:
    """Write the card of the language model in the file `path` beside it."""
    path.with_suffix(".md").write_text(render(model, path), encoding="utf-8")


def render(model: LanguageModel, path: Path) -> str:
    """Markdown of a language model's card."""
    rows = "\n".join(f"| {name} | {value} |" for name, value in _facts(model, path).items())
    parts = [f"# `{path.stem}`: a {model.tokenizer.direction} language model", f"| | |\n|---|---|\n{rows}"]
    if held_out := model.card.get("held_out"):
        figures = "\n".join(
            f"| `{name}` | {row['words']:,} | {row['nats_per_word']:.3f} | {row['nats_per_piece']:.3f} "
            f"| {math.exp(row['nats_per_piece']):.1f} |"
            for name, row in held_out.items()
        )
        head = "| held-out text | words | nats per word | nats per piece | perplexity per piece |\n" + "|---" * 5 + "|"
        parts += [f"{head}\n{figures}", _WORD]
    if notes := model.card.get("notes"):
        parts.append(notes)
    return "\n\n".join(parts) + "\n"


def _facts(model: LanguageModel, path: Path) -> dict[str, str]:
    architecture, card = model.architecture, model.card
    n_parameters = sum(array.size for array in model.weights.values())
    facts = {
        "network": f"AWD-{architecture.kind.upper()}, {architecture.n_layers} layers, embeddings "
        f"{architecture.embedding_dim}, hidden {architecture.hidden_dim}, {architecture.vocab_size:,} pieces",
        "size": f"{n_parameters / 1e6:.2f} million parameters, {path.stat().st_size / 2**20:.1f} MiB",
    }
    if model.sentence_map is not None:
        facts["sentence vectors"] = f"{len(model.sentence_map.bias)} numbers, by a linear map of [last, max, mean]"
    if taught := card.get("taught"):
        shown = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in taught.items())
        facts["on what was held out"] = shown
    for name in ("teacher", "data", "licence"):
        facts |= {name: card[name]} if card.get(name) else {}
    runs = training_runs(card)
    if len(runs) > 1:
        total = sum(run["tokens_seen"] for run in runs)
        facts["tokens seen"] = f"{total:,} in {len(runs)} runs, each from where the one before it ended"
    return facts | {f"run {index}" if len(runs) > 1 else "run": _describe(run) for index, run in enumerate(runs, 1)}


def training_runs(card: dict[str, Any]) -> list[dict[str, Any]]:
    """The cards of a model's training runs, the earliest first: a run may have started from another's model."""
    earlier = training_runs(card["start"]) if "start" in card else []
    return [*earlier, card] if "tokens_seen" in card else earlier


def _describe(run: dict[str, Any]) -> str:
    parts = [f"{run['tokens_seen']:,} tokens"]
    if "seconds" in run:
        parts.append(f"{timedelta(seconds=run['seconds'])} in {run['processes']} process(es)")
    if "hardware" in run:
        parts.append(run["hardware"])
    settings = run["settings"].items()
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in settings if value != "")
    return f"{', '.join(parts)}: `{run.get('command', 'train')} {options}`"
