import math

import pytest

from skulmfit.training.schedules import OneCycle, WarmupStableDecay, slanted_triangular


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


def test_a_trapezoid_without_a_plateau_is_slanted_triangular():
    for step in range(40):
        assert WarmupStableDecay().rate(step, 40) == pytest.approx(slanted_triangular(step, 40))


def test_a_trapezoid_keeps_its_peak_between_rise_and_fall():
    rates = [WarmupStableDecay(warmup=0.2, cooldown=0.4, ratio=4.0).rate(step, 10) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.625, 1, 1, 1, 1, 1, 0.8125, 0.625, 0.4375])


def test_a_trapezoid_may_do_without_a_rise_or_a_fall():
    assert [WarmupStableDecay(0.0, 0.0).rate(step, 5) for step in range(5)] == [1.0] * 5


def fastai(position, start, peak, end, pct_start=0.25):
    """`combined_cos` of fastai 2.8, written from its definition: two half-cosines."""
    pct, (a, b) = (
        (position / pct_start, (start, peak))
        if position < pct_start
        else ((position - pct_start) / (1 - pct_start), (peak, end))
    )
    return a + (1 + math.cos(math.pi * (1 - pct))) * (b - a) / 2


def test_one_cycle_is_that_of_fastai():
    schedule = OneCycle()
    for step in range(40):
        assert schedule.rate(step, 40) == pytest.approx(fastai(step / 40, 1 / 25, 1, 1e-5))
        assert schedule.momentum(step, 40) == pytest.approx(fastai(step / 40, 0.8, 0.7, 0.8))
