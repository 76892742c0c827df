"""keep_synced: round after round, with a clock of the test's own and a local server in the exchanges' place."""

import asyncio
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest

from exchanges_db import (
    ConfigurationError,
    Database,
    DatabaseUnavailable,
    ExchangeNotFound,
    InvalidArgument,
    InvalidSymbol,
    SyncRound,
    get_freshness,
    keep_synced,
)
from exchanges_db.database.dsn import Dsn
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.keep_synced import Clock
from exchanges_db.symbols.sync_targets import find_targets
from tests.exchange_server import BTC_PATH, MEXC_PATH, SPOT_PATH, USDT_PATH, default_lists, exchanges
from tests.factories import connected
from tests.http_server import Request, answer, serving, silence
from tests.integration.test_sync import point
from tests.payload_rows import FUTURES, MEXC, SPOT

MINUTE = timedelta(minutes=1)
FAST = DownloadSettings(first_wait=0.01, longest_wait=0.1, attempts=2, read_timeout=2)


class Hours(Clock):
    """A clock that jumps to the end of every pause. A round has no limit, or one that passes at once."""

    def __init__(self, jitter: float = 0.0, *, is_limited: bool = False) -> None:
        self.time, self.share, self.is_limited = 0.0, jitter, is_limited

    def now(self) -> float:
        """Return the time that it has jumped to."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Jump."""
        self.time += seconds

    async def limit(self, seconds: float) -> None:
        """Jump, once what is quick has come to its end; or never."""
        await asyncio.sleep(2 if self.is_limited else 60)
        self.time += seconds

    def jitter(self) -> float:
        """Return what the test wants."""
        return self.share


def clocked(clock: Clock) -> AbstractContextManager[object]:
    """Rounds go by this clock."""
    return patch("exchanges_db.symbols.keep_synced.Clock", return_value=clock)


async def kept(
    database: Database, rounds: int, *names: str, clock: Clock | None = None, **more: Any
) -> list[SyncRound]:
    """Go on for so many rounds; the last one, which says that it stopped, is among what is returned."""
    told: list[SyncRound] = []
    stop = asyncio.Event()

    def tell(one: SyncRound) -> None:
        told.append(one)
        if len(told) == rounds:
            stop.set()

    rounds_of = keep_synced(
        names or None, every=MINUTE, stop=stop, on_round=tell, db=database, **{"settings": FAST, **more}
    )
    with clocked(clock or Hours(0.5)):
        await asyncio.wait_for(rounds_of, 60)
    return told


def told_of(one: SyncRound) -> list[tuple[str, str, str]]:
    """What became of each list of a round."""
    return sorted((outcome.exchange, outcome.subject, outcome.outcome) for outcome in one.outcomes)


async def test_rounds_keep_all_lists_fresh(database: Database) -> None:
    """The first applies, the next confirms; then it stops when told to, and says so."""
    clock = Hours(-0.5)
    async with serving(exchange=exchanges()) as server:
        for name in (MEXC, SPOT, FUTURES):
            await point(database, name, server.url)
        first, second, last = await kept(database, 2, clock=clock)
    lists = [
        (FUTURES, "FUTURE:USDT"),
        (FUTURES, "PERPETUAL:BTC"),
        (FUTURES, "PERPETUAL:USDT"),
        (SPOT, "SPOT"),
        (MEXC, "SPOT"),
    ]
    assert told_of(first) == [(*one, "APPLIED") for one in lists]
    assert told_of(second) == [(*one, "UNCHANGED") for one in lists]
    assert (first.is_good, first.trouble, first.busy, first.number, second.number) == (True, None, (), 1, 2)
    # A tenth of a minute, by the half that the clock says.
    assert first.next_in == second.next_in == 57
    assert (last.outcomes, last.next_in, last.number) == ((), None, 2)
    assert {one.confirmations for one in await get_freshness(db=database)} == {1}


async def test_a_list_that_fails_stops_no_other_and_no_round(database: Database) -> None:
    """And an exchange whose row is unusable neither."""
    async with serving(exchange=exchanges({BTC_PATH: answer(status=403), SPOT_PATH: answer(b"garbage")})) as server:
        await point(database, FUTURES, server.url)
        await point(database, SPOT, server.url)
        await point(database, MEXC, None)
        first, second, _ = await kept(database, 2)
    for one, good in ((first, "APPLIED"), (second, "UNCHANGED")):
        assert told_of(one) == [
            (FUTURES, "FUTURE:USDT", good), (FUTURES, "PERPETUAL:BTC", "FAILED"), (FUTURES, "PERPETUAL:USDT", good),
            (SPOT, "SPOT", "FAILED"), (MEXC, "every list", "FAILED"),
        ]  # fmt: skip
        assert not one.is_good


async def test_an_exchange_that_asks_for_a_pause_is_left_alone_across_rounds(database: Database) -> None:
    """A 429 with Retry-After of 120 s: no request before that, whatever round it is; the others go on."""
    clock = Hours()
    asked: list[float] = []
    busy = answer({"message": "slow down"}, status=429, Retry_After="120")
    usual = exchanges()

    def respond(request: Request) -> Any:
        if request.path == SPOT_PATH:
            asked.append(clock.time)
            if len(asked) == 1:
                return busy
        return usual(request)

    async with serving(exchange=respond) as server:
        await point(database, SPOT, server.url)
        await point(database, MEXC, server.url)
        rounds = await kept(database, 4, SPOT, MEXC, clock=clock)
    assert asked[1] - asked[0] >= 120
    assert [(one.postponed, told_of(one)[0][2]) for one in rounds[:3]] == [
        ({}, "FAILED"), ({SPOT: 60.0}, "UNCHANGED"), ({}, "APPLIED"),
    ]  # fmt: skip
    assert [one.is_good for one in rounds[:3]] == [False, False, True]
    assert [(MEXC, "SPOT", "UNCHANGED") in told_of(one) for one in rounds[1:4]] == [True] * 3


async def test_an_exchange_that_hangs_keeps_no_other_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round ends when the next is due, and what is still being asked is told of, and not asked twice."""
    monkeypatch.setattr("exchanges_db.symbols.keep_synced._GRACE", 0.1)
    clock = Hours(is_limited=True)
    async with serving(exchange=exchanges({MEXC_PATH: silence})) as server:
        await point(database, SPOT, server.url)
        await point(database, MEXC, server.url)
        rounds = await kept(database, 3, SPOT, MEXC, clock=clock, settings=DownloadSettings())
        assert server.paths.count(MEXC_PATH) == 1
    assert [one.busy for one in rounds[:3]] == [(MEXC,)] * 3
    assert not any(one.is_good for one in rounds[:3])  # nobody knows yet what becomes of its list
    assert all((SPOT, "SPOT") in [told[:2] for told in told_of(one)] for one in rounds[:3])


async def test_a_stop_lets_what_is_under_way_end_or_rolls_it_back(
    database: Database, dsn: Dsn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that waits for a lock is rolled back, and nothing of it stays; one that goes on is finished."""
    monkeypatch.setattr("exchanges_db.symbols.keep_synced._GRACE", 0.3)
    stop = asyncio.Event()
    told: list[SyncRound] = []
    async with serving(exchange=exchanges()) as server, connected(dsn) as other:
        await point(database, SPOT, server.url)
        await other.execute("BEGIN")
        await other.execute("LOCK TABLE symbols IN SHARE MODE")
        running = asyncio.create_task(
            keep_synced([SPOT], every=MINUTE, settings=FAST, stop=stop, on_round=told.append, db=database)
        )
        await _until(other, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")
        stop.set()
        await asyncio.wait_for(running, 20)
        await other.execute("ROLLBACK")
        assert await other.fetchval("SELECT count(*) FROM symbols") == 0
    (last,) = told
    assert (last.next_in, last.outcomes) == (None, ())
    assert last.trouble == f"{SPOT}: what was under way was rolled back"


async def _until(connection: asyncpg.Connection, question: str) -> None:
    async with asyncio.timeout(20):
        while not await connection.fetchval(question):
            await asyncio.sleep(0.02)


async def test_a_lost_database_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """After 1, 2, 4, ... and at most 60 seconds; then it goes on as before."""
    clock = Hours()
    calls = 0

    async def find(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if 3 <= calls <= 10:
            raise DatabaseUnavailable("no server answers")
        return await find_targets(*args, **more)

    monkeypatch.setattr("exchanges_db.symbols.keep_synced.find_targets", find)
    async with serving(exchange=exchanges()) as server:
        await point(database, SPOT, server.url)
        rounds = await kept(database, 10, SPOT, clock=clock)
    assert [one.next_in for one in rounds] == [60, 1, 2, 4, 8, 16, 32, 60, 60, 60, None]
    assert [one.trouble for one in rounds[1:9]] == ["no server answers"] * 8
    assert told_of(rounds[9]) == [(SPOT, "SPOT", "UNCHANGED")]


async def test_a_database_that_goes_away_in_a_round_is_waited_for(database: Database) -> None:
    """Whatever statement finds it out."""
    clock = Hours()

    async def break_it(writer: asyncio.StreamWriter) -> None:
        async with database.transaction() as tx:
            await tx.connection.execute("ALTER TABLE symbols RENAME TO gone")
        await answer(default_lists()[USDT_PATH])(writer)

    async with serving(exchange=exchanges({USDT_PATH: break_it})) as server:
        await point(database, FUTURES, server.url)
        first, *_ = await kept(database, 1, FUTURES, clock=clock)
    assert first.next_in == 1
    assert first.trouble is not None
    assert first.trouble.startswith(FUTURES)
    assert told_of(first) == [(FUTURES, "PERPETUAL:USDT", "FAILED")]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"exchanges": ["NOBODY"]}, ExchangeNotFound),
        ({"exchanges": [FUTURES], "listings": ["SPOT"]}, InvalidSymbol),
        ({"allow": ["everything"]}, InvalidArgument),
        ({"settings": 7}, ConfigurationError),
        ({"every": timedelta(0)}, InvalidArgument),
        ({"every": 60}, InvalidArgument),
        ({"every": timedelta(days=8)}, InvalidArgument),
        ({"db": "postgresql://localhost"}, ConfigurationError),
    ],
)
async def test_what_is_wrong_from_the_beginning_is_raised(
    database: Database, wrong: dict[str, Any], error: type[Exception]
) -> None:
    """Before any exchange is asked: a supervisor should not keep a mistake running."""
    async with serving(exchange=exchanges()) as server:
        await point(database, FUTURES, server.url)
        with pytest.raises(error):
            await keep_synced(**{"every": MINUTE, "db": database, **wrong})
        assert server.paths == []


async def test_what_on_round_raises_ends_it(database: Database) -> None:
    """A stdout that is full, for example; no task stays behind."""

    def fail(one: SyncRound) -> None:
        raise OSError("full")

    async with serving(exchange=exchanges()) as server:
        await point(database, SPOT, server.url)
        with pytest.raises(OSError, match="full"), clocked(Hours()):
            await keep_synced([SPOT], every=MINUTE, settings=FAST, on_round=fail, db=database)
    assert asyncio.all_tasks() == {asyncio.current_task()}
