"""Reads what the database sends a registry: JSON documents, whose equal texts, numbers and times become one object."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import TypeVar

import msgspec

from exchanges_db.database.rows import from_database_json, unreadable
from exchanges_db.errors import shown
from exchanges_db.events import event
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.filling import filled, said_of_the_whole
from exchanges_db.registry.models import ListState, Position, RegistrySymbol
from exchanges_db.registry.places import FeeKey, Place
from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
from exchanges_db.symbols.enums import SidesAllowed, SymbolKind
from exchanges_db.symbols.fees import Fees, FeeSource
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import NamedSymbol, fields_of
from exchanges_sql.registry import GetRegistryContentsRow, GetRegistryNewsRow

log = logging.getLogger("exchanges_db")

# Equal ones of these become one object.
_NUMBERS = fields_of(RegistrySymbol, Decimal)
_SHARED = (
    *("exchange", "base", "quote", "settle", "source", "order_types"),
    *fields_of(RegistrySymbol, datetime),
)
_set = msgspec.structs.force_setattr
R = TypeVar("R", bound=msgspec.Struct)


_ROOM = 50_000  # values, about 5 MB


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


class _NameRow(msgspec.Struct):
    exchange: str
    native_symbol: str
    id: int


_entries = msgspec.json.Decoder(list[_EntryRow])
_exchanges = msgspec.json.Decoder(list[StoredExchange])
_named = msgspec.json.Decoder(list[_NamedRow])
_holds = msgspec.json.Decoder(list[_HoldRow])
_fees = msgspec.json.Decoder(list[_FeesRow])
_lists = msgspec.json.Decoder(list[_ListRow])
_symbols = msgspec.json.Decoder(list[RegistrySymbol])
_one_symbol = msgspec.json.Decoder(RegistrySymbol)
_raw = msgspec.json.Decoder(list[msgspec.Raw])
_name = msgspec.json.Decoder(_NameRow)


class Documents:
    """Reads documents, and remembers the texts, numbers and times in them, but not for ever those of news.

    Each change of a symbol has a time that no other has. So what is remembered is put aside when it has grown by
    _ROOM, and forgotten at the next time, unless it was met again.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, Decimal] = {}
        self._others: dict[object, object] = {}
        self._earlier_numbers, self._earlier_others = self._numbers, self._others
        self._most = _ROOM

    def symbols(self, document: str) -> list[RegistrySymbol]:
        """Return the symbols of a document; one that cannot be read hides no other, but is logged by its name.

        Raises:
            SchemaMismatch: it is no document of symbols at all.
        """
        try:
            found = _symbols.decode(document)
        except msgspec.ValidationError:
            found = [symbol for raw in from_database_json(document, _raw) for symbol in _alone(raw)]
        numbers, earlier_numbers = self._numbers, self._earlier_numbers
        others, earlier_others = self._others, self._earlier_others
        for symbol in found:
            for field in _NUMBERS:
                number = getattr(symbol, field)
                if number is not None:
                    # By their texts: 0.10 is the same number as 0.1, and not the same to whoever shows it.
                    text = str(number)
                    kept = numbers.get(text)
                    if kept is None:
                        kept = numbers[text] = earlier_numbers.get(text, number)
                    if kept is not number:
                        _set(symbol, field, kept)
            for field in _SHARED:
                value = getattr(symbol, field)
                if value is not None:
                    other = others.get(value)
                    if other is None:
                        other = earlier_others.get(value)
                        if other is None:
                            other = value.astimezone(UTC) if isinstance(value, datetime) else value
                        others[value] = other
                    _set(symbol, field, other)
        return found

    def contents(
        self, row: GetRegistryContentsRow, position: Position, symbols: Iterable[RegistrySymbol], log_version: int
    ) -> Snapshot:
        """Return all that there is: symbols, and the rest."""
        self._most = len(self._numbers) + len(self._others) + _ROOM
        exchanges = _by_id(row.exchanges)
        names = {number: exchange.enum_value for number, exchange in exchanges.items()}
        listed: dict[int, list[RegistrySymbol]] = {}
        for symbol in symbols:
            listed.setdefault(symbol.exchange_id, []).append(symbol)
        called: dict[int, dict[int, NamedSymbol]] = {}
        for named in _named_symbols(row.named, names):
            called.setdefault(named.exchange_id, {})[named.id] = named
        held, paid, lists = _by_exchange(row.holds, row.fees, row.lists)
        places: dict[int, Place] = {}
        for number, exchange in exchanges.items():
            holds, fees, of_it = held.get(number, {}), paid.get(number, {}), listed.get(number, [])
            for symbol, (field, said) in product(of_it, _said(holds, fees)):
                _set(symbol, field, said)  # nobody else has seen it yet
            places[number] = filled(
                exchange, of_it, named=called.get(number, {}), holds=holds, fees=fees, lists=lists.get(number, ())
            )
        return Snapshot.of(position, places, log_version)

    def news(
        self,
        row: GetRegistryNewsRow,
        known: Mapping[int, str],
        more: Iterable[RegistrySymbol] = (),
        more_named: Iterable[str] = (),
    ) -> News | None:
        """Return what has changed; None where the log says that everything has. Raises SchemaMismatch.

        known: the enum_value of each exchange that is known already, by id.
        more, more_named: symbols that the row has left out, and documents of those that are known by name only.
        """
        entries = from_database_json(row.log, _entries)
        if any(entry.ids is None for entry in entries):
            return None
        exchanges = _by_id(row.exchanges)
        self._forget()
        names = {**known, **{number: exchange.enum_value for number, exchange in exchanges.items()}}
        symbols: dict[int, RegistrySymbol | NamedSymbol] = {one.id: one for one in (*self.symbols(row.symbols), *more)}
        for document in (row.named, *more_named):
            symbols.update((one.id, one) for one in _named_symbols(document, names))
        held, paid, listed = _by_exchange(row.holds, row.fees, row.lists)
        return News(
            position=Position(row.epoch, row.token),
            entries=tuple(
                LogEntry(entry.epoch, entry.changed, frozenset(entry.ids or ()), entry.committed_at, entry.token)
                for entry in entries
            ),
            exchanges=exchanges,
            symbols=symbols,
            holds=held,
            fees=paid,
            lists=listed,
        )

    def _forget(self) -> None:
        if len(self._numbers) + len(self._others) > self._most:
            self._earlier_numbers, self._earlier_others = self._numbers, self._others
            self._numbers, self._others, self._most = {}, {}, _ROOM


def _said(holds: Mapping[str | None, Hold], fees: Mapping[FeeKey, Fees]) -> list[tuple[str, object]]:
    """Return what each symbol has of its exchange, by field; nothing where there is nothing."""
    hold, paid = said_of_the_whole(holds, fees)
    return [(field, said) for field, said in (("holds", hold), ("account_fees", paid)) if said]


def _alone(raw: msgspec.Raw) -> list[RegistrySymbol]:
    try:
        return [_one_symbol.decode(raw)]
    except msgspec.ValidationError as exc:
        row = _name.decode(raw)
        wrong = unreadable(f"{shown(row.exchange)} {shown(row.native_symbol)}, id {row.id}: ", str(exc))
        log.error("left out of the registry: %s", wrong, extra=event("row_unreadable"))  # noqa: TRY400 - it says all
        return []


def _rows(document: str, decoder: msgspec.json.Decoder[list[R]]) -> list[R]:
    """Return the rows of a document with their times in UTC, whatever time zone the session has written them in."""
    found = from_database_json(document, decoder)
    for field in fields_of(type(found[0]), datetime) if found else ():
        for row in found:
            time = getattr(row, field)
            if time is not None and time.tzinfo is not UTC:
                _set(row, field, time.astimezone(UTC))
    return found


def _by_id(document: str) -> dict[int, StoredExchange]:
    return {one.id: one for one in _rows(document, _exchanges)}


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
    for hold in _rows(holds, _holds):
        said = Hold(hold.sides, hold.until_at, hold.reason, hold.held_by, hold.native_symbol is None)
        held.setdefault(hold.exchange_id, {})[hold.native_symbol] = said
    paid: dict[int, dict[FeeKey, Fees]] = {}
    for fee in _rows(fees, _fees):
        source = FeeSource.EXCHANGE if fee.symbol_id is None else FeeSource.SYMBOL
        paid.setdefault(fee.exchange_id, {})[fee.account, fee.symbol_id] = Fees(
            maker=fee.maker, taker=fee.taker, source=source, since=fee.set_at
        )
    listed: dict[int, tuple[ListState, ...]] = {}
    for one in _rows(lists, _lists):
        state = ListState(
            listing=Listing(one.kind, one.settle, one.underlying),
            source=one.source,
            observed_at=one.observed_at,
            changed_at=one.changed_at,
        )
        listed[one.exchange_id] = (*listed.get(one.exchange_id, ()), state)
    return held, paid, listed
