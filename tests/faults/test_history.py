"""The checker of histories finds what it is there to find: each kind of wrong history, and nothing in a right one."""

import asyncio
from collections.abc import Awaitable

import pytest

from exchanges_db import Conflict, DatabaseUnavailable, OutcomeUnknown
from tests.faults.history import History, Outcome


async def _answer(value: object = None) -> object:
    return value


async def _seen(value: int) -> int:
    return value


async def _fail(error: BaseException) -> object:
    raise error


async def _history() -> History:
    history = History()
    operations: dict[str, Awaitable[object]] = {
        "a": _answer(),
        "b": _fail(Conflict("somebody was faster")),
        "c": _fail(OutcomeUnknown("no answer")),
        "d": _answer(),
        "e": _fail(DatabaseUnavailable("no server")),
    }
    for key, operation in operations.items():
        await history.write(key, operation)
    return history


@pytest.mark.parametrize("rows", [["a", "d"], ["d", "a", "c"]])
async def test_an_unknown_write_may_be_there_or_not(rows: list[str]) -> None:
    assert (await _history()).faults_in_rows(rows) == []


@pytest.mark.parametrize(
    ("rows", "faults"),
    [
        (["a"], ["lost: d"]),
        (["a", "d", "b"], ["invented: b"]),
        (["a", "d", "e"], ["invented: e"]),
        (["a", "d", "z"], ["invented: z"]),
        (["a", "d", "d"], ["doubled: d"]),
        (["a", "d", "c", "c"], ["doubled: c"]),
        ([], ["lost: a", "lost: d"]),
    ],
)
async def test_wrong_rows_are_found(rows: list[str], faults: list[str]) -> None:
    assert (await _history()).faults_in_rows(rows) == faults


@pytest.mark.parametrize(
    ("after", "faults"),
    [(6, ["lost: 1 updates of 2"]), (7, []), (8, []), (9, ["invented: 1 updates"])],
)
async def test_lost_and_invented_updates_are_found(after: int, faults: list[str]) -> None:
    """Two were acknowledged and one is unknown: five became seven or eight."""
    assert (await _history()).faults_in_counter(5, after) == faults


@pytest.mark.parametrize(("value", "wrong"), [(5, True), (6, False), (7, False), (8, True)])
async def test_a_read_sees_what_was_acknowledged_and_nothing_of_the_future(value: int, wrong: bool) -> None:
    """One was acknowledged before it and one is unknown; what begins after it cannot be in it."""
    history = History()
    await history.write("a", _answer())
    await history.write("b", _fail(OutcomeUnknown("no answer")))
    await history.read("r", _seen(value))
    await history.write("c", _answer())
    assert bool(history.faults_in_reads(5)) is wrong


async def test_a_read_that_goes_back_in_time_is_found() -> None:
    """Both values are possible by themselves, but not in this order."""
    history = History()
    await history.write("a", _fail(OutcomeUnknown("no answer")))
    for value in (6, 5):
        await history.read("r", _seen(value))
    assert history.faults_in_reads(5) == ["went back: 5 after 6"]


async def test_an_error_that_is_not_ours_is_found_everywhere() -> None:
    history = History()
    assert await history.write("a", _fail(OSError("raw"))) is Outcome.UNKNOWN
    assert history.faults_in_rows([]) == history.faults_in_counter(0, 0) == ["write a: OSError('raw')"]


async def test_a_cancelled_write_is_unknown() -> None:
    """The cancellation goes on to who asked for it."""
    history = History()
    with pytest.raises(asyncio.CancelledError):
        await history.write("a", _fail(asyncio.CancelledError()))
    assert history.counted() == {Outcome.UNKNOWN: 1}
    assert history.faults_in_rows([]) == history.faults_in_rows(["a"]) == []
