"""skulmfit beside fastai and a sentence encoder: steps, predictions from strings and a whole job, on the same CPU.

    pip install skulmfit[peers]
    python benchmarks/peers_speed.py --repetitions 5 --results peers.jsonl
    python benchmarks/peers_speed.py --busy 1 --repetitions 5 --results peers.jsonl
    python benchmarks/peers_speed.py --table --results peers.jsonl

Networks of the shipped model's size, 3 layers of 256/640, on both sides. `language_model_step` and `classifier_step`
are updates on random ids, 64 x 70 of 12,000 pieces and 64 documents of 100, in tokens a second; `predict` is
documents of MR a second, from strings; `whole_job` is the seconds of 2,000 texts of MR, a language model of two
epochs, a classifier of five (fastai's recipe on both sides), and 5,000 texts predicted. `skulmfit` computes in
float32, `skulmfit_bfloat16` trains as it comes, with bfloat16 where the processor has it, and predicts with
`precision="bfloat16"`; `former` is another checkout of skulmfit, given by --former FOLDER.

Each measurement is a process of its own; those of different peers take turns. --busy N keeps N other processes busy.
--fastai-python and --minilm-python name the interpreters of the peers, if they have environments of their own.
Reads MR from the folder in SKULMFIT_DATA (default ../shared/data).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

V, E, H, LAYERS = 12_000, 256, 640, 3
WARM_UP, STEPS = 3, 6
FASTAI_MOMENTUM = (0.8, 0.7, 0.8)


# --- what is measured -------------------------------------------------------------------------------------------------


def random_documents(n, length):
    """Random ids."""
    rng = np.random.default_rng(0)
    return [rng.integers(3, V, length) for _ in range(n)]


def mr(part):
    """Texts and labels of MR."""
    import pandas as pd

    folder = Path(os.environ.get("SKULMFIT_DATA", "../shared/data")) / "sets" / "mr"
    frame = pd.read_csv(next(folder.glob(f"{part}.csv.*")), keep_default_na=False)
    label = next(name for name in frame.columns if name != "text")
    return frame["text"].tolist(), frame[label].tolist()


class StepTimes(list):
    """Moments of updates, as a callback of skulmfit or called by one of fastai."""

    def tokens_per_second(self, n_tokens):
        """Median over the steps after the warm-up."""
        return n_tokens / statistics.median(np.diff(self)[WARM_UP:])


def skulmfit_step(task_of, network, groups, n_tokens):
    """Tokens per second of the updates of a task."""
    from skulmfit.training.callback import Callback
    from skulmfit.training.loop import OptimizerSettings, train
    from skulmfit.training.stages import Stage

    times = StepTimes()

    class Watch(Callback):
        def on_update(self, run):
            times.append(time.perf_counter())

    task = task_of()
    stage = Stage("speed", dict.fromkeys(groups, 1e-4), epochs=1)
    train(
        network, groups, [(stage, task)], settings=OptimizerSettings(clip=1.0), runtime=task.runtime,
        rng=np.random.default_rng(0), callbacks=[Watch()],
    )  # fmt: skip
    return times.tokens_per_second(n_tokens)


def skulmfit_language_model_step():
    """An update of skulmfit's language model."""
    from skulmfit.nn.dropout import LM_DROPOUTS
    from skulmfit.nn.encoder import Architecture, Encoder
    from skulmfit.nn.networks import LanguageModelNetwork
    from skulmfit.nn.runtime import Runtime
    from skulmfit.text.token_corpus import TokenCorpus
    from skulmfit.training.language_model_task import LanguageModelTask
    from skulmfit.training.layer_groups import language_model_groups

    network = LanguageModelNetwork(Encoder(Architecture(V, E, H, LAYERS), LM_DROPOUTS * 0.5))
    corpus = TokenCorpus.from_documents(random_documents(64, 70 * (WARM_UP + STEPS + 3)))

    def task():
        return LanguageModelTask(
            network, corpus, Runtime.resolve("cpu"), np.random.default_rng(0), batch_size=64, bptt=70, alpha=2.0,
            beta=1.0,
        )  # fmt: skip

    return skulmfit_step(task, network, language_model_groups(network), 64 * 70)


def skulmfit_classifier_step():
    """An update of skulmfit's classifier."""
    from skulmfit.nn.dropout import PAPER_DROPOUTS
    from skulmfit.nn.encoder import Architecture, Encoder
    from skulmfit.nn.heads import PoolingHead
    from skulmfit.nn.networks import DocumentNetwork
    from skulmfit.nn.runtime import Runtime
    from skulmfit.nn.target_losses import weighted_cross_entropy
    from skulmfit.text.token_corpus import TokenCorpus
    from skulmfit.training.layer_groups import document_network_groups
    from skulmfit.training.supervised_task import Examples, SupervisedTask

    network = DocumentNetwork(Encoder(Architecture(V, E, H, LAYERS), PAPER_DROPOUTS * 0.5), PoolingHead(3 * E, 2))
    corpus = TokenCorpus.from_documents(random_documents(64 * (WARM_UP + STEPS + 1), 100))
    examples = Examples(corpus, np.arange(len(corpus)) % 2, np.ones(len(corpus)))

    def task():
        runtime = Runtime.resolve("cpu")
        return SupervisedTask(network, examples, runtime, loss=weighted_cross_entropy, batch_size=64)

    return skulmfit_step(task, network, document_network_groups(network), 64 * 100)


def skulmfit_model(epochs, **options):
    """Language model and classifier by fastai's recipe."""
    from skulmfit import LMFineTuner, ULMFiTClassifier

    lm = LMFineTuner(recipe="fastai", epochs=epochs)
    return ULMFiTClassifier(lm, recipe="fastai", epochs=2 if epochs else 1, random_state=0, **options)


def skulmfit_predict(**options):
    """Documents a second of `predict`."""
    texts, labels = mr("train")
    model = skulmfit_model(0, **options).fit(texts[:64], labels[:64])
    model.predict(texts[:64])
    started = time.perf_counter()
    model.predict(texts[-1000:])
    return 1000 / (time.perf_counter() - started)


def skulmfit_whole_job(**options):
    """Seconds from strings to predictions."""
    texts, labels = mr("train")
    started = time.perf_counter()
    skulmfit_model(1, **options).fit(texts[:2000], labels[:2000]).predict(texts[2000:7000])
    return time.perf_counter() - started


def skulmfit_texts():
    """Tokens a text, and pieces in the vocabulary."""
    from skulmfit.models.registry import load_pretrained

    tokenizer = load_pretrained("en", "forward").tokenizer
    return {
        "tokens a text": float(tokenizer.encode(mr("train")[0][:2000]).lengths.mean()),
        "vocabulary": len(tokenizer),
    }


def fastai_config(kind):
    """fastai's own configuration at these sizes."""
    from fastai.text.all import awd_lstm_clas_config, awd_lstm_lm_config

    config = dict(awd_lstm_lm_config if kind == "lm" else awd_lstm_clas_config)
    return config | {"emb_sz": E, "n_hid": H, "n_layers": LAYERS}


def fastai_step(learner, n_tokens):
    """Tokens per second of the updates of a learner."""
    from fastai.text.all import Callback

    times = StepTimes()

    class Watch(Callback):
        def after_batch(self):
            if self.training:
                times.append(time.perf_counter())

    with learner.no_bar(), learner.no_logging():
        learner.fit(1, 1e-4, cbs=[Watch()])
    return times.tokens_per_second(n_tokens)


def fastai_language_model_step():
    """An update of fastai's language model."""
    from fastai.text.all import (
        AWD_LSTM,
        CrossEntropyLossFlat,
        DataLoaders,
        GradientClip,
        Learner,
        LMDataLoader,
        get_language_model,
        rnn_cbs,
        tensor,
    )  # fmt: skip

    documents = [tensor(ids) for ids in random_documents(64, 70 * (WARM_UP + STEPS + 3))]
    loader = LMDataLoader(documents, bs=64, seq_len=70)
    model = get_language_model(AWD_LSTM, V, config=fastai_config("lm"), drop_mult=0.5)
    learner = Learner(
        DataLoaders(loader, LMDataLoader(documents[:64], bs=64, seq_len=70)), model, loss_func=CrossEntropyLossFlat(),
        cbs=[*rnn_cbs(alpha=2.0, beta=1.0), GradientClip(1.0)],
    )  # fmt: skip
    return fastai_step(learner, 64 * 70)


def fastai_classifier_step():
    """An update of fastai's classifier."""
    from fastai.text.all import (
        AWD_LSTM,
        CrossEntropyLossFlat,
        DataLoader,
        DataLoaders,
        Learner,
        TensorText,
        get_text_classifier,
        rnn_cbs,
        tensor,
    )  # fmt: skip

    documents = random_documents(64 * (WARM_UP + STEPS + 1), 100)
    items = [(TensorText(tensor(ids)), tensor(row % 2)) for row, ids in enumerate(documents)]
    model = get_text_classifier(AWD_LSTM, V, 2, config=fastai_config("classifier"), drop_mult=0.5)
    loaders = DataLoaders(DataLoader(items, bs=64), DataLoader(items[:64], bs=64))
    learner = Learner(loaders, model, loss_func=CrossEntropyLossFlat(), cbs=rnn_cbs())
    return fastai_step(learner, 64 * 100)


def fastai_frames():
    """MR's texts to learn from, and those to predict."""
    import pandas as pd

    texts, labels = mr("train")
    return pd.DataFrame({"text": texts[:2000], "label": labels[:2000]}), texts[2000:7000]


def fastai_learner(frame, kind, **options):
    """A learner of fastai's high-level interface, without pretrained weights."""
    from fastai.text.all import AWD_LSTM, TextDataLoaders, language_model_learner, text_classifier_learner

    loaders = TextDataLoaders.from_df(
        frame, text_col="text", label_col=None if kind == "lm" else "label", is_lm=kind == "lm", valid_pct=0.05, seed=0,
        **({"bs": 64, "seq_len": 70} | options),
    )  # fmt: skip
    make = language_model_learner if kind == "lm" else text_classifier_learner
    return make(loaders, AWD_LSTM, config=fastai_config(kind), pretrained=False, drop_mult=0.5)


def fastai_trained(frame, epochs, batch_size=64):
    """fastai's tutorial: the language model, gradual unfreezing."""
    lm = fastai_learner(frame, "lm", bs=batch_size)
    with lm.no_bar(), lm.no_logging():
        for _ in range(epochs):
            lm.fit_one_cycle(1, 1e-2, moms=FASTAI_MOMENTUM)
        lm.save_encoder("encoder")
        learner = fastai_learner(frame, "classifier", text_vocab=lm.dls.vocab, bs=batch_size).load_encoder("encoder")
    with learner.no_bar(), learner.no_logging():
        for frozen_to, rate in [(-1, 2e-2), (-2, 1e-2), (-3, 5e-3)][: 3 if epochs else 1]:
            learner.freeze_to(frozen_to)
            learner.fit_one_cycle(1, slice(rate / 2.6**4, rate), moms=FASTAI_MOMENTUM)
        if epochs:
            learner.unfreeze()
            learner.fit_one_cycle(2, slice(1e-3 / 2.6**4, 1e-3), moms=FASTAI_MOMENTUM)
    return learner


def fastai_predicted(learner, texts):
    """Classes of texts."""
    with learner.no_bar(), learner.no_logging():
        return learner.get_preds(dl=learner.dls.test_dl(texts), reorder=True)


def fastai_predict():
    """Documents a second of predictions."""
    frame, texts = fastai_frames()
    learner = fastai_trained(frame[:200], 0)
    fastai_predicted(learner, texts[:64])
    started = time.perf_counter()
    fastai_predicted(learner, texts[:1000])
    return 1000 / (time.perf_counter() - started)


def fastai_whole_job():
    """Seconds from strings to predictions."""
    frame, texts = fastai_frames()
    started = time.perf_counter()
    fastai_predicted(fastai_trained(frame, 2), texts)
    return time.perf_counter() - started


def fastai_texts():
    """Tokens a text, and words in the vocabulary."""
    loaders = fastai_learner(fastai_frames()[0], "lm").dls
    lengths = [len(text[0]) for text in loaders.train_ds]
    return {"tokens a text": float(np.mean(lengths)), "vocabulary": len(loaders.vocab)}


def minilm_predict():
    """Documents a second of MiniLM and a logistic regression."""
    from accuracy import SentenceTransformerVectors
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = mr("train")
    model = make_pipeline(SentenceTransformerVectors(), LogisticRegression(C=10, max_iter=1000)).fit(
        texts[:64], labels[:64]
    )
    started = time.perf_counter()
    model.predict(texts[-1000:])
    return 1000 / (time.perf_counter() - started)


# --- who takes turns --------------------------------------------------------------------------------------------------

PARTS = ("language_model_step", "classifier_step", "predict", "whole_job")
PEERS = {
    "skulmfit": PARTS,
    "skulmfit_bfloat16": PARTS,
    "former": ("language_model_step", "classifier_step", "predict", "whole_job"),
    "fastai": PARTS,
    "minilm": ("predict",),
}


def measure(peer, part):
    """The figure of one part, in this process."""
    prefix = "skulmfit" if peer in ("skulmfit_bfloat16", "former") else peer
    if peer in ("skulmfit", "former"):
        from skulmfit.nn import runtime

        runtime._has_fast_bfloat16 = lambda device: False
    options = {"precision": "bfloat16"} if peer == "skulmfit_bfloat16" and part in ("predict", "whole_job") else {}
    return globals()[f"{prefix}_{part}"](**options)


def figure(peer, part, options):
    """The same in a process of its own; None if that fails."""
    python = {"fastai": options.fastai_python, "minilm": options.minilm_python}.get(peer, sys.executable)
    package = options.former if peer == "former" else Path(__file__).parents[1]
    paths = [str(package), str(Path(__file__).parent)]
    run = subprocess.run(
        [python, __file__, "--one", peer, part],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if run.returncode:
        print(f"{peer} {part}: {run.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(run.stdout.splitlines()[-1])


def table(path):
    """Medians and quartiles of every part, and how much faster the first peer is than each."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    print("| busy | part | peer | median | from - to | skulmfit is faster by | from - to |")
    print("|---|---|---|---|---|---|---|")
    for busy in sorted({row["busy"] for row in rows}):
        for part in PARTS:
            figures = {}
            for row in rows:
                if row["busy"] == busy and row["part"] == part:
                    figures.setdefault(row["peer"], {})[row["repetition"]] = row["figure"]
            for peer, own in figures.items():
                ratios = [
                    _faster(part, figures["skulmfit"][n], own[n]) for n in own if n in figures.get("skulmfit", {})
                ]
                cells = [busy, part, peer, *_spread(list(own.values()), 0), *_spread(ratios, 2)]
                print("| " + " | ".join(map(str, cells)) + " |")


def _faster(part, one, other):
    return other / one if part == "whole_job" else one / other


def _spread(values, digits):
    if not values:
        return "", ""
    return f"{statistics.median(values):.{digits}f}", f"{min(values):.{digits}f} - {max(values):.{digits}f}"


def main():
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, metavar=("PEER", "PART"), help="measure this in this process")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=["skulmfit", "fastai"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute all the time")
    parser.add_argument("--already-busy", action="store_true", help="the busy processes run already: start none")
    parser.add_argument("--fastai-python", default=sys.executable)
    parser.add_argument("--minilm-python", default=sys.executable)
    parser.add_argument("--former", type=Path, help="another checkout of skulmfit")
    parser.add_argument(
        "--results", type=Path, default=Path("peers.jsonl"), help="JSON lines, to which lines are added"
    )
    parser.add_argument("--table", action="store_true", help="print what RESULTS holds")
    parser.add_argument("--texts", action="store_true", help="print tokens a text and vocabulary of each")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
    elif options.texts:
        for peer in ("skulmfit", "fastai"):
            print(peer, figure(peer, "texts", options))
    elif options.table:
        table(options.results)
    else:
        started = 0 if options.already_busy else options.busy
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(started)]
        try:
            _take_turns(options)
        finally:
            for process in busy:
                process.kill()


def _take_turns(options):
    with open(options.results, "a") as file:
        for repetition in range(options.repetitions):
            for part in options.parts:
                for peer in options.peers:
                    found = figure(peer, part, options) if part in PEERS[peer] else None
                    if found is not None:
                        row = {"busy": options.busy, "part": part, "peer": peer, "repetition": repetition}
                        row |= {"figure": found, "load": os.getloadavg()[0]}
                        print(json.dumps(row), file=file, flush=True)


if __name__ == "__main__":
    main()
