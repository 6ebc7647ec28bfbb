"""What each choice in pretraining gives at an equal token budget: nats per word of a held-out text.

    python -m skulmfit.pretraining encode en_0.txt.bz2 --folder encoded
    python docs/benchmarks/pretraining.py encoded en_valid.txt --tokens 1_000_000

Every row changes one thing of the default settings of `python -m skulmfit.pretraining train`.
"""

import argparse
import sys
import tempfile
import time
from contextlib import nullcontext, redirect_stdout
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from skulmfit.pretraining import training
from skulmfit.pretraining.evaluation import evaluate, read_held_out
from skulmfit.text import batches
from skulmfit.training.loop import train

NOTHING = nullcontext()
FIXED_BPTT = patch.multiple(batches, _BPTT_DEVIATION=0, _HALF_BPTT_PROBABILITY=0)


def averaged(model, *args, monitor, **options):
    """`train`, and then the exponential moving average of the weights."""
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    on_step = monitor.on_step

    def average_too(*step):
        average.update_parameters(model)
        on_step(*step)

    monitor.on_step = average_too
    finished = train(model, *args, monitor=monitor, **options)
    model.load_state_dict(average.module.state_dict())
    return finished


VARIANTS = {
    "defaults": ({}, NOTHING),
    "rate times 2": ({"learning_rate": 1e-2}, NOTHING),
    "rate halved": ({"learning_rate": 2.5e-3}, NOTHING),
    "embeddings at 0.3 of the rate": ({"embedding_rate": 0.3}, NOTHING),
    "8 streams": ({"batch_size": 8}, NOTHING),
    "32 streams": ({"batch_size": 32}, NOTHING),
    "64 streams": ({"batch_size": 64}, NOTHING),
    "bptt 35": ({"bptt": 35}, NOTHING),
    "bptt 70, never another length": ({}, FIXED_BPTT),
    "AR 2, TAR 1": ({"alpha": 2.0, "beta": 1.0}, NOTHING),
    "dropouts times 0.3": ({"dropout_multiplier": 0.3}, NOTHING),
    "no weight decay": ({"weight_decay": 0.0}, NOTHING),
    "averaged weights (EMA 0.99)": ({}, patch.object(training, "train", averaged)),
}


def main():
    """Train every variant and print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="an encoded corpus")
    parser.add_argument("held_out", type=Path, help="a text to measure on")
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, help="some of the variants")
    options = parser.parse_args()
    documents = read_held_out(options.held_out)
    print(f"{torch.get_num_threads()} threads, {options.tokens:,} tokens\n", "| | nats per word | tokens/s |", sep="\n")
    print("|---|---|---|", flush=True)
    for name in options.only or VARIANTS:
        changes, context = VARIANTS[name]
        with context, redirect_stdout(sys.stderr):
            data, seconds = trained(options, changes)
        nats = evaluate(data, documents)["nats_per_word"]
        print(f"| {name} | {nats:.3f} | {data.card['tokens_seen'] / seconds:,.0f} |", flush=True)


def trained(options, changes):
    """The language model of a variant, and the seconds it took."""
    settings = replace(training.PretrainingSettings(tokens=options.tokens), **changes)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = training.CheckpointSettings(Path(folder) / "run.checkpoint", interval_seconds=1e9)
        started = time.perf_counter()
        return training.pretrain(options.folder, settings, checkpoint), time.perf_counter() - started


if __name__ == "__main__":
    main()
