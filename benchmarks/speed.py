"""Tokens per second of a language-model step, a classifier step and predict, beside the machine's floor.

    python benchmarks/speed.py
    python benchmarks/speed.py --device cuda --batch-size 256

The floor of a part is the time its matrix products would take at the speed of one large product of the same dtype and
threads, measured in the same run. Random token ids; networks of the size of the shipped model and of the paper's, and a
QRNN.
"""

import argparse
import statistics
import time
from functools import partial

import numpy as np
import torch

from skulmfit.inference.documents import document_outputs
from skulmfit.nn.dropout import LM_DROPOUTS, PAPER_DROPOUTS
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.heads import PoolingHead
from skulmfit.nn.networks import DocumentNetwork, LanguageModelNetwork
from skulmfit.nn.qrnn import forget_mult
from skulmfit.nn.runtime import Runtime
from skulmfit.nn.target_losses import weighted_cross_entropy
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training.history import History
from skulmfit.training.language_model_task import LanguageModelTask
from skulmfit.training.layer_groups import document_network_groups, language_model_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.stages import Stage
from skulmfit.training.supervised_task import Examples, SupervisedTask

NETWORKS = {
    "LSTM 256/640": Architecture(12_000, 256, 640),
    "LSTM 400/1152": Architecture(12_000, 400, 1152),
    "QRNN 256/1024, 4 layers": Architecture(12_000, 256, 1024, 4, kind="qrnn"),
}


def layer_flops(architecture):
    """Floating-point operations of the recurrent layers' products, per token, forward."""
    layers = Encoder(architecture).layers
    return sum(2 * param.numel() for layer in layers for param in layer.parameters() if param.ndim == 2)


def softmax_flops(architecture):
    """The same of the tied decoder."""
    return 2 * architecture.vocab_size * architecture.embedding_dim


def peak_flops(dtype, device):
    """Operations per second of one large matrix product."""
    n = 4096 if device.type == "cpu" else 8192
    a, b = torch.randn(n, 1024).to(device, dtype), torch.randn(1024, 2560).to(device, dtype)
    return 2 * n * 1024 * 2560 / statistics.median(timed(lambda: a @ b, device) for _ in range(9))


def timed(function, device):
    """Seconds a call takes."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    started = time.perf_counter()
    function()
    wait()
    return time.perf_counter() - started


def random_corpus(n_documents, length, architecture):
    """Documents of random ids."""
    rng = np.random.default_rng(0)
    return TokenCorpus.from_documents([rng.integers(3, architecture.vocab_size, length) for _ in range(n_documents)])


def training_seconds(network, groups, task):
    """Seconds of one epoch in which everything trains, the second one: the first warms up."""
    history, stage = History(), Stage("speed", dict.fromkeys(groups, 1e-4), epochs=2)
    train(
        network, groups, [(stage, task)], settings=OptimizerSettings(clip=1.0),
        runtime=task.runtime, rng=np.random.default_rng(0), callbacks=[history],
    )  # fmt: skip
    return history.rows[-1]["seconds"]


def language_model_step(architecture, runtime, batch_size):
    """Tokens per second and operations per token of an update with dropouts, AR and TAR."""
    model = LanguageModelNetwork(Encoder(architecture, LM_DROPOUTS * 0.5)).to(runtime.device)
    corpus = random_corpus(batch_size, 70 * 12, architecture)
    task = LanguageModelTask(
        model, corpus, runtime, np.random.default_rng(0), batch_size=batch_size, bptt=70, alpha=2.0, beta=1.0
    )
    seconds = training_seconds(model, language_model_groups(model), task)
    return corpus.ids.size / seconds, 3 * (layer_flops(architecture) + softmax_flops(architecture))


def classifier_step(architecture, runtime, batch_size):
    """The same of an update of all layers."""
    encoder = Encoder(architecture, PAPER_DROPOUTS * 0.2)
    model = DocumentNetwork(encoder, PoolingHead(3 * architecture.embedding_dim, 2)).to(runtime.device)
    corpus = random_corpus(batch_size * 6, 100, architecture)
    labels = np.random.default_rng(0).integers(0, 2, len(corpus))
    examples = Examples(corpus, labels, np.ones(len(corpus)))
    task = SupervisedTask(model, examples, runtime, loss=weighted_cross_entropy, batch_size=batch_size)
    seconds = training_seconds(model, document_network_groups(model), task)
    return corpus.ids.size / seconds, 3 * layer_flops(architecture)


def predict(architecture, runtime, batch_size):
    """The same of scoring documents with the classifier."""
    encoder = Encoder(architecture).to(runtime.device)
    head = PoolingHead(3 * architecture.embedding_dim, 2).to(runtime.device)
    corpus = random_corpus(batch_size * 10, 100, architecture)
    document_outputs(encoder, corpus, runtime)
    seconds = timed(lambda: document_outputs(encoder, corpus, runtime, head=head), runtime.device)
    return corpus.ids.size / seconds, layer_flops(architecture)


def recur(f, z, initial):
    """A QRNN's recurrence, forward and backward."""
    forget_mult(f, z, initial).sum().backward()


def scan_share(architecture, runtime, batch_size, tokens_per_second):
    """Share of a QRNN's language-model update that its recurrence takes, forward and backward."""
    seconds = 0.0
    for _, width in architecture.layer_sizes():
        f, z = (torch.rand(70, batch_size, width, device=runtime.device, requires_grad=True) for _ in range(2))
        recurrence = partial(recur, f, z, torch.zeros(batch_size, width, device=runtime.device))
        seconds += statistics.median(timed(recurrence, runtime.device) for _ in range(5))
    return seconds * tokens_per_second / (70 * batch_size)


def main():
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()
    runtime = Runtime.resolve(options.device)
    name = torch.cuda.get_device_name() if runtime.device.type == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"torch {torch.__version__}, {name}, batches of {options.batch_size}\n")
    print("| network | part | precision | tokens/s | of the floor |\n|---|---|---|---|---|")
    for network, architecture in NETWORKS.items():
        for part in (language_model_step, classifier_step, predict):
            speed, flops = part(architecture, runtime, options.batch_size)
            dtype = torch.float32 if part is predict else runtime.training_dtype
            share = speed * flops / peak_flops(dtype, runtime.device)
            precision = str(dtype).removeprefix("torch.")
            label = part.__name__.replace("_", " ")
            if part is language_model_step and architecture.kind == "qrnn":
                label += (
                    f", {100 * scan_share(architecture, runtime, options.batch_size, speed):.0f} % of it the recurrence"
                )
            print(f"| {network} | {label} | {precision} | {speed:,.0f} | {100 * share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
