"""Ctrl-C during a training: it waits for the end of an update."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread


@contextmanager
def undivided() -> Iterator[None]:
    """Context that Ctrl-C does not cut short: it is raised at the end.

    So an update is made as a whole or not at all, and no exception begins inside torch, where it can end the process.
    Whoever handles the signal in another way than Python does goes on doing so.
    """
    if current_thread() is not main_thread() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
