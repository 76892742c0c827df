"""What an import must know of its exchange's symbols: keys of all of them, and whole rows only where it may matter.

A row whose reader gives the same as before is told by a digest, and not read from the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from hashlib import blake2b

import msgspec

from exchanges_db.database.rows import from_database_json
from exchanges_db.symbols.changes import KnownSymbol, SymbolChange
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_sql.symbol_import import AsyncQuerier

# What to_char makes of a time in UTC.
_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_DEAD, _ELSEWHERE, _LIVE, _NAMED = range(4)


class Key(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What tells whether a list says something else of a symbol; in JSON a list of its fields in this order.

    Attributes:
        state: 0 dead, 1 live in another list, 2 live in this one, 3 known by name only.
        raw_digest: of the stored row of a payload. read_digest: of what its reader gave; None where that is not known,
            or where the symbol was changed since.
    """

    id: int
    native_symbol: str
    state: int
    spec_version: int
    raw_digest: str | None
    read_digest: str | None

    @property
    def is_live(self) -> bool:
        """Whether it is live in this list."""
        return self.state == _LIVE

    @property
    def is_named_only(self) -> bool:
        """Whether it has no rules yet."""
        return self.state == _NAMED


class Known(msgspec.Struct, frozen=True):
    """What is known of the symbols of an exchange, as far as one of its lists may change it.

    Attributes:
        newest: by native symbol the live one, else one that is known by name only, else the last of the dead.
        versions: of every symbol, by id.
        live: how many are live in this list.
        symbols: the whole rows of those that the list may change, oldest first.
        offered: what the list says of them, and of those that nobody knows yet.
        digests: of `offered`, by native symbol.
    """

    newest: dict[str, Key]
    versions: dict[int, int]
    live: int
    symbols: tuple[KnownSymbol, ...]
    offered: tuple[SymbolSpec, ...]
    digests: dict[str, str]


_keys_decoder = msgspec.json.Decoder(list[Key])
_symbols_decoder = msgspec.json.Decoder(list[KnownSymbol])
_encode = msgspec.json.Encoder().encode


async def fetch_known(querier: AsyncQuerier, exchange_id: int, read: Payload, observed_at: datetime) -> Known:
    """Return what is known of an exchange's symbols, beside what a list says of them."""
    listing = read.listing
    document = await querier.get_known_keys(
        kind=listing.kind.value, settle=listing.settle, underlying=listing.underlying, exchange_id=exchange_id
    )
    keys = from_database_json(document or "[]", _keys_decoder)
    newest = _newest(keys)
    offered: list[SymbolSpec] = []
    digests: dict[str, str] = {}
    ids: list[int] = []
    names = {row.native_symbol for row in read.rejected if row.native_symbol is not None}
    for symbol in read.symbols:
        spec = symbol.spec
        name = spec.native_symbol
        names.add(name)
        mark = spec_digest(spec, observed_at)
        key = newest.get(name)
        if key is None or key.read_digest != mark or key.state == _ELSEWHERE:
            offered.append(spec)
            digests[name] = mark
            if key is not None and key.state != _NAMED:
                ids.append(key.id)
    live = [key for key in keys if key.state == _LIVE]
    ids += [key.id for key in live if key.native_symbol not in names]
    symbols = await _symbols(querier, ids)
    return Known(newest, {key.id: key.spec_version for key in keys}, len(live), symbols, tuple(offered), digests)


async def fetch_recent(
    querier: AsyncQuerier, changes: Iterable[SymbolChange], now: datetime, limits: ImportLimits
) -> dict[int, list[SymbolSpec]]:
    """Return what held within `limits.jump_within` of the symbols whose numbers move, by id."""
    ids = [
        change.symbol_id
        for change in changes
        if change.symbol_id is not None and any(limits.factor_of(one.field) is not None for one in change.fields)
    ]
    recent: dict[int, list[SymbolSpec]] = {}
    if ids:
        document = await querier.get_recent_symbols(iso=_ISO, ids=ids, since=now - limits.jump_within)
        for row in from_database_json(document or "[]", _symbols_decoder):
            recent.setdefault(row.id, []).append(row)
    return recent


def spec_digest(spec: SymbolSpec, observed_at: datetime) -> str:
    """Return a short text that differs where specifications differ.

    A time of delisting that is only that of the observation is no part of it: the next list would give another one.
    """
    if spec.delisted_at is not None and spec.delisted_at == observed_at:
        fields = {field: getattr(spec, field) for field in SymbolSpec.__struct_fields__ if field != "delisted_at"}
        return blake2b(_encode(fields), digest_size=12).hexdigest()
    return blake2b(_encode(spec), digest_size=12).hexdigest()


def _newest(keys: Iterable[Key]) -> dict[str, Key]:
    newest: dict[str, Key] = {}
    for key in keys:
        before = newest.setdefault(key.native_symbol, key)
        if before is not key and _rank(key) >= _rank(before):
            newest[key.native_symbol] = key
    return newest


def _rank(key: Key) -> int:
    """Return 2 for a live symbol, 1 for one without rules, which the list may fill, 0 for one that is gone."""
    return {_DEAD: 0, _NAMED: 1}.get(key.state, 2)


async def _symbols(querier: AsyncQuerier, ids: list[int]) -> tuple[KnownSymbol, ...]:
    if not ids:
        return ()
    document = await querier.get_known_symbols(iso=_ISO, ids=ids)
    rows = from_database_json(document or "[]", _symbols_decoder)
    return tuple(rows)
