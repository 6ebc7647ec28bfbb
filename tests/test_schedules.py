import math

import pytest

from skulmfit.training.schedules import slanted_triangular
from skulmfit.training.stages import classifier_stages, discriminative_rates, language_model_stages


def paper(t, T, cut_frac=0.1, ratio=32):
    """Equation 3 of Howard & Ruder 2018, as it stands there, as a factor on the peak rate."""
    cut = math.floor(T * cut_frac)
    p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / cut_frac - 1))
    return (1 + p * (ratio - 1)) / ratio


@pytest.mark.parametrize("T", [10, 100, 1000])
def test_slanted_triangular_is_the_papers_formula(T):
    for t in range(T):
        assert slanted_triangular(t, T) == pytest.approx(paper(t, T))


@pytest.mark.parametrize("T", [*range(1, 25), 37])
def test_slanted_triangular_of_few_steps_stays_within_its_bounds_and_peaks(T):
    factors = [slanted_triangular(t, T) for t in range(T)]
    assert all(1 / 32 <= factor <= 1 for factor in factors)
    assert max(factors) == 1


def test_steps_beyond_the_planned_end_stay_at_the_lowest_rate():
    assert slanted_triangular(15, 10) == pytest.approx(1 / 32)


def test_every_layer_learns_slower_than_the_one_above():
    rates = discriminative_rates(["embedding", "lstm0", "head"], 0.01, 2.6)
    assert rates == pytest.approx({"embedding": 0.01 / 2.6**2, "lstm0": 0.01 / 2.6, "head": 0.01})


def plan(**changes):
    options = {"epochs": 3, "learning_rate": 0.01, "lr_decay": 2.6, "gradual_unfreezing": True} | changes
    return classifier_stages(3, 10, 10, **options)


def test_layers_join_from_the_top_one_by_one():
    assert [list(stage.learning_rates) for stage in plan()] == [
        ["head"],
        ["lstm2", "head"],
        ["lstm1", "lstm2", "head"],
        ["lstm0", "lstm1", "lstm2", "head"],
        ["embedding", "lstm0", "lstm1", "lstm2", "head"],
    ]


def test_without_gradual_unfreezing_the_head_is_followed_by_everything():
    assert [stage.name for stage in plan(gradual_unfreezing=False)] == ["head", "all layers"]


def test_epochs_are_those_of_the_last_stage():
    assert plan(epochs=7)[-1].epochs == 7


def test_automatic_epochs_fall_as_the_data_grows_and_never_to_zero():
    epochs = [
        classifier_stages(3, n, n, epochs="auto", learning_rate=0.01, lr_decay=2.6, gradual_unfreezing=True)[-1].epochs
        for n in (2, 20, 200, 2000)
    ]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[0] > epochs[-1] >= 1


def test_the_language_model_trains_whole_with_discriminative_rates():
    (stage,) = language_model_stages(3, 10, epochs=2, learning_rate=0.004, lr_decay=2)
    assert stage.learning_rates == {"lstm0": 0.0005, "lstm1": 0.001, "lstm2": 0.002, "embedding": 0.004}
    assert stage.epochs == 2
