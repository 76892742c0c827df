"""Who writes in a soak: pairs of exchanges, holds, fees, lists, rows past the library, what is undone, and lies."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg

from exchanges_db import (
    Database,
    ExchangesDBError,
    forget_account_fees,
    hold_exchange,
    hold_symbol,
    import_symbols,
    release_exchange,
    release_symbol,
    set_account_fees,
    update_exchange,
)
from exchanges_db.database.driver_errors import DRIVER_ERRORS
from exchanges_db.database.dsn import Dsn
from tests.payload_rows import SPOT, allowed, payload, spot
from tests.soak.watching import UNDONE, Faults, Writes

LIST_SIZE = 40
# Nobody else changes their display names.
PAIR = ("MEXC_SPOT", "GATEIO_FUTURES")
HELD = "GATEIO_FUTURES"  # by nobody but `hold`
FAILURES: tuple[type[BaseException], ...] = (ExchangesDBError, *DRIVER_ERRORS)
_SET_NAME = "UPDATE public.exchanges SET display_name = $2 WHERE enum_value = $1"
_FLIP = "UPDATE public.symbols SET is_risky = NOT coalesce(is_risky, false) WHERE id % 7 = $1"
_FORGE = "SELECT pg_notify('exchanges_db_changed', $1)"
_REACHED = "SELECT max(epoch) FROM public.registry_changes"
_ADD = "INSERT INTO public.exchanges (name, enum_value, display_name, market_type) VALUES ($1, $1, 'Soak', 'SPOT')"


class Writing:
    """All writers; each goes on, whatever befalls it, until it is told to end."""

    def __init__(self, db: Database, dsn: Dsn, seed: str, faults: Faults) -> None:
        self._db, self._dsn, self._seed, self._faults = db, dsn, seed, faults
        self._over = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._at_work = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.began: datetime  # when there were no symbols yet, by the server's clock
        self.pair, self.held = Writes("the pair of names"), Writes("the reason of a hold")
        self.outcomes: Counter[str] = Counter()
        self._spots = [spot(f"C{number}") for number in range(LIST_SIZE)]

    async def begin(self) -> None:
        """Write what must be there before anybody looks."""
        connection = await asyncpg.connect(**self._dsn.asyncpg_arguments(), timeout=20)
        try:
            self.began = await connection.fetchval("SELECT clock_timestamp()")
        finally:
            connection.terminate()
        await self._name_pair(random.Random(self._seed))
        await self._hold(random.Random(self._seed))

    def start(self) -> None:
        """Let them write."""
        works = (
            self._name_pair, self._hold, self._hold_symbols, self._pay, self._import, self._write_rows, self._undo,
            self._forge,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(self._go_on(work)) for work in works]

    async def end(self) -> None:
        """Let each finish what it is doing."""
        self._over.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)  # which are noted already

    @property
    def has_failed(self) -> bool:
        """Whether anything is wrong, so that it is of no use to wait for writes."""
        return bool(self._faults.found)

    def acknowledged(self) -> tuple[int, int]:
        """Return what no failover may lose from now on."""
        return self.pair.acknowledged, self.held.acknowledged

    def lost(self, since: tuple[int, int]) -> None:
        """Expect no more than what was acknowledged at an earlier time."""
        self.pair.acknowledged, self.held.acknowledged = since

    async def wrote(self, times: int) -> None:
        """Wait until so many more pairs are acknowledged."""
        enough = self.pair.acknowledged + times
        while self.pair.acknowledged < enough and not self.has_failed:
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def silence(self) -> AsyncIterator[None]:
        """Let nobody write meanwhile but who calls `write_once`."""
        self._may_write.clear()
        try:
            while self._at_work and not self.has_failed:
                await asyncio.sleep(0.005)
            yield
        finally:
            self._may_write.set()

    async def write_once(self, connection: asyncpg.Connection) -> None:
        """Give the pair its next name, in one transaction."""
        number = self.pair.tried = self.pair.tried + 1
        async with connection.transaction():
            for name in PAIR:
                await connection.execute(_SET_NAME, name, str(number))
        self.pair.acknowledged = number

    async def _go_on(self, work: Callable[[random.Random], Awaitable[None]]) -> None:
        draw = random.Random(f"{self._seed} {work.__name__}")
        while not self._over.is_set():
            await self._may_write.wait()
            self._at_work += 1
            try:
                await work(draw)
                outcome = "done"
            except FAILURES as exc:
                outcome = type(exc).__name__
            except Exception:
                self._faults.note(f"a writer failed: {traceback.format_exc()}")
                raise
            finally:
                self._at_work -= 1
            self.outcomes[f"{work.__name__.strip('_')}: {outcome}"] += 1
            try:
                async with asyncio.timeout(draw.uniform(0.0, 0.1)):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def _on_connection(self, work: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        connection = await asyncpg.connect(**self._dsn.asyncpg_arguments(), timeout=5, command_timeout=10)
        try:
            await work(connection)
        finally:
            connection.terminate()

    async def _name_pair(self, draw: random.Random) -> None:
        """Give both exchanges one name in one transaction, some of it twice, behind a savepoint that is rolled back."""
        first = self.pair.tried + 1

        async def work(connection: asyncpg.Connection) -> None:
            for number in range(first, first + draw.randrange(1, 20)):
                self.pair.tried = number
                async with connection.transaction():
                    await connection.execute(_SET_NAME, PAIR[0], str(number))
                    if draw.random() < 0.2:
                        await connection.execute("SAVEPOINT before")
                        await connection.execute(_SET_NAME, PAIR[1], f"{UNDONE} {number}")
                        await connection.execute("ROLLBACK TO SAVEPOINT before")
                    await connection.execute(_SET_NAME, PAIR[1], str(number))
                self.pair.acknowledged = number
                await asyncio.sleep(draw.uniform(0.0, 0.05))
                if not self._may_write.is_set():
                    return

        await self._on_connection(work)

    async def _undo(self, draw: random.Random) -> None:
        """Change what others change, and roll it back."""

        async def work(connection: asyncpg.Connection) -> None:
            async with asyncio.timeout(10):
                await connection.execute("BEGIN")
                await connection.execute(_SET_NAME, draw.choice(PAIR), UNDONE)
                await connection.execute(_FLIP, draw.randrange(7))
                await connection.execute("ROLLBACK")

        await self._on_connection(work)

    async def _forge(self, draw: random.Random) -> None:
        """Notify of what is not so, as any login may: of what was, of what is not yet, of nothing that makes sense."""

        async def work(connection: asyncpg.Connection) -> None:
            reached = await connection.fetchval(_REACHED)
            token = UUID(int=draw.getrandbits(128), version=4)
            for said in (
                f"{reached + draw.randrange(-3, 4)}:{token}",
                f"{10**9}:{token}",
                "",
                "no epoch",
                "7" * 7000,
            ):
                if draw.random() < 0.3:
                    await connection.execute(_FORGE, said)

        await self._on_connection(work)

    async def _hold(self, draw: random.Random) -> None:
        self.held.tried += 1
        await hold_exchange(HELD, reason=str(self.held.tried), sides=draw.choice(["ALL", "BUY", "SELL"]), db=self._db)
        self.held.acknowledged = self.held.tried

    async def _hold_symbols(self, draw: random.Random) -> None:
        name = f"C{draw.randrange(LIST_SIZE)}_USDT"
        if draw.random() < 0.6:
            await hold_symbol(SPOT, name, native=True, reason=f"{draw.random()}", db=self._db)
        else:
            await release_symbol(SPOT, name, native=True, db=self._db)
        if draw.random() < 0.2:
            await hold_exchange(SPOT, reason="all", db=self._db)
        else:
            await release_exchange(SPOT, db=self._db)

    async def _pay(self, draw: random.Random) -> None:
        account, symbol = f"account {draw.randrange(3)}", draw.choice([None, f"C{draw.randrange(LIST_SIZE)}_USDT"])
        if draw.random() < 0.7:
            fee = f"0.00{draw.randrange(1, 10)}"
            await set_account_fees(SPOT, maker=fee, taker=fee, account=account, symbol=symbol, db=self._db)
        else:
            await forget_account_fees(SPOT, account=account, symbol=symbol, db=self._db)

    async def _import(self, draw: random.Random) -> None:
        """Import a whole list in which a few rows have changed, or are gone, or are back."""
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(LIST_SIZE)
            status = draw.choice(["tradable", "untradable", "buyable", "sellable"])
            self._spots[at] = spot(f"C{at}", trade_status=status, min_quote_amount=str(draw.randrange(1, 9)))
        rows = [row for row in self._spots if draw.random() < 0.98]
        data = payload(SPOT, rows)
        await import_symbols(SPOT, data, allow=allowed(data), wait=5, db=self._db)

    async def _write_rows(self, draw: random.Random) -> None:
        """Write past the library: rows of symbols, and an exchange that comes and goes."""

        async def work(connection: asyncpg.Connection) -> None:
            name = f"SOAK_{draw.randrange(5)}"
            await connection.execute(_FLIP, draw.randrange(7))
            await connection.execute("DELETE FROM public.exchanges WHERE enum_value = $1", name)
            if draw.random() < 0.7:
                await connection.execute(_ADD, name)
            if draw.random() < 0.03:
                await connection.execute("TRUNCATE public.symbol_doubts")  # the log says: everything

        await self._on_connection(work)
        await update_exchange(1, {"rate_limit_requests_per_second": draw.randrange(1, 50)}, db=self._db)
