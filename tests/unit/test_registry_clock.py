"""The server's clock as a registry knows it: at once, and never further off than it says."""

import errno
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from exchanges_db import uptime
from exchanges_db.registry import state as module
from exchanges_db.registry.state import Clock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Server:
    """A server whose clock goes wrong, asked over ways of different length; `time` is the asker's own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, drift: float = 0.0) -> None:
        self.time, self.offset, self.drift = 1000.0, 0.0, drift
        self.clock = Clock()
        monkeypatch.setattr(module, "uptime", lambda: self.time)

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return START + timedelta(seconds=self.time * (1 + self.drift) + self.offset)

    def ask(self, there: float, back: float) -> None:
        """Ask it once."""
        sent = self.time
        self.time += there
        read = self.now
        self.time += back
        self.clock.learn(read, sent, self.time)

    @property
    def off(self) -> float:
        """By how many seconds what is known is off."""
        now = self.clock.now()
        assert now is not None
        return abs((now - self.now).total_seconds())

    @property
    def told(self) -> float:
        """By how many it says that it may be."""
        error = self.clock.error()
        assert error is not None
        return error + 2e-6  # a datetime has microseconds


def test_nothing_is_known_before_the_first_answer_and_all_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow that one is: it says so."""
    server = Server(monkeypatch)
    assert (server.clock.now(), server.clock.error()) == (None, None)
    server.ask(1.9, 0.1)
    assert 0.8 < server.off <= server.told < 1.01


def test_a_slow_answer_does_not_spoil_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch)
    server.ask(0.001, 0.001)
    server.time += 1
    server.ask(0.9, 0.0)
    assert server.off <= server.told < 0.01


def test_a_clock_that_was_set_is_noticed_by_the_next_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a slow one: what it says cannot be true of the clock that was known."""
    server = Server(monkeypatch)
    server.ask(0.001, 0.001)
    server.time += 1
    server.offset = 3600.0
    server.ask(0.5, 0.1)
    assert server.off <= server.told < 0.5


@pytest.mark.parametrize("drift", [-0.0009, 0.0, 0.0009])
def test_it_is_never_further_off_than_it_says(monkeypatch: pytest.MonkeyPatch, drift: float) -> None:
    """Whichever part of the way takes long, and after hours without an answer."""
    chance = random.Random(6)
    server = Server(monkeypatch, drift=drift)
    for _ in range(2000):
        server.ask(chance.expovariate(100), chance.expovariate(100))
        assert server.off <= server.told
        server.time += chance.choice((0.0, 0.2, 1.0, 5.0, 3600.0))
        assert server.off <= server.told


def test_a_kernel_without_the_clock_that_goes_on_gives_the_next_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has its name all the same."""
    given = time.clock_gettime

    def refused(number: int) -> float:
        if number == time.CLOCK_BOOTTIME:
            raise OSError(errno.EINVAL, "Invalid argument")
        return given(number)

    assert uptime._clock()() == pytest.approx(given(time.CLOCK_BOOTTIME), abs=5)
    monkeypatch.setattr(time, "clock_gettime", refused)
    assert uptime._clock()() == pytest.approx(given(time.CLOCK_MONOTONIC), abs=5)
