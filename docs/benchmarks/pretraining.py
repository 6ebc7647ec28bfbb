"""What each choice in pretraining gives at an equal token budget: nats per word of a held-out text.

    python docs/benchmarks/pretraining.py en_0.txt.bz2 en_valid.txt --embedding-dim 128 --hidden-dim 256

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

from skulmfit.pretraining import training
from skulmfit.pretraining.corpus import read_documents
from skulmfit.pretraining.encoding import encode_corpus, first_words, train_tokenizer
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.text import streams
from skulmfit.training.callback import Callback
from skulmfit.training.loop import train

NOTHING = nullcontext()
FIXED_BPTT = patch.multiple(streams, _BPTT_DEVIATION=0, _HALF_BPTT_PROBABILITY=0)
VOCAB_SIZE = 12_000


class Averaging(Callback):
    """Averages the weights from a share of the updates on, and ends with the average."""

    def __init__(self, network, multi_avg_fn, since):
        self.average, self.since = AveragedModel(network, multi_avg_fn=multi_avg_fn), since

    def on_update(self, run):
        if run.update >= self.since * run.n_updates:
            self.average.update_parameters(run.network)

    def on_train_end(self, run):
        run.network.load_state_dict(self.average.module.state_dict())


def averaging(multi_avg_fn, since=0.0):
    """Patch of `train` that ends with an average of the weights, taken from a share of the updates on."""

    def averaged(network, *args, callbacks, **options):
        return train(network, *args, callbacks=[*callbacks, Averaging(network, multi_avg_fn, since)], **options)

    return patch.object(training, "train", averaged)


CONSTANT = {"warmup": 0.0, "cooldown": 0.0}
EMA = averaging(get_ema_multi_avg_fn(0.99))
ASGD = averaging(get_swa_multi_avg_fn(), since=0.75)  # Merity et al. 2018, section 3, with a fixed trigger
VARIANTS = {  # changes to the settings, vocabulary, patch
    "defaults": ({}, VOCAB_SIZE, NOTHING),
    "rate doubled": ({"learning_rate": 6e-3}, VOCAB_SIZE, NOTHING),
    "rate halved": ({"learning_rate": 1.5e-3}, VOCAB_SIZE, NOTHING),
    "embeddings as fast as the layers": ({"embedding_rate": 1.0}, VOCAB_SIZE, NOTHING),
    "16 streams": ({"batch_size": 16}, VOCAB_SIZE, NOTHING),
    "64 streams": ({"batch_size": 64}, VOCAB_SIZE, NOTHING),
    "bptt 70, never another length": ({}, VOCAB_SIZE, FIXED_BPTT),
    "AR 2, TAR 1": ({"alpha": 2.0, "beta": 1.0}, VOCAB_SIZE, NOTHING),
    "dropouts times 0.3": ({"dropout_multiplier": 0.3}, VOCAB_SIZE, NOTHING),
    "weight decay 0.3": ({"weight_decay": 0.3}, VOCAB_SIZE, NOTHING),
    "embeddings scaled by 4, not 16": ({"embedding_scale": 4.0}, VOCAB_SIZE, NOTHING),
    "constant rate": (CONSTANT, VOCAB_SIZE, NOTHING),
    "rate rises for 30 %": ({"warmup": 0.3, "cooldown": 0.7}, VOCAB_SIZE, NOTHING),
    "averaged weights (EMA 0.99)": ({}, VOCAB_SIZE, EMA),
    "constant rate, averaged weights (EMA 0.99)": (CONSTANT, VOCAB_SIZE, EMA),
    "constant rate, last quarter averaged (ASGD)": (CONSTANT, VOCAB_SIZE, ASGD),
    "6,000 pieces": ({}, 6_000, NOTHING),
    "24,000 pieces": ({}, 24_000, NOTHING),
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
        changes, vocab_size, context = VARIANTS[name]
        with context, redirect_stdout(sys.stderr), tempfile.TemporaryDirectory() as folder:
            model = trained(options, changes, vocab_size, Path(folder))
        nats, speed = evaluate(model, documents)["nats_per_word"], model.card["tokens_seen"] / model.card["seconds"]
        print(f"| {name} | {nats:.3f} | {speed:,.0f} |", flush=True)


def trained(options, changes, vocab_size, folder):
    """The language model of a variant."""
    documents = first_words(read_documents([options.text]), options.tokens)  # a word is a token or more
    tokenizer, documents = train_tokenizer(documents, vocab_size=vocab_size, max_words=options.tokens)
    encode_corpus(documents, tokenizer, folder)
    sizes = {"embedding_dim": options.embedding_dim, "hidden_dim": options.hidden_dim}
    settings = replace(training.PretrainingSettings(tokens=options.tokens, seed=options.seed, **sizes), **changes)
    return training.pretrain(folder, settings, CheckpointSettings(folder / "run.checkpoint", math.inf, 1e9))


if __name__ == "__main__":
    main()
