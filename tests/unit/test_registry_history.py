"""Each validator of a registry's promises finds the fault in a history that breaks its promise."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from exchanges_db.registry.models import Position
from tests.faults.history import Outcome
from tests.registry_history import PROMISES, Claim, Held, History, Write, broken

START = Position(10, "t10")
AT = {number: Position(number, f"t{number}") for number in range(11, 15)}


def write(number: int, began: float, ids: tuple[int, ...]) -> Write:
    return Write(f"w{number}", ids, began, began + 1, Outcome.OK, AT[number])


def good() -> History:
    """A load, one change, a lost connection, two changes at once; writes at 0, 10, 20 and 30, each seen soon after."""
    history = History({1: "a", 2: "b"}, START, [write(11, 0, (1, 2)), write(12, 10, (2,)), write(13, 20, (1, 2))])
    history.writes.append(write(14, 20.5, (1,)))
    for position, epochs, at in (
        (START, None, -1.0),
        (AT[11], (11,), 1.5),
        (AT[12], (12,), 11.5),
        (AT[14], (13, 14), 22.0),
    ):
        history.held.append(Held(position, history.values_at(position), epochs, at))
        history.claims.append(Claim(position, at - 0.1, at + 0.1))
    history.claims.append(Claim(AT[14], 100, 100.2))
    return history


def test_a_history_that_keeps_all_promises_passes() -> None:
    assert broken(good()) == {}


def _swap(history: History) -> None:
    history.held[1], history.held[2] = history.held[2], history.held[1]


def _twice(history: History) -> None:
    history.held.insert(2, replace(history.held[1], at=2.0))


def _skip(history: History) -> None:
    del history.held[2]


def _end_early(history: History) -> None:
    del history.held[-1]


def _tear(history: History) -> None:
    history.held[1] = replace(history.held[1], values={**history.held[1].values, 2: "b"})


def _invent(history: History) -> None:
    history.held[1] = replace(history.held[1], position=Position(11, "of another timeline"))


def _reload(history: History) -> None:
    history.held[2] = replace(history.held[2], epochs=None)


def _prove_early(history: History) -> None:
    history.claims[2] = Claim(AT[12], 11.3, 11.4)


def _lie_of_age(history: History) -> None:
    """The change of 10 to 11 is not held at 11.3, and yet it is said to be fresh since 11.2."""
    history.claims.append(Claim(AT[11], 11.2, 11.3))


def _foresee(history: History) -> None:
    history.claims.append(Claim(AT[12], 9.0, 9.5))


def _lose(history: History) -> None:
    history.writes.append(replace(history.writes[0], name="lost", position=None))


def _resurrect(history: History) -> None:
    history.writes[0] = replace(history.writes[0], outcome=Outcome.FAILED)


MUTATIONS: dict[str, list[Callable[[History], None]]] = {
    "ordered": [_swap],
    "unique": [_twice],
    "reliable": [_skip, _end_early],
    "atomic": [_tear, _invent],
    "resumable": [_reload],
    "bookmarkable": [_prove_early],
    "bounded staleness": [_lie_of_age, _foresee],
    "written": [_lose, _resurrect],
}


def test_every_promise_has_a_mutation() -> None:
    assert MUTATIONS.keys() == PROMISES.keys()


@pytest.mark.parametrize(
    ("promise", "mutate"),
    [(promise, mutate) for promise, mutations in MUTATIONS.items() for mutate in mutations],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_broken_promise_is_found(promise: str, mutate: Callable[[History], None]) -> None:
    history = good()
    mutate(history)
    assert promise in broken(history)


def test_all_may_be_loaded_where_the_log_leads_nowhere() -> None:
    """After TRUNCATE the log says that everything has changed, and a log that was begun anew lacks what is held."""
    history = good()
    _reload(history)
    history.whole = frozenset((12,))
    assert broken(history) == {}
    history = good()
    history.held[0] = replace(history.held[0], position=Position(10, "of another timeline"))
    history.held[1] = replace(history.held[1], epochs=None)
    assert "resumable" not in broken(history)
