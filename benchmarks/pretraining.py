"""What each choice in pretraining gives at an equal token budget: nats per word of a held-out text.

    python benchmarks/pretraining.py en_0.txt.bz2 en_valid.txt --embedding-dim 128 --hidden-dim 256

Every row changes one thing of the default settings of `python -m skulmfit.pretraining train`; the tokenizer learns
from the words that the network then reads.
"""

import argparse
import math
import sys
import tempfile
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn

from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, first_words, train_tokenizer
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.pretraining.training import PretrainingSettings, pretrain
from skulmfit.text import streams
from skulmfit.training.callback import Callback

FIXED_BPTT = patch.multiple(streams, _BPTT_DEVIATION=0, _HALF_BPTT_PROBABILITY=0)
VOCAB_SIZE = 12_000


class Averaging(Callback):
    """Averages the weights from a share of the updates on, and ends with the average."""

    def __init__(self, multi_avg_fn, since=0.0):
        self.multi_avg_fn, self.since = multi_avg_fn, since

    def on_train_begin(self, run):
        self.average = AveragedModel(run.network, multi_avg_fn=self.multi_avg_fn)

    def on_update(self, run):
        if run.update >= self.since * run.n_updates:
            self.average.update_parameters(run.network)

    def on_train_end(self, run):
        run.network.load_state_dict(self.average.module.state_dict())


CONSTANT = {"warmup": 0.0, "cooldown": 0.0}
EMA = Averaging(get_ema_multi_avg_fn(0.99))
ASGD = Averaging(get_swa_multi_avg_fn(), since=0.75)  # Merity et al. 2018, section 3, with a fixed trigger
VARIANTS = {  # changes to the settings, pieces, callbacks
    "defaults": ({}, VOCAB_SIZE),
    "rate doubled": ({"learning_rate": 6e-3}, VOCAB_SIZE),
    "rate halved": ({"learning_rate": 1.5e-3}, VOCAB_SIZE),
    "embeddings as fast as the layers": ({"embedding_rate": 1.0}, VOCAB_SIZE),
    "16 streams": ({"batch_size": 16}, VOCAB_SIZE),
    "64 streams": ({"batch_size": 64}, VOCAB_SIZE),
    "bptt 70, never another length": ({}, VOCAB_SIZE),
    "AR 2, TAR 1": ({"alpha": 2.0, "beta": 1.0}, VOCAB_SIZE),
    "dropouts times 0.3": ({"dropout_multiplier": 0.3}, VOCAB_SIZE),
    "weight decay 0.3": ({"weight_decay": 0.3}, VOCAB_SIZE),
    "embeddings scaled by 4, not 16": ({"embedding_scale": 4.0}, VOCAB_SIZE),
    "constant rate": (CONSTANT, VOCAB_SIZE),
    "rate rises for 30 %": ({"warmup": 0.3, "cooldown": 0.7}, VOCAB_SIZE),
    "averaged weights (EMA 0.99)": ({}, VOCAB_SIZE, EMA),
    "constant rate, averaged weights (EMA 0.99)": (CONSTANT, VOCAB_SIZE, EMA),
    "constant rate, last quarter averaged (ASGD)": (CONSTANT, VOCAB_SIZE, ASGD),
    "6,000 pieces": ({}, 6_000),
    "24,000 pieces": ({}, 24_000),
}


def main():
    """Train every variant and print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a text to train on")
    parser.add_argument("held_out", type=Path, help="a text to measure on")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--embedding-dim", type=int, default=256)
    parser.add_argument("--hidden-dim", type=int, default=640)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, help="some of the variants")
    options = parser.parse_args()
    documents = read_held_out(options.held_out)
    print(f"{torch.get_num_threads()} threads, {options.tokens:,} tokens\n", "| | nats per word | tokens/s |", sep="\n")
    print("|---|---|---|", flush=True)
    for name in options.only or VARIANTS:
        fixed_bptt = FIXED_BPTT if name == "bptt 70, never another length" else nullcontext()
        with fixed_bptt, redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
            model = trained(options, Path(folder), *VARIANTS[name])
        nats, speed = evaluate(model, documents)["nats_per_word"], model.card["tokens_seen"] / model.card["seconds"]
        print(f"| {name} | {nats:.3f} | {speed:,.0f} |", flush=True)


def trained(options, folder, changes, vocab_size, *callbacks):
    """The language model of a variant."""
    documents = first_words(read_documents([options.text]), options.tokens)  # a word is a token or more
    tokenizer, documents = train_tokenizer(documents, vocab_size=vocab_size, max_words=options.tokens)
    encode_corpus(documents, tokenizer, folder)
    sizes = {"embedding_dim": options.embedding_dim, "hidden_dim": options.hidden_dim}
    settings = replace(PretrainingSettings(tokens=options.tokens, seed=options.seed, **sizes), **changes)
    checkpoint = CheckpointSettings(folder / "run.checkpoint", math.inf, 1e9)
    return pretrain(folder, settings, checkpoint, callbacks=callbacks)


if __name__ == "__main__":
    main()
