import multiprocessing
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import TEXTS

from skulmfit.nn.threads import map_in_threads, one_thread_an_operation


@pytest.fixture(params=[1, 2, 4])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_results_come_in_order(n_threads):
    def slow_if_even(item):
        time.sleep(0.002 * (item % 2 == 0))
        return item * 10

    assert list(map_in_threads(slow_if_even, range(20))) == list(range(0, 200, 10))


def test_each_operation_has_one_thread_and_as_many_run_side_by_side_as_torch_may_use(n_threads):
    barrier = threading.Barrier(n_threads, timeout=20)

    def meet(item):
        barrier.wait()  # would time out if fewer ran at a time
        return torch.get_num_threads()

    assert list(map_in_threads(meet, range(2 * n_threads))) == [1] * 2 * n_threads
    assert torch.get_num_threads() == n_threads


def test_few_items_are_under_way_at_a_time(n_threads):
    taken = 0

    def items():
        nonlocal taken
        for item in range(50):
            taken += 1
            yield item

    results = map_in_threads(lambda item: item, items())
    next(results)
    assert taken <= n_threads + 2
    results.close()
    assert torch.get_num_threads() == n_threads


SMALLEST = np.array([1e-40], np.float32)


@pytest.mark.parametrize("n", [1, 3])
def test_numbers_below_the_normal_ones_are_0_inside_and_stay_outside(n, n_threads):
    torch.set_num_threads(n)
    inside = list(map_in_threads(lambda factor: (torch.from_numpy(SMALLEST) * factor).item(), [1.0, 2.0]))
    assert inside == [0.0, 0.0]
    assert (torch.from_numpy(SMALLEST) * 2.0).item() == pytest.approx(2e-40)


def test_who_wants_them_to_be_0_keeps_that(n_threads):
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        list(map_in_threads(abs, [1]))
        assert (torch.from_numpy(SMALLEST) * 2.0).item() == 0.0
    finally:
        torch.set_flush_denormal(False)


def test_an_error_comes_through_and_the_setting_is_put_back(n_threads):
    def fail(item):
        raise KeyError(item)

    with pytest.raises(KeyError):
        list(map_in_threads(fail, range(9)))
    assert torch.get_num_threads() == n_threads


def test_the_setting_is_put_back_when_the_last_of_several_users_leaves(n_threads):
    first, second = one_thread_an_operation(), one_thread_an_operation()
    assert first.__enter__() == second.__enter__() == n_threads
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 1
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == n_threads


def test_features_and_scores_are_the_same_bits_on_any_number_of_threads(tiny_lm):
    texts, before, found = TEXTS * 40, torch.get_num_threads(), []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            found.append((tiny_lm.transform(texts), tiny_lm.score_samples(texts)))
    finally:
        torch.set_num_threads(before)
    for features, scores in found[1:]:
        np.testing.assert_array_equal(features, found[0][0])
        np.testing.assert_array_equal(scores, found[0][1])


def _threads_of_a_child(queue):
    queue.put((torch.get_num_threads(), list(map_in_threads(lambda item: item, range(3)))))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_in_the_middle_has_one_thread_and_no_user(n_threads):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with one_thread_an_operation():
        child = context.Process(target=_threads_of_a_child, args=(queue,))
        child.start()
        assert queue.get(timeout=30) == (1, [0, 1, 2])
        child.join()


FORKS = """
import multiprocessing, sys, threading, warnings
import torch
from helpers import TEXTS, small_lm
from skulmfit.nn.runtime import Runtime

warnings.simplefilter("ignore")
torch.set_num_threads(2)
torch.randn(10_000_000).exp().sum()  # makes torch's second thread
if sys.argv[1] == "while another thread fits":
    inside = threading.Event()
    def fit():
        with Runtime.resolve("cpu").seeded(0):
            inside.set()
            threading.Event().wait()
    threading.Thread(target=fit, daemon=True).start()
    inside.wait()
def child():
    torch.randn(10_000_000).exp().sum()
    small_lm(random_state=0).fit(TEXTS)
process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(90)
print("ended" if process.exitcode == 0 else f"waits: {process.exitcode}", flush=True)
process.kill()
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.parametrize("when", ["after torch has used two threads", "while another thread fits"])
def test_a_forked_child_can_fit(when):
    folder = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder.parent), str(folder)])}
    command = [sys.executable, "-c", FORKS, when]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=150, env=environment)
    assert result.stdout == "ended\n"
