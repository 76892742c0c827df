"""Packs a snapshot into bytes and back; a file's frame, its checksum and its version are not looked at here."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.rules import INTEGER_MAX
from exchanges_db.registry.columns import FIELDS, Column, ColumnReader, ColumnWriter, Tables, check_numbers
from exchanges_db.registry.filling import filled, said_of_the_whole
from exchanges_db.registry.models import ListState, Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import NamedSymbol, fields_of

# Which fields a version knows: where a file has another, it was made by another version.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "RegistrySymbol": FIELDS,
    **{kind.__name__: kind.__struct_fields__ for kind in (StoredExchange, NamedSymbol, Hold, Fees, ListState, Listing)},
}


class _Beside(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """All of a place but its symbols that have rules."""

    exchange: StoredExchange
    named: list[NamedSymbol]
    holds: list[tuple[str | None, Hold]]
    fees: list[tuple[str, int | None, Fees]]
    lists: tuple[ListState, ...]


class _PackedPlace(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    beside: msgspec.Raw  # a _Beside, which is compared with what is read of it
    columns: list[Column]


class _Packed(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    position: Position
    log_version: int
    tables: Tables
    places: list[_PackedPlace]


_BOUND = 2**63  # of numbers of the log
_all = msgspec.msgpack.Decoder(_Packed)
_beside = msgspec.msgpack.Decoder(_Beside)


def pack(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    writer = ColumnWriter()
    places = [
        _PackedPlace(_packed_beside(place), writer.columns(list(place.symbols.values())))
        for place in snapshot.places_by_id.values()
    ]
    return msgspec.msgpack.encode(_Packed(snapshot.position, snapshot.log_version, writer.tables(), places))


def _packed_beside(place: Place) -> msgspec.Raw:
    beside = _Beside(
        place.exchange,
        list(place.named.values()),
        list(place.holds.items()),
        [(account, number, one) for (account, number), one in place.fees.items()],
        place.lists,
    )
    return msgspec.Raw(msgspec.msgpack.encode(beside))


def unpack(content: bytes | memoryview) -> Snapshot:
    """Return the snapshot that was packed.

    Raises:
        ValueError: this version cannot read it, or it is none that a database can have.
    """
    packed = _all.decode(content)
    epoch, token = packed.position
    if not (0 <= epoch < _BOUND and 0 <= packed.log_version < _BOUND) or "\0" in token:
        raise ValueError("it has a position that no database has")
    reader = ColumnReader(packed.tables)
    places = [_unpacked(one, reader) for one in packed.places]
    snapshot = Snapshot.of(packed.position, {place.exchange.id: place for place in places}, packed.log_version)
    if len(snapshot.places) != len(places) or len(snapshot.places_by_id) != len(places):
        raise ValueError("it has an exchange twice")
    ids = set[int]().union(*(place.symbols for place in places), *(place.named for place in places))
    if len(ids) != sum(len(place.symbols) + len(place.named) for place in places):
        raise ValueError("it has an id of a symbol twice")
    return snapshot


def _unpacked(packed: _PackedPlace, reader: ColumnReader) -> Place:
    beside = _beside.decode(packed.beside)
    # A field that is not known would be left out here, and one that has a default be made up.
    if msgspec.msgpack.encode(beside) != bytes(packed.beside):
        raise ValueError("it has other fields than it says")
    exchange, lists = beside.exchange, beside.lists
    holds = dict(beside.holds)
    fees = {(account, number): one for account, number, one in beside.fees}
    _check_said(*holds.values(), *fees.values(), *lists)
    if any(abs(one.id) > INTEGER_MAX for one in beside.named):
        raise ValueError("it has an id that no database has")
    if any(one.exchange_id != exchange.id for one in beside.named):
        raise ValueError(f"it has symbols of another exchange under {exchange.enum_value}")
    whole_hold, whole_fees = said_of_the_whole(holds, fees)
    symbols = reader.symbols(packed.columns, exchange, whole_hold, whole_fees)
    named = {one.id: one for one in beside.named}
    place = filled(exchange, symbols, named=named, holds=holds, fees=fees, lists=lists)
    kept: tuple[Sized, ...] = (place.symbols, named, holds, fees, {one.listing for one in lists})
    given: tuple[Sized, ...] = (symbols, beside.named, beside.holds, beside.fees, lists)
    if list(map(len, kept)) != list(map(len, given)):
        raise ValueError(f"it has a symbol, a hold, fees or a list twice under {exchange.enum_value}")
    return place


def _check_said(*rows: Hold | Fees | ListState) -> None:
    """Raise ValueError where a time has no time zone, or a number is none."""
    for row in rows:
        check_numbers(_values(row, Decimal))
        if any(time.tzinfo is None for time in _values(row, datetime)):
            raise ValueError("it has a time without a time zone")


def _values(row: msgspec.Struct, kind: type) -> list[Any]:
    return [one for field in fields_of(type(row), kind) if (one := getattr(row, field)) is not None]
