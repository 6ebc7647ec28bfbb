"""Tokens per second of a language-model step, a classifier step and predict, beside the machine's floor.

    python docs/benchmarks/speed.py

The floor of a part is the time its matrix products would take at the speed of one large product of the same dtype and
threads, measured in the same run. Random token ids; the network of the shipped model. The median of several runs.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from skulmfit.classifier import CLASSIFIER_DROPOUTS
from skulmfit.finetuner import LM_DROPOUTS
from skulmfit.nn.awd_lstm import AWDLSTM, Architecture
from skulmfit.nn.heads import LanguageModel, PoolingHead, TextClassifier
from skulmfit.text.corpus import TokenCorpus
from skulmfit.training.classification import ClassificationTask, classifier_groups
from skulmfit.training.inference import document_outputs
from skulmfit.training.language_model import LanguageModelTask, language_model_groups
from skulmfit.training.loop import Monitor, OptimizerSettings, train
from skulmfit.training.runtime import Runtime
from skulmfit.training.stages import Stage

ARCHITECTURE = Architecture(vocab_size=12_000)


def lstm_flops():
    """Floating-point operations of the LSTM layers' products, per token, forward."""
    return sum(2 * 4 * out * (into + out) for into, out in ARCHITECTURE.layer_sizes())


def softmax_flops():
    """The same of the tied decoder."""
    return 2 * ARCHITECTURE.vocab_size * ARCHITECTURE.embedding_dim


def peak_flops(dtype):
    """Operations per second of one large matrix product."""
    a, b = torch.randn(4096, 1024).to(dtype), torch.randn(1024, 2560).to(dtype)
    return 2 * 4096 * 1024 * 2560 / statistics.median(timed(lambda: a @ b) for _ in range(9))


def timed(function):
    """Seconds a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def random_corpus(n_documents, length):
    """Documents of random ids."""
    rng = np.random.default_rng(0)
    return TokenCorpus.from_documents([rng.integers(3, ARCHITECTURE.vocab_size, length) for _ in range(n_documents)])


def training_seconds(model, groups, task):
    """Seconds of one epoch in which everything trains, the second one: the first warms up."""
    monitor = Monitor()
    stage = Stage("speed", dict.fromkeys(groups, 1e-4), epochs=2)
    train(
        model, groups, [(stage, task)], settings=OptimizerSettings(clip=1.0),
        runtime=task.runtime, rng=np.random.default_rng(0), monitor=monitor,
    )  # fmt: skip
    return monitor.history[-1]["seconds"]


def main():
    """Measure and print the table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    runtime, rng = Runtime.resolve("cpu"), np.random.default_rng(0)
    rows = []

    model = LanguageModel(AWDLSTM(ARCHITECTURE, LM_DROPOUTS * 0.5))
    corpus = random_corpus(64, 70 * 12)
    task = LanguageModelTask(model, corpus, runtime, rng, batch_size=64, bptt=70, alpha=2.0, beta=1.0)
    seconds = training_seconds(model, language_model_groups(model), task)
    rows.append(("LM step", runtime.training_dtype, corpus.ids.size / seconds, 3 * (lstm_flops() + softmax_flops())))

    encoder = AWDLSTM(ARCHITECTURE, CLASSIFIER_DROPOUTS * 0.2)
    classifier = TextClassifier(encoder, PoolingHead(3 * ARCHITECTURE.embedding_dim, 2))
    corpus = random_corpus(64 * 6, 100)
    task = ClassificationTask(
        classifier, corpus, rng.integers(0, 2, len(corpus)), np.ones(len(corpus)), runtime,
        batch_size=64, pad_id=1, label_smoothing=0.0,
    )  # fmt: skip
    seconds = training_seconds(classifier, classifier_groups(classifier), task)
    rows.append(("classifier step", runtime.training_dtype, corpus.ids.size / seconds, 3 * lstm_flops()))

    corpus = random_corpus(640, 100)
    document_outputs(encoder, corpus, runtime, pad_id=1)
    seconds = timed(lambda: document_outputs(encoder, corpus, runtime, pad_id=1, head=classifier.head))
    rows.append(("predict", torch.float32, corpus.ids.size / seconds, lstm_flops()))

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'part':16} {'dtype':10} {'tokens/s':>10} {'of the floor':>14}")
    for name, dtype, speed, flops in rows:
        share = speed * flops / peak_flops(dtype)
        print(f"{name:16} {str(dtype).removeprefix('torch.'):10} {speed:10,.0f} {100 * share:12.0f} %")


if __name__ == "__main__":
    main()
