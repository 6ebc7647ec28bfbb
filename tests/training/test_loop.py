import numpy as np
import pytest
import torch

from skulmfit.nn.dropout import Dropouts
from skulmfit.nn.encoder import Architecture, Encoder
from skulmfit.nn.networks import LanguageModelNetwork
from skulmfit.nn.runtime import Runtime
from skulmfit.text.token_corpus import TokenCorpus
from skulmfit.training import loop
from skulmfit.training.callback import Callback
from skulmfit.training.checkpoint import Checkpoint
from skulmfit.training.early_stopping import EarlyStopping
from skulmfit.training.history import History
from skulmfit.training.language_model_task import LanguageModelTask
from skulmfit.training.layer_groups import language_model_groups
from skulmfit.training.loop import OptimizerSettings, train
from skulmfit.training.stages import Stage


class Killed(Exception):
    pass


class Killing(Callback):
    """Dies after an update."""

    def __init__(self, at):
        self.at = at

    def on_update(self, run):
        if run.update == self.at:
            raise Killed


def run(checkpoint=None, kill_at=None, epochs=3, validation_loss=None, patience=None, rates=None, more=()):
    """Train a tiny language model; die after `kill_at` updates."""
    corpus = TokenCorpus.from_documents([np.random.default_rng(i).integers(0, 20, 40) for i in range(20)])
    runtime, rng = Runtime(torch.device("cpu"), torch.float32), np.random.default_rng(0)
    history = History()
    with runtime.seeded(0):
        model = LanguageModelNetwork(Encoder(Architecture(20, 6, 8, 2), Dropouts(0.1, 0.1, 0.1, 0.1, 0.2)))
        task = LanguageModelTask(model, corpus, runtime, rng, batch_size=4, bptt=20, alpha=2.0, beta=1.0)
        if validation_loss:
            task.validate = lambda: {"validation_loss": validation_loss()}
        groups = language_model_groups(model)
        stage = Stage("test", rates or dict.fromkeys(groups, 0.01), epochs)
        callbacks = [
            EarlyStopping(patience or epochs),
            history,
            *more,
            Killing(kill_at),
            *([checkpoint] if checkpoint else []),
        ]
        train(
            model, groups, [(stage, task)], settings=OptimizerSettings(clip=1.0), runtime=runtime, rng=rng,
            callbacks=callbacks,
        )  # fmt: skip
    return model, history.rows


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("kill_at", [1, 7, 11, 12, 13, 15, 24])
def test_a_killed_training_continues_to_the_same_bits(tmp_path, monkeypatch, kill_at):
    monkeypatch.setattr(loop, "_UPDATES_BETWEEN_PAUSES", 1)
    uninterrupted, history = run()
    checkpoint = Checkpoint(tmp_path / "c", interval_seconds=0)
    with pytest.raises(Killed):
        run(checkpoint, kill_at)
    resumed, resumed_history = run(checkpoint)
    for name, value in weights(uninterrupted).items():
        assert torch.equal(weights(resumed)[name], value), name
    assert [row["loss"] for row in resumed_history] == [row["loss"] for row in history]


def test_a_checkpoint_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "c")
    checkpoint.save({"n": 1})
    monkeypatch.setattr(torch, "save", lambda state, file: file.write(b"half"))
    monkeypatch.setattr("os.replace", lambda *args: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        checkpoint.save({"n": 2})
    assert checkpoint.load() == {"n": 1}


def test_a_finished_training_is_over_at_once_where_its_end_was_saved(tmp_path):
    trained, history = run(Checkpoint(tmp_path / "c", saves_end=True))
    again, history_again = run(Checkpoint(tmp_path / "c", saves_end=True), kill_at=1)
    for name, value in weights(trained).items():
        assert torch.equal(weights(again)[name], value), name
    assert history_again == history


def test_frozen_layers_do_not_change():
    before = weights(run(epochs=1, rates={"embedding": 1e-12})[0])
    after = weights(run(epochs=1, rates={"embedding": 0.01})[0])
    changed = {name for name in before if not torch.allclose(before[name], after[name], atol=1e-6)}
    assert changed == {"encoder.embedding", "decoder_bias"}


def test_the_weights_of_the_best_epoch_are_restored():
    losses = iter([3.0, 1.0, 2.0])
    best = weights(run(validation_loss=lambda: next(losses))[0])
    stopped_there = iter([3.0, 1.0])

    def stop_after_two():
        try:
            return next(stopped_there)
        except StopIteration:
            raise KeyboardInterrupt from None

    with pytest.warns(UserWarning, match="interrupted"):
        two_epochs = weights(run(validation_loss=stop_after_two)[0])
    for name, value in best.items():
        assert torch.equal(value, two_epochs[name])


def test_patience_ends_a_stage():
    losses = iter([1.0, 2.0, 2.0, 2.0, 2.0])
    _, history = run(epochs=5, validation_loss=lambda: next(losses), patience=2)
    assert [row["validation_loss"] for row in history] == [1.0, 2.0, 2.0]


def test_a_loss_that_is_not_finite_is_an_error():
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        run(rates=dict.fromkeys(["lstm0", "lstm1", "embedding"], 1e30))


class Ruining(Callback):
    """Does what a last update of too high a rate would do: no loss after it is read."""

    def __init__(self, value):
        self.value = value

    def on_epoch_end(self, run):
        with torch.no_grad():
            run.network.encoder.embedding.fill_(self.value)
        return True


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e30])
def test_a_last_update_that_ruins_the_network_is_an_error(value):
    with pytest.raises(
        FloatingPointError, match="The last update has left weights beyond 1e9 or NaN; lower the learning rate"
    ):
        run(epochs=1, more=[Ruining(value)])


@pytest.fixture(scope="module")
def checkpoint_file(tmp_path_factory):
    checkpoint = Checkpoint(tmp_path_factory.mktemp("whole") / "c", saves_end=True)
    run(checkpoint)
    return checkpoint.path.read_bytes()


@pytest.mark.parametrize("share", np.linspace(0.02, 0.98, 40))
def test_a_flipped_bit_in_a_checkpoint_is_never_other_weights(checkpoint_file, tmp_path, share):
    data = bytearray(checkpoint_file)
    data[int(share * len(data))] ^= 1 << int(share * 1000) % 8
    whole, flipped = tmp_path / "whole", tmp_path / "flipped"
    whole.write_bytes(checkpoint_file)
    flipped.write_bytes(data)
    try:
        state = Checkpoint(flipped).load()
    except ValueError as error:
        assert "or is damaged" in str(error) and "Remove it to start anew" in str(error)
        return
    for name, value in Checkpoint(whole).load()["model"].items():  # a bit that nobody reads
        assert torch.equal(state["model"][name], value)
