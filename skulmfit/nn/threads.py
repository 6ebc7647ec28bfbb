"""Work divided among threads, each of which computes its operations alone.

Torch's own threads meet at a barrier in every operation, thousands of times in a recurrent layer. Where another program
keeps one of them from running, all wait. Threads that share nothing until the end do not.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Limit:
    """The process's number of threads an operation: 1 while any user is inside, then what it was."""

    def __init__(self) -> None:
        self.lock, self.n_users, self.before = Lock(), 0, 1

    def enter(self) -> int:
        with self.lock:
            if not self.n_users:
                self.before = torch.get_num_threads()
                torch.set_num_threads(1)
            self.n_users += 1
            return self.before

    def leave(self) -> None:
        with self.lock:
            self.n_users -= 1
            if not self.n_users:
                torch.set_num_threads(self.before)

    def begin_child(self) -> None:
        """In a forked process nobody is inside, and one thread computes.

        Those that torch has made for its operations are not there, and it would wait for them for ever.
        """
        torch.set_num_threads(1)
        self.__init__()  # type: ignore[misc]


_limit = _Limit()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_limit.begin_child)


def n_threads() -> int:
    """How many threads may compute side by side: as many as torch may use. In joblib's workers that is limited."""
    return _limit.before if _limit.n_users else torch.get_num_threads()


@contextmanager
def one_thread_an_operation() -> Iterator[int]:
    """Context in which each operation of torch has one thread; gives the number that there may be side by side."""
    n_threads = _limit.enter()
    try:
        yield n_threads
    finally:
        _limit.leave()


@contextmanager
def without_denormals() -> Iterator[None]:
    """Context in which this thread takes numbers below 1e-38 for 0: a processor computes with them 100 times slower.

    The gates of a trained layer are often shut, and what comes back through them is that small. Torch cannot say how a
    thread is set, so Python's own numbers are asked: the setting is the processor's.
    """
    was_without = math.nextafter(0.0, 1.0) * 1.0 == 0.0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(was_without)


def map_in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of a function for items, in their order, computed by as many threads as torch may use.

    What it computes does not depend on their number. Only a few items are under way at a time, so memory is bounded.
    """

    def result(item: Item) -> Result:
        with without_denormals():
            return function(item)

    with one_thread_an_operation() as n_side_by_side:
        if n_side_by_side == 1:
            yield from map(result, items)
            return
        with ThreadPoolExecutor(n_side_by_side) as pool:
            under_way: deque[Future[Any]] = deque()
            try:
                for item in items:
                    under_way.append(pool.submit(result, item))
                    if len(under_way) > n_side_by_side:
                        yield under_way.popleft().result()
                while under_way:
                    yield under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()
