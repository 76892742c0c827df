"""One call of every public function that asks the database: a new function gets its line here.

`test_cases.py` holds the names to `exchanges_db.__all__`, and the server to what is said of each. The arguments are
what the database of the fixture `stocked_dsn` answers: symbols of Gate.io are there, those of MEXC still to come.
"""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FunctionType
from typing import Any, Literal

import msgspec
import pytest

import exchanges_db
import exchanges_db.symbols.download  # which sync_symbols loads when it is called: no call is timed with that
from exchanges_db import (
    ExchangeEnum,
    PoolTimeout,
    Symbol,
    activate_exchange,
    adopt_symbols,
    can_trade,
    common_symbols,
    deactivate_exchange,
    diff_symbols,
    ensure_exchanges_populated,
    forget_account_fees,
    get_account_fee_history,
    get_all_active_exchanges,
    get_all_exchanges,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_exchange_stats,
    get_exchanges_by_market_type,
    get_fees,
    get_freshness,
    get_hold_history,
    get_import,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_id,
    get_symbol_by_native,
    get_symbol_history,
    get_symbol_raw,
    get_symbol_stats,
    get_symbols,
    get_symbols_by_ids,
    hold_exchange,
    hold_symbol,
    import_specs,
    import_symbols,
    insert_exchange,
    list_account_fees,
    list_holds,
    list_imports,
    list_prunes,
    list_symbol_lists,
    list_symbols,
    list_symbols_as_of,
    prune_history,
    release_exchange,
    release_symbol,
    search_symbols,
    set_account_fees,
    sync_symbols,
    update_exchange,
    validate_exchanges,
)
from exchanges_db.symbols.payloads.readers import read_payload
from tests.factories import an_exchange
from tests.payload_rows import FUTURES, MEXC, SPOT, many, payload, spot

# What becomes of a call: a write by itself may have been done when its answer is lost; one in a transaction was not
# committed; a validation raises nothing but tells what failed in its report, and takes a Database only.
Kind = Literal["read", "write", "transaction", "validation"]
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEW_SYMBOLS = payload(MEXC, many(MEXC, 2))


@dataclass(frozen=True)
class Case:
    """A function and its arguments by name; an argument that is a function itself is called for each call."""

    function: Callable[..., Awaitable[Any]]
    arguments: dict[str, Any]
    kind: Kind

    @property
    def name(self) -> str:
        """The function's."""
        return self.function.__name__

    def __call__(self, db: Any, **others: Any) -> Awaitable[Any]:
        """Call it, with `others` in the place of its own arguments."""
        own = {name: value() if isinstance(value, FunctionType) else value for name, value in self.arguments.items()}
        given = {**own, **others}
        # What a function takes as *arguments has no names.
        return self.function(*given.pop("*", ()), **given, db=db)


def _case(what: Kind, function: Callable[..., Awaitable[Any]], /, *arguments: Any, **keywords: Any) -> Case:
    signature = inspect.signature(function)
    given = signature.bind(*arguments, **keywords).arguments
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL and name in given:
            given["*"] = given.pop(name)
        elif parameter.kind is parameter.VAR_KEYWORD:
            given |= given.pop(name, {})
    return Case(function, given, what)


def now() -> datetime:
    """The present, which a call takes anew each time."""
    return datetime.now(UTC)


def a_symbol() -> Symbol:
    """The first symbol of the stocked database; can_trade looks up all but its two ids again."""
    (read,) = read_payload(SPOT, payload(SPOT, [spot()]), observed_at=LONG_AGO).symbols
    rest: dict[str, Any] = {
        "id": 1,
        "exchange_id": 2,
        "exchange": SPOT,
        "price_decimals": 1,
        "quantity_decimals": 6,
        "spec_version": 1,
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
    }
    return Symbol(**rest, **msgspec.structs.asdict(read.spec))


CASES = (
    _case("read", get_exchange_by_enum, ExchangeEnum.MEXC),
    _case("read", get_exchange_by_id, 1),
    _case("read", get_all_active_exchanges),
    _case("read", get_all_exchanges),
    _case("read", get_exchanges_by_market_type, "spot"),
    _case("read", get_exchange_stats),
    _case("read", get_exchange_history, 1),
    _case("read", get_exchange_as_of, 1, now),
    # It writes only where a row is missing.
    _case("read", ensure_exchanges_populated),
    _case("read", get_symbol, SPOT, "BTC/USDT"),
    _case("read", get_symbol_by_native, SPOT, "BTC_USDT"),
    _case("read", get_symbol_as_of, SPOT, "BTC/USDT", now),
    _case("read", get_import, 1),
    _case("read", get_symbol_history, SPOT, "BTC/USDT"),
    _case("read", list_imports, SPOT),
    _case("read", get_symbol_stats),
    _case("read", list_symbols, SPOT, base="BTC", quote="USDT", kind="SPOT"),
    _case("read", list_symbols_as_of, SPOT, now),
    _case("read", search_symbols, "btc"),
    _case("read", get_symbol_by_id, 1),
    _case("read", get_symbols_by_ids, [1, 2]),
    _case("read", get_symbols, SPOT, ["BTC/USDT"]),
    _case("read", common_symbols, SPOT, FUTURES),
    _case("read", diff_symbols, SPOT, LONG_AGO),
    _case("read", can_trade, symbol=a_symbol, side="BUY"),
    _case("read", get_symbol_raw, SPOT, "BTC/USDT"),
    _case("read", list_symbol_lists),
    _case("read", get_freshness),
    _case("read", get_fees, a_symbol),
    _case("read", list_account_fees, SPOT),
    _case("read", get_account_fee_history, SPOT),
    _case("read", list_holds, FUTURES),
    _case("read", get_hold_history, FUTURES),
    _case("write", hold_symbol, SPOT, "BTC/USDT", reason="a trial"),
    _case("write", hold_exchange, SPOT, reason="a trial"),
    _case("write", release_symbol, FUTURES, "NEW_USDT", native=True),
    _case("write", release_exchange, MEXC),
    _case("write", set_account_fees, SPOT, maker="0.0005", taker="0.0005"),
    _case("write", forget_account_fees, SPOT),
    _case("write", insert_exchange, an_exchange),
    _case("write", update_exchange, 1, {"display_name": "Other"}),
    _case("write", deactivate_exchange, 3),
    _case("write", activate_exchange, 3),
    _case("transaction", import_symbols, MEXC, NEW_SYMBOLS, listing="SPOT"),
    _case("transaction", import_specs, MEXC, "SPOT", [a_symbol()], source="own"),
    _case("transaction", sync_symbols, MEXC),
    # Tables of the system's that are empty: what it writes then is that no sequence stands behind its table.
    _case(
        "transaction",
        adopt_symbols,
        "pg_catalog",
        exchanges_table="pg_foreign_server",
        symbols_table="pg_foreign_table",
        dry_run=False,
    ),
    _case("read", list_prunes),
    _case("transaction", prune_history, now),
    _case("validation", validate_exchanges, lookups=5, target_ms=1000),
)
CALLS = {case.name: case for case in CASES}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def functions_with_db() -> set[str]:
    """The public functions that ask a database: each coroutine function of the door with a parameter `db`.

    But for keep_synced, which never ends by itself, and waits for a database where others raise an error.
    """
    door = {name: getattr(exchanges_db, name) for name in exchanges_db.__all__}
    return {
        name
        for name, value in door.items()
        if inspect.iscoroutinefunction(value) and "db" in inspect.signature(value).parameters and name != "keep_synced"
    }


async def expect_failure(call: Case, db: Any, kind: type[Exception] | tuple[type[Exception], ...], said: str) -> None:
    """Fail unless the call raises `kind`, with `said` in its message; of a validation the first check says it.

    But that all connections are in use says nothing of the database, and a validation raises it as others do.
    """
    if call.kind == "validation" and kind is not PoolTimeout:
        report = await call(db)
        assert not report.passed
        assert re.search(said, report.checks[0].detail)
        return
    with pytest.raises(kind, match=said):
        await call(db)
