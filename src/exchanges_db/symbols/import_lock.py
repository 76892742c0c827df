"""One import of an exchange at a time: the lock, who keeps it, and how long somebody waits for it.

It is asked for again and again, in short statements: one that waits in the server would run into its time limit.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from datetime import UTC

from exchanges_db.errors import ImportBusy, InvalidArgument, shown
from exchanges_db.events import event
from exchanges_sql.symbol_import import AsyncQuerier, ListImportsRunningRow

log = logging.getLogger("exchanges_db")

LOCK_CLASS = int.from_bytes(b"symb")
_SECONDS_APART = 0.1
_LONGEST_WAIT = sys.float_info.max
# Isolations whose statements each see what was committed up to then.
READS_ALL = ("read committed", "read uncommitted")


def check_wait(wait: float) -> float:
    """Return how many seconds an import may wait for another; raise InvalidArgument where it is no such number."""
    # math.isfinite would turn an int into a float, which may be too small for it.
    if type(wait) not in (int, float) or not 0 <= wait <= _LONGEST_WAIT:
        raise InvalidArgument(f"wait must be a number of seconds, 0 or more, not {shown(wait)}", field="wait")
    return wait


async def check_isolation(querier: AsyncQuerier) -> None:
    """Raise InvalidArgument on a transaction that would not see what another import commits while this one waits."""
    isolation = await querier.get_transaction_isolation()
    if isolation not in READS_ALL:
        raise InvalidArgument(
            f"this needs a transaction that is READ COMMITTED, and this one is {str(isolation).upper()}: "
            "it would go by what was known when it began",
            field="db",
        )


async def take_lock(
    querier: AsyncQuerier, exchange_id: int, exchange: str, *, wait: float, on_wait: Callable[[str], None]
) -> None:
    """Have no other import of an exchange run until the transaction ends; wait up to `wait` seconds for it.

    on_wait: called with who is waited for, whenever that is another one.

    Raises:
        ImportBusy: another import was still running then.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait
    told = ""
    while not await querier.try_lock_symbol_import(lock_class=LOCK_CLASS, exchange_id=exchange_id):
        running = await _running(querier, exchange_id, exchange)
        left = deadline - clock()
        if left <= 0:
            raise ImportBusy(f"{running or told or f'another import of {exchange} runs'}: waited {wait:g} s for it")
        if running and running != told:
            told = running
            waiting = event("import_waiting", exchange=exchange, seconds=left)
            log.info("%s: waiting for up to %.0f s", told, left, extra=waiting)
            on_wait(told)
        await asyncio.sleep(min(_SECONDS_APART, left))


async def _running(querier: AsyncQuerier, exchange_id: int, exchange: str) -> str:
    """Return who keeps the lock, in words; nothing where it is free again."""
    rows = [row async for row in querier.list_imports_running(lock_class=LOCK_CLASS, exchange_id=exchange_id)]
    # Several can read at once, and only one can import.
    return _in_words(rows[0], exchange) if rows else ""


def _in_words(row: ListImportsRunningRow, exchange: str) -> str:
    what = f"another import of {exchange}" if row.imports else f"a reading of the changes of {exchange}"
    since = "" if row.since is None else f" since {row.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    who = f", by {row.user_name}" if row.user_name else ""
    program = f" ({row.application_name})" if row.application_name else ""
    return f"{what} runs{since}{who}{program}"
