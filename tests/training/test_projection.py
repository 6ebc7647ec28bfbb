"""How long a fit takes, told from a clock that the tests set."""

import io
import sys
import warnings

import pytest
import torch
from helpers import LABELS, TEXTS, small_classifier, small_lm

from skulmfit import CLASSIFIER_RECIPES
from skulmfit.training import progress_bar
from skulmfit.training.callback import TrainingRun
from skulmfit.training.projection import FitClock, Projection, passes_of_head, relative_cost
from skulmfit.training.stages import Stage

LM, HEAD = "language-model-forward", "head-forward"
LAYERS = ["embedding", "lstm0", "lstm1", "lstm2", "head"]


def stage(*names, epochs=1):
    return Stage("stage", dict.fromkeys(names or LAYERS, 0.01), epochs)


@pytest.fixture
def now(monkeypatch):
    """The time, which a test sets."""
    time = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: time[0])
    return time


def two(**options):
    return FitClock({LM: "language model", HEAD: "classifier"}, **options)


def train(clock, name, now, seconds, *, stages, n_batches=100, n_updates=20):
    """Make some updates of a training's first stage, each of so many seconds."""
    own = Projection(clock, name)
    run = TrainingRun(torch.nn.Identity(), [(each, None) for each in stages], n_batches=n_batches)
    own.on_train_begin(run)
    own.on_stage_begin(run)
    for _ in range(n_updates):
        now[0] += seconds
        run.n_done += 1
        own.on_update(run)
    return own, run


def test_the_time_left_is_that_of_all_trainings(now):
    own, run = train(two(head_passes=5.0), LM, now, 0.1, stages=[stage()])
    assert own.seconds_left(run) == pytest.approx(80 * 0.1 + 5 * 100 * 0.1)


def test_the_last_training_has_nothing_after_it(now):
    own, run = train(two(head_passes=5.0), HEAD, now, 0.1, stages=[stage(epochs=3)])
    assert own.seconds_left(run) == pytest.approx(280 * 0.1)


def test_later_stages_cost_what_their_layers_cost(now):
    own, run = train(two(), HEAD, now, 0.1, stages=[stage("head", "lstm2"), stage(epochs=2)])
    half = relative_cost(stage("head", "lstm2"), 5)
    assert own.seconds_left(run) == pytest.approx(80 * 0.1 + 2 * 100 * 0.1 / half)


def test_a_stage_of_the_head_alone_tells_nothing_of_the_others(now):
    own, run = train(two(), HEAD, now, 0.1, stages=[stage("head"), stage()])
    assert own.seconds_left(run) is None


def test_a_long_fit_is_warned_of_once_with_what_applies(now):
    clock = two(head_passes=5.0, remedies=lambda: ["Do less."])
    with pytest.warns(UserWarning) as caught:
        train(clock, LM, now, 25.0, stages=[stage()])
        train(clock, HEAD, now, 25.0, stages=[stage()])
    (message,) = [str(each.message) for each in caught]
    assert message == (
        "This fit will take about 4 h 10 min (language model 42 min, classifier 3 h 28 min). What makes it shorter:\n"
        "- Do less.\nverbose=1 shows how far it is."
    )


def test_a_short_fit_is_not_warned_of(now):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(two(head_passes=5.0), LM, now, 0.9, stages=[stage()])


def test_the_trainings_are_numbered_among_those_that_are_needed(now):
    clock = two()
    own, run = train(clock, LM, now, 0.1, stages=[stage()])
    assert own.title(run) == "1/2 language model"
    own, run = train(clock, HEAD, now, 0.1, stages=[stage("head"), stage()])
    assert own.title(run) == "2/2 classifier, stage 1/2 stage"
    own, run = train(two(), HEAD, now, 0.1, stages=[stage()])
    assert own.title(run) == "classifier"


def test_the_default_makes_as_many_passes_as_its_plan_has_epochs():
    assert passes_of_head(CLASSIFIER_RECIPES["skulmfit"], 20_000) == 5
    assert 2 < passes_of_head(CLASSIFIER_RECIPES["fastai"], 20_000) < 5


class Stream(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


@pytest.mark.parametrize("is_terminal", [True, False], ids=["terminal", "file"])
def test_without_tqdm_a_terminal_has_one_line_for_each_training_and_a_file_few(monkeypatch, is_terminal):
    monkeypatch.setattr(progress_bar, "tqdm", None)
    monkeypatch.setattr(progress_bar, "_SECONDS_BETWEEN_LOSSES", 0.0)
    monkeypatch.setattr(sys, "stderr", Stream(is_terminal))
    small_classifier(small_lm(verbose=1), verbose=1, epochs=4).fit(TEXTS, LABELS)
    text = sys.stderr.getvalue()
    lines = text.splitlines() if not is_terminal else text.strip("\n").split("\n")
    assert len(lines) == 2
    last = [line.split("\r")[-1] for line in lines]
    assert last[0].startswith("1/2 language model: epoch 1/1") and "left of all" in last[0]
    assert last[1].startswith("2/2 classifier: epoch 4/4")
    assert text.count("\r") > 2 if is_terminal else "\r" not in text
