"""Ctrl-C waits for the end of what must be whole."""

import signal

import pytest

from skulmfit.training.interruption import undivided


@pytest.fixture(autouse=True)
def pythons_own_handler():
    """What a terminal gives; a shell starts what runs in the background with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_raised_at_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), undivided():
        signal.raise_signal(signal.SIGINT)
        done.append("the rest")
    assert done == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_is_not_hidden_by_it():
    with pytest.raises(ValueError, match="broken"), undivided():
        raise ValueError("broken")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_handler_goes_on():
    heard = []
    signal.signal(signal.SIGINT, lambda *args: heard.append(args))
    with undivided():
        signal.raise_signal(signal.SIGINT)
        assert len(heard) == 1
