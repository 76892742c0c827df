"""Snapshots for tests: small ones by hand, and of every shape for hypothesis."""

from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from exchanges_db import MarketType, NamedSymbol, SidesAllowed, SymbolKind
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.columns import FIELDS
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.fees import Fees, FeeSource
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
_NAMES = st.sampled_from(["BTC", "ETH", "USDT", "永续", "B\\", "a\u202eb", "x" * 50])
_TEXTS = st.one_of(_NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
_TIMES = st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(fold=0))  # UTC has no second hour
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: _NAMES,
    int: st.integers(0, 2**31 - 1),
    bool: st.booleans(),
    Decimal: st.one_of(
        st.sampled_from(list(map(Decimal, ("1", "1.0", "1E+2", "0E-10", "1E-10", "100", "-0.0")))),
        st.decimals(allow_nan=False, allow_infinity=False),
    ),
    datetime: _TIMES,
}


def an_exchange(number: int = 1, **fields: Any) -> StoredExchange:
    """A row of `exchanges`."""
    name = f"E{number}"
    given = {"name": name, "enum_value": name, "display_name": name, "market_type": MarketType.SPOT} | fields
    return StoredExchange(id=number, created_at=NOW, updated_at=NOW, version=1, **given)


def a_symbol(number: int, exchange: int = 1, **fields: Any) -> RegistrySymbol:
    """A symbol of an exchange, with what the database adds."""
    name = f"C{number}"
    given: dict[str, Any] = {
        "native_symbol": f"{name}_USDT", "symbol": f"{name}/USDT", "base": name, "quote": "USDT", "kind": "SPOT",
        "price_tick": Decimal("0.05"), "quantity_step": Decimal("0.001"), "status": "TRADING", "sides": "ALL",
        "price_decimals": 2, "quantity_decimals": 3, "spec_version": 1, "created_at": NOW, "updated_at": NOW,
        **fields,
    }  # fmt: skip
    for field, kind in get_type_hints(RegistrySymbol).items():
        if field in ("kind", "status", "sides") and isinstance(given[field], str):
            given[field] = kind(given[field])
    return RegistrySymbol(id=number, exchange_id=exchange, exchange=f"E{exchange}", **given)


def a_snapshot(count: int = 3, *, epoch: int = 7, token: str = "11111111-1111-1111-1111-111111111111") -> Snapshot:
    """An exchange with symbols, a hold of one of them and of it, fees of one of them and of it, and a list."""
    hold = Hold(SidesAllowed.BUY, NOW, "their keys leaked", "somebody", whole=True)
    fees = {
        ("default", None): Fees(
            maker=Decimal("0.0010"), taker=Decimal("-0.0002"), source=FeeSource.EXCHANGE, since=NOW
        ),
        ("default", 1): Fees(maker=Decimal("0"), taker=Decimal("1E-10"), source=FeeSource.SYMBOL, since=NOW),
    }
    state = ListState(listing=Listing(SymbolKind.SPOT), source="gateio_spot", observed_at=NOW, changed_at=None)
    full = Place(exchange=an_exchange()).evolved(
        symbols={
            **{number: a_symbol(number, full_name=f"Coin {number}") for number in range(1, count + 1)},
            1000: NamedSymbol(id=1000, exchange_id=1, exchange="E1", native_symbol="OLD", base="O", quote="LD"),
        },
        holds={None: hold, "C1_USDT": Hold(SidesAllowed.ALL, None, "why", "somebody")},
        fees=fees,
        lists=(state,),
    )
    return Snapshot.of(Position(epoch, token), {1: full, 2: Place(exchange=an_exchange(2))})


def _of(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if get_origin(kind) in (UnionType, None) and get_args(kind):
        return st.one_of(*(st.none() if one is NoneType else _of(one) for one in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(_of(get_args(kind)[0]), max_size=3).map(tuple)
    return st.sampled_from(list(kind))


_SYMBOL = {field: _of(kind) for field, kind in get_type_hints(RegistrySymbol).items() if field in FIELDS}
_SYMBOL |= {field: _SYMBOL[field].filter(bool) for field in ("price_tick", "quantity_step")}
_HOLDS = st.builds(Hold, st.sampled_from(SidesAllowed), st.none() | _TIMES, _TEXTS, st.none() | _TEXTS, st.booleans())
_FEES = st.builds(
    Fees, maker=_SIMPLE[Decimal], taker=_SIMPLE[Decimal], source=st.sampled_from(FeeSource), since=st.none() | _TIMES
)
_LISTS = st.builds(
    ListState,
    listing=st.sampled_from([Listing(SymbolKind.SPOT), Listing(SymbolKind.OPTION, "USDT", "BTC_USDT")]),
    source=_TEXTS,
    observed_at=_TIMES,
    changed_at=st.none() | _TIMES,
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Any snapshot: symbols with and without rules, of equal names too, holds, fees and lists."""
    places = {}
    ids = iter(range(1, 100))
    for number in range(1, draw(st.integers(0, 3)) + 1):
        symbols: dict[int, Any] = {}
        for symbol_id in (next(ids) for _ in range(draw(st.integers(0, 5)))):
            fields = draw(st.fixed_dictionaries(_SYMBOL)) | {"id": symbol_id, "exchange_id": number}
            symbols[symbol_id] = RegistrySymbol(exchange="", **fields)
        for symbol_id in (next(ids) for _ in range(draw(st.integers(0, 2)))):
            symbols[symbol_id] = NamedSymbol(
                id=symbol_id, exchange_id=number, exchange=f"E{number}",
                native_symbol=draw(_TEXTS), base=draw(_TEXTS), quote=draw(_TEXTS),
            )  # fmt: skip
        natives = [one.native_symbol for one in symbols.values()]
        places[number] = Place(exchange=an_exchange(number)).evolved(
            symbols=symbols,
            holds=draw(st.dictionaries(st.sampled_from([None, "GONE", *natives]), _HOLDS, max_size=3)),
            fees=draw(st.dictionaries(st.tuples(_TEXTS, st.sampled_from([None, 999, *symbols])), _FEES, max_size=3)),
            lists=tuple(draw(st.lists(_LISTS, max_size=2, unique_by=lambda one: one.listing))),
        )
    numbers = st.integers(0, 2**63 - 1)
    token = draw(_TEXTS.filter(lambda text: "\0" not in text))
    return Snapshot.of(Position(draw(numbers), token), places, draw(numbers))
