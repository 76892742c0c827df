"""Packs a snapshot into bytes and back; a file's frame, its checksum and its version are not looked at here."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.registry.columns import FIELDS, Column, ColumnReader, ColumnWriter, Tables
from exchanges_db.registry.filling import filled, said_of_the_whole
from exchanges_db.registry.models import ListState, Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.symbols.fees import Fees
from exchanges_db.symbols.judge import Hold
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import NamedSymbol

# Which fields a version knows: where a file has another, it was made by another version.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "RegistrySymbol": FIELDS,
    **{kind.__name__: kind.__struct_fields__ for kind in (StoredExchange, NamedSymbol, Hold, Fees, ListState, Listing)},
}


class _PackedPlace(msgspec.Struct, array_like=True):
    exchange: StoredExchange
    columns: list[Column]
    named: list[NamedSymbol]
    holds: list[tuple[str | None, Hold]]
    fees: list[tuple[str, int | None, Fees]]
    lists: tuple[ListState, ...]


class _Packed(msgspec.Struct, array_like=True):
    position: Position
    log_version: int
    tables: Tables
    places: list[_PackedPlace]


_decoder = msgspec.msgpack.Decoder(_Packed)


def pack(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    writer = ColumnWriter()
    places = [
        _PackedPlace(
            place.exchange,
            writer.columns(list(place.symbols.values())),
            list(place.named.values()),
            list(place.holds.items()),
            [(account, number, one) for (account, number), one in place.fees.items()],
            place.lists,
        )
        for place in snapshot.places_by_id.values()
    ]
    return msgspec.msgpack.encode(_Packed(snapshot.position, snapshot.log_version, writer.tables(), places))


def unpack(content: bytes | memoryview) -> Snapshot:
    """Return the snapshot that was packed.

    Raises:
        ValueError, LookupError, TypeError: this version cannot read it.
    """
    packed = _decoder.decode(content)
    reader = ColumnReader(packed.tables)
    places = (_unpacked(one, reader) for one in packed.places)
    return Snapshot.of(packed.position, {place.exchange.id: place for place in places}, packed.log_version)


def _unpacked(packed: _PackedPlace, reader: ColumnReader) -> Place:
    holds = dict(packed.holds)
    fees = {(account, number): one for account, number, one in packed.fees}
    whole_hold, whole_fees = said_of_the_whole(holds, fees)
    return filled(
        packed.exchange,
        reader.symbols(packed.columns, packed.exchange.enum_value, whole_hold, whole_fees),
        named={one.id: one for one in packed.named},
        holds=holds,
        fees=fees,
        lists=packed.lists,
    )
