"""What was known at a time beside the symbols themselves: holds, and when the exchange had last given each list.

Only what is recorded counts, so that an answer about the past stays what it is. An import that changed nothing leaves
a row in the ledger only where an announced time has come since the one before, because the judge would heed that time.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.symbols.enums import SidesAllowed, SymbolKind
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.models import Symbol
from exchanges_sql.symbol_history import AsyncQuerier, ListConfirmationsAsOfParams

_List = tuple[str, str, str]


class Circumstances:
    """Holds, and times of the last lists, of the exchanges of some symbols at a time."""

    def __init__(self) -> None:
        self._holds: dict[tuple[int, str | None], Hold] = {}
        self._confirmed: dict[tuple[int, _List], datetime] = {}

    def holds(self, symbol: Symbol) -> tuple[Hold, ...]:
        """Return what a person had said of a symbol, and of its exchange."""
        if not self._holds:
            return ()
        keys = ((symbol.exchange_id, symbol.native_symbol), (symbol.exchange_id, None))
        return tuple(self._holds[key] for key in keys if key in self._holds)

    def confirmed_at(self, symbol: Symbol) -> datetime | None:
        """Return when the exchange gave the last list by then that the symbol belongs to; None: not known."""
        return self._confirmed.get((symbol.exchange_id, _list_of(symbol)), symbol.observed_at)

    async def load(self, conn: AsyncConnection, exchange_id: int, lists: Iterable[_List], at: datetime) -> None:
        """Read what there is of an exchange and of the lists of some of its symbols."""
        querier = AsyncQuerier(conn)
        async for row in querier.list_holds_as_of(exchange_id=exchange_id, at=at):
            hold = Hold(SidesAllowed(row.sides), row.until_at, row.reason, row.held_by, row.native_symbol is None)
            self._holds[exchange_id, row.native_symbol] = hold
        kinds, settles, underlyings = zip(*lists, strict=True)
        parameters = ListConfirmationsAsOfParams(
            kinds=[*kinds], settles=[*settles], underlyings=[*underlyings], exchange_id=exchange_id, at=at
        )
        async for one in querier.list_confirmations_as_of(parameters):
            if one.observed_at is not None:
                self._confirmed[exchange_id, (one.kind, one.settle, one.underlying)] = one.observed_at


async def circumstances_then(conn: AsyncConnection, symbols: Iterable[Symbol], at: datetime) -> Circumstances:
    """Return what was known at `at` beside these symbols; two statements for each of their exchanges."""
    lists: dict[int, set[_List]] = {}
    for symbol in symbols:
        lists.setdefault(symbol.exchange_id, set()).add(_list_of(symbol))
    found = Circumstances()
    for exchange_id, of_it in lists.items():
        await found.load(conn, exchange_id, sorted(of_it), at)
    return found


def _list_of(symbol: Symbol) -> _List:
    """Return what tells to which list a symbol belongs; only lists of options can have an underlying."""
    underlying = f"{symbol.base}_{symbol.quote}" if symbol.kind is SymbolKind.OPTION else ""
    return symbol.kind.value, symbol.settle or "", underlying
