"""Which of an exchange's lists: a kind and, where there are several of one kind, its settlement and underlying."""

from __future__ import annotations

import msgspec

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.rules import check_text


class Listing(msgspec.Struct, frozen=True, order=True):
    """One list of an exchange. Only symbols that it covers can vanish from it.

    As text its parts stand between colons: SPOT, PERPETUAL:USDT, OPTION:USDT:BTC_USDT.

    Attributes:
        kind: of all its symbols.
        settle: what all its contracts settle in; None for spot, and where one list holds every settlement.
        underlying: BASE_QUOTE of its options; None for all else.

    Raises:
        InvalidSymbol: `kind` is no SymbolKind, or one of the others cannot be what it is said to be.
    """

    kind: SymbolKind
    settle: str | None = None
    underlying: str | None = None

    def __post_init__(self) -> None:
        if type(self.kind) is not SymbolKind:
            raise InvalidSymbol(f"kind {shown(self.kind)} is not one of {', '.join(SymbolKind)}", field="kind")
        if self.settle is not None:
            check_text("settle", self.settle)
            if self.kind is SymbolKind.SPOT:
                raise InvalidSymbol("settle is for contracts: a list of spot symbols has none", field="settle")
        if self.underlying is not None:
            check_text("underlying", self.underlying)
            if self.kind is not SymbolKind.OPTION:
                raise InvalidSymbol("underlying is for lists of options", field="underlying")

    @classmethod
    def parse(cls, listing: Listing | str, field: str = "listing") -> Listing:
        """Return `listing`, or what its text says.

        The kind may be in any case; a settlement in small letters alone, as it stands in URLs, is taken in capitals.

        Raises:
            InvalidSymbol: it is no such text; the error names `field`.
        """
        if isinstance(listing, Listing):
            return listing
        parts = listing.split(":", 2) if isinstance(listing, str) else []
        kind = SymbolKind.__members__.get(parts[0].upper()) if parts and parts[0].isascii() else None
        if kind is None:
            raise InvalidSymbol(
                f"{field} {shown(listing)} is no list of symbols: write SPOT, PERPETUAL:USDT or OPTION:USDT:BTC_USDT",
                field=field,
            )
        settle = None if not parts[1:] else parts[1].upper() if parts[1].islower() else parts[1]
        return cls(kind, settle, *parts[2:])

    def covers(self, spec: SymbolSpec) -> bool:
        """Return whether a symbol belongs to this list."""
        return (
            spec.kind is self.kind
            and (self.settle is None or spec.settle == self.settle)
            and (self.underlying is None or f"{spec.base}_{spec.quote}" == self.underlying)
        )

    def overlaps(self, other: Listing) -> bool:
        """Return whether a symbol could belong to both lists."""
        return self.kind is other.kind and all(
            None in pair or pair[0] == pair[1]
            for pair in ((self.settle, other.settle), (self.underlying, other.underlying))
        )

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind.value, self.settle, self.underlying) if part is not None)
