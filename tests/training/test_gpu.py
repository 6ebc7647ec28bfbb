"""What only a GPU shows."""

import numpy as np
import pytest
import torch
from helpers import LABELS, TEXTS, TINY

from skulmfit import LMFineTuner, ULMFiTClassifier
from skulmfit.nn.dropout import LM_DROPOUTS
from skulmfit.nn.runtime import Runtime
from skulmfit.pretraining.run_checkpoint import CheckpointSettings
from skulmfit.pretraining.teaching.run import teach
from skulmfit.pretraining.teaching.settings import TeachingSettings
from skulmfit.pretraining.teaching.teaching_task import TeachingTask
from skulmfit.training.language_model_task import LanguageModelTask

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here"),
    pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype"),
]


@pytest.mark.parametrize("architecture", ["lstm", "qrnn"])
def test_a_gpu_gives_the_features_of_the_cpu(architecture):
    lm = LMFineTuner(**TINY, architecture=architecture, epochs=1, device="cpu", random_state=0).fit(TEXTS)
    on_cpu = lm.transform(TEXTS)
    np.testing.assert_allclose(lm.set_params(device="cuda").transform(TEXTS), on_cpu, atol=1e-3)


@pytest.mark.parametrize("architecture", ["lstm", "qrnn"])
def test_a_classifier_learns_on_a_gpu_and_predicts_without_it(architecture):
    lm = LMFineTuner(**TINY, architecture=architecture, epochs=2, device="cuda")
    options = {"epochs": 20, "dropout_multiplier": 0.0, "learning_rate": 0.02, "device": "cuda", "random_state": 0}
    classifier = ULMFiTClassifier(lm, **options).fit(TEXTS, LABELS)
    on_gpu = classifier.predict_proba(TEXTS)
    assert classifier.score(TEXTS, LABELS) == 1
    np.testing.assert_allclose(classifier.set_params(device="cpu").predict_proba(TEXTS), on_gpu, atol=1e-3)


def test_updates_of_a_language_model_do_not_wait_for_the_gpu(tiny_lm):
    runtime, rng = Runtime.resolve("cuda"), np.random.default_rng(0)
    network = tiny_lm.language_model().build(LM_DROPOUTS).to(runtime.device).train()
    corpus = tiny_lm.language_model().tokenizer.encode(TEXTS)
    task = LanguageModelTask(network, corpus, runtime, rng, batch_size=4, bptt=10, alpha=2.0, beta=1.0)
    optimizer = torch.optim.AdamW(network.parameters())
    batches = list(task.batches(rng))
    for index, batch in enumerate(batches[:4]):
        torch.cuda.set_sync_debug_mode("default" if index == 0 else "error")  # the first one sets libraries up
        try:
            with runtime.autocast():
                task.loss(batch).objective.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_updates_of_a_teaching_do_not_wait_for_the_gpu(tmp_path, monkeypatch):
    tokenizer, rng = LMFineTuner(**TINY, epochs=1).fit(TEXTS).language_model().tokenizer, np.random.default_rng(0)
    corpus = tokenizer.encode([f"{one} {other}" for one in TEXTS[:6] for other in TEXTS[:6]])
    np.save(tmp_path / "ids.npy", corpus.ids)
    np.save(tmp_path / "offsets.npy", corpus.offsets)
    (tmp_path / "tokenizer.model").write_bytes(tokenizer.model)
    (tmp_path / "vectors").mkdir()
    np.save(tmp_path / "vectors" / "0.npy", rng.normal(size=(len(corpus), 5)))
    batches, modes = TeachingTask.batches, []

    def careful_batches(task, rng):
        for batch in batches(task, rng):
            modes.append("error" if batch.update else "default")  # the first one sets libraries up
            torch.cuda.set_sync_debug_mode(modes[-1])
            try:
                yield batch
            finally:
                torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(TeachingTask, "batches", careful_batches)
    settings = TeachingSettings(embedding_dim=8, hidden_dim=8, updates=12, device="cuda", segment_pieces=200, streams=4)
    data = teach(tmp_path, settings, CheckpointSettings(tmp_path / "lm.checkpoint"), texts=tmp_path)
    assert modes.count("error") == 11
    assert data.sentence_map.weight.shape == (5, 24)
