"""Reads what the database sends a registry: JSON documents, whose equal texts, numbers and times become one object."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, get_args, get_type_hints

import msgspec

from exchanges_db.database.rows import from_database_json, unreadable
from exchanges_db.errors import shown
from exchanges_db.events import event
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import FeeKey, Place
from exchanges_db.registry.snapshot import Entry, News, Snapshot
from exchanges_db.symbols.enums import SidesAllowed, SymbolKind
from exchanges_db.symbols.fees import Fees, FeeSource
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import NamedSymbol, Symbol, SymbolSpec
from exchanges_sql.registry import GetRegistryContentsRow, GetRegistryNewsRow

log = logging.getLogger("exchanges_db")

# The order of the view registry_symbols: what the exchange says, what the database adds, and doubts.
FIELDS = (
    *SymbolSpec.__struct_fields__,
    *(field for field in Symbol.__struct_fields__ if field not in SymbolSpec.__struct_fields__ and field != "exchange"),
    "doubtful_since",
)


_ID, _EXCHANGE_ID, _ORDER_TYPES = (FIELDS.index(field) for field in ("id", "exchange_id", "order_types"))
_HINTS = get_type_hints(RegistrySymbol)
_UNREADABLE = (ValueError, TypeError, InvalidOperation, IndexError)


class _HoldRow(msgspec.Struct):
    exchange_id: int
    native_symbol: str | None
    sides: SidesAllowed
    reason: str
    until_at: datetime | None
    held_by: str


class _FeesRow(msgspec.Struct):
    exchange_id: int
    account: str
    symbol_id: int | None
    maker: Decimal
    taker: Decimal
    set_at: datetime


class _ListRow(msgspec.Struct):
    exchange_id: int
    kind: SymbolKind
    settle: str | None
    underlying: str | None
    source: str
    observed_at: datetime
    changed_at: datetime | None


class _EntryRow(msgspec.Struct, array_like=True):
    epoch: int
    token: str
    changed: str
    ids: list[int] | None
    committed_at: datetime


class _NamedRow(msgspec.Struct, array_like=True):
    id: int
    exchange_id: int
    native_symbol: str
    base: str
    quote: str


_entries = msgspec.json.Decoder(list[_EntryRow])
_exchanges = msgspec.json.Decoder(list[StoredExchange])
_named = msgspec.json.Decoder(list[_NamedRow])
_holds = msgspec.json.Decoder(list[_HoldRow])
_fees = msgspec.json.Decoder(list[_FeesRow])
_lists = msgspec.json.Decoder(list[_ListRow])
_rows = msgspec.json.Decoder(list[list[Any]])


class _Kept(dict[Any, Any]):
    """What was made of each text, so that it is made, and kept, once; nothing is made of None."""

    def __init__(self, make: Callable[[Any], Any]) -> None:
        super().__init__({None: None})
        self._make = make

    def __missing__(self, text: Any) -> Any:
        made = self[text] = self._make(text)
        return made


class Documents:
    """Reads documents, and remembers what it made of texts, numbers and times."""

    def __init__(self) -> None:
        texts, numbers, times = _Kept(str), _Kept(Decimal), _Kept(_time)
        self._columns: list[_Kept | None] = []
        for field in FIELDS:
            kinds = {*get_args(_HINTS[field]), _HINTS[field]}
            enum = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum)), None)
            if enum is not None:
                self._columns.append(_Kept(enum))
            elif field == "order_types":
                self._columns.append(_Kept(_order_types))
            else:
                made = {Decimal: numbers, datetime: times, str: texts}
                self._columns.append(next((made[kind] for kind in kinds if kind in made), None))

    def symbols(self, document: str, exchanges: Mapping[int, str]) -> list[RegistrySymbol]:
        """Return the symbols of a document; one that cannot be read hides no other, but is logged by its name.

        exchanges: the enum_value of each, by id.
        """
        rows = from_database_json(document, _rows)
        if not rows:
            return []
        try:
            return self._made(rows, exchanges)
        except _UNREADABLE:
            return [symbol for row in rows for symbol in self._alone(row, exchanges)]

    def _made(self, rows: list[list[Any]], exchanges: Mapping[int, str]) -> list[RegistrySymbol]:
        """Return the symbols of rows: column by column, because that is faster, each value then made by a look-up."""
        for row in rows:
            if row[_ORDER_TYPES] is not None:
                row[_ORDER_TYPES] = tuple(row[_ORDER_TYPES])
        columns = [
            column if made is None else map(made.__getitem__, column)
            for made, column in zip(self._columns, zip(*rows, strict=True), strict=True)
        ]
        places = [exchanges.get(row[_EXCHANGE_ID], "") for row in rows]
        return [
            RegistrySymbol(exchange=place, **dict(zip(FIELDS, values, strict=True)))
            for place, values in zip(places, zip(*columns, strict=True), strict=True)
        ]

    def _alone(self, row: list[Any], exchanges: Mapping[int, str]) -> list[RegistrySymbol]:
        try:
            return self._made([row], exchanges)
        except _UNREADABLE as exc:
            name = f"{shown(row[0])}, id {row[_ID]}: " if len(row) == len(FIELDS) else ""
            wrong = unreadable(name, str(exc))
            log.error("left out of the registry: %s", wrong, extra=event("row_unreadable"))  # noqa: TRY400 - it says all
            return []

    def contents(self, row: GetRegistryContentsRow, position: Position, symbols: Iterable[str]) -> Snapshot:
        """Return all that there is: symbols as documents, and the rest."""
        exchanges = _by_id(row.exchanges)
        names = {number: exchange.enum_value for number, exchange in exchanges.items()}
        found: dict[int, dict[int, RegistrySymbol | NamedSymbol | None]] = {}
        for document in symbols:
            for symbol in self.symbols(document, names):
                found.setdefault(symbol.exchange_id, {})[symbol.id] = symbol
        for named in _named_symbols(row.named, names):
            found.setdefault(named.exchange_id, {})[named.id] = named
        held, paid, listed = _by_exchange(row.holds, row.fees, row.lists)
        places = {
            number: Place(exchange=exchange).evolved(
                symbols=found.get(number, {}),
                holds=held.get(number, {}),
                fees=paid.get(number, {}),
                lists=listed.get(number, ()),
            )
            for number, exchange in exchanges.items()
        }
        return Snapshot.of(position, places)

    def news(self, row: GetRegistryNewsRow, known: Mapping[int, str]) -> News | None:
        """Return what has changed; None where the log says that everything has. Raises SchemaMismatch.

        known: the enum_value of each exchange that is known already, by id.
        """
        entries = from_database_json(row.log, _entries)
        if any(entry.ids is None for entry in entries):
            return None
        exchanges = _by_id(row.exchanges)
        names = {**known, **{number: exchange.enum_value for number, exchange in exchanges.items()}}
        symbols: dict[int, RegistrySymbol | NamedSymbol] = {one.id: one for one in self.symbols(row.symbols, names)}
        symbols.update((one.id, one) for one in _named_symbols(row.named, names))
        held, paid, listed = _by_exchange(row.holds, row.fees, row.lists)
        return News(
            position=Position(row.epoch, row.token),
            entries=tuple(
                Entry(entry.epoch, entry.changed, frozenset(entry.ids or ()), entry.committed_at) for entry in entries
            ),
            exchanges=exchanges,
            symbols=symbols,
            holds=held,
            fees=paid,
            lists=listed,
        )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _order_types(values: tuple[str, ...]) -> Any:
    kind = get_args(next(one for one in get_args(_HINTS["order_types"]) if get_args(one)))[0]
    return tuple(kind(value) for value in values)


def _by_id(document: str) -> dict[int, StoredExchange]:
    return {one.id: one for one in from_database_json(document, _exchanges)}


def _named_symbols(document: str, exchanges: Mapping[int, str]) -> Iterator[NamedSymbol]:
    for row in from_database_json(document, _named):
        yield NamedSymbol(
            id=row.id,
            exchange_id=row.exchange_id,
            exchange=exchanges.get(row.exchange_id, ""),
            native_symbol=row.native_symbol,
            base=row.base,
            quote=row.quote,
        )


def _by_exchange(
    holds: str, fees: str, lists: str
) -> tuple[dict[int, dict[str | None, Hold]], dict[int, dict[FeeKey, Fees]], dict[int, tuple[ListState, ...]]]:
    held: dict[int, dict[str | None, Hold]] = {}
    for hold in from_database_json(holds, _holds):
        said = Hold(hold.sides, hold.until_at, hold.reason, hold.held_by, hold.native_symbol is None)
        held.setdefault(hold.exchange_id, {})[hold.native_symbol] = said
    paid: dict[int, dict[FeeKey, Fees]] = {}
    for fee in from_database_json(fees, _fees):
        source = FeeSource.EXCHANGE if fee.symbol_id is None else FeeSource.SYMBOL
        paid.setdefault(fee.exchange_id, {})[fee.account, fee.symbol_id] = Fees(
            maker=fee.maker, taker=fee.taker, source=source, since=fee.set_at
        )
    listed: dict[int, tuple[ListState, ...]] = {}
    for one in from_database_json(lists, _lists):
        state = ListState(
            listing=Listing(one.kind, one.settle, one.underlying),
            source=one.source,
            observed_at=one.observed_at,
            changed_at=one.changed_at,
        )
        listed[one.exchange_id] = (*listed.get(one.exchange_id, ()), state)
    return held, paid, listed
