"""A list that a user's own source made, in the form in which a payload is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import sha256

import msgspec

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.reading import Payload, ReadSymbol, RejectedRow
from exchanges_db.symbols.rules import check_text


def as_payload(listing: Listing, specs: Iterable[SymbolSpec], source: str, rejected: Mapping[str, str]) -> Payload:
    """Return the specifications as what a reader would have made of a payload; there are no rows that they are from.

    Raises:
        InvalidSymbol: one of `specs` is no SymbolSpec or belongs to another list, `source` is no text, or `rejected`
            does not map names to reasons.
    """
    check_text("source", source)
    if isinstance(specs, str) or not isinstance(specs, Iterable):
        raise InvalidSymbol("specs must be a list of SymbolSpec", field="specs")
    if not isinstance(rejected, Mapping):
        raise InvalidSymbol("rejected must map native symbols to reasons", field="rejected")
    for name, why in rejected.items():
        check_text("native_symbol", name)
        if not isinstance(why, str):
            raise InvalidSymbol(f"the reason of {shown(name)} in rejected must be text", field="rejected")
    symbols: dict[str, ReadSymbol] = {}
    counts: Counter[str] = Counter()
    for spec in specs:
        if not isinstance(spec, SymbolSpec):
            raise InvalidSymbol(f"specs must hold SymbolSpec only, not {shown(spec)}", field="specs")
        if not listing.covers(spec):
            raise InvalidSymbol(
                f"{shown(spec.native_symbol)} ({spec.symbol}) is not of the list {listing}", field="specs"
            )
        counts[spec.native_symbol] += 1
        symbols[spec.native_symbol] = ReadSymbol(_plain(spec), None)
    return Payload(
        symbols=tuple(symbols.values()),
        rejected=tuple(RejectedRow(at, name, why) for at, (name, why) in enumerate(rejected.items(), len(symbols))),
        duplicates=tuple(sorted(name for name, count in counts.items() if count > 1)),
        unknown_fields=(),
        unknown_values=(),
        listing=listing,
        source=source,
    )


def sha256_of(read: Payload) -> str:
    """Return a SHA-256 of what a source gave, in whatever order: by it is told what was reviewed, as by a payload's."""
    rows = sorted(msgspec.json.encode(symbol.spec) for symbol in read.symbols)
    rows += sorted(msgspec.json.encode((row.native_symbol, row.reason)) for row in read.rejected)
    return sha256(b"\n".join([*rows, msgspec.json.encode(read.duplicates)])).hexdigest()


def _plain(spec: SymbolSpec) -> SymbolSpec:
    """Return a specification alone, also of a Symbol, which is one with more."""
    if type(spec) is SymbolSpec:
        return spec
    return SymbolSpec(**{field: getattr(spec, field) for field in SymbolSpec.__struct_fields__})
