"""Which symbol somebody means, and what to say to anyone who names one that is not there.

The exact spelling wins. A canonical name in another case is taken where only one symbol differs from it in nothing but
case; the exchange's own names are taken exactly. Looking for other cases costs further statements, so it is done only
after the exact spelling has found nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.errors import AmbiguousSymbol, InvalidSymbol, SymbolNotFound, shown
from exchanges_db.exchanges.names import nearest, spelled
from exchanges_db.symbols.enums import SymbolKind, is_live
from exchanges_sql.symbols import AsyncQuerier

_LONGEST = 200
_MOST_NAMES = 3
_SEE_LIST = "see `exchanges-db symbols list`"
_KINDS = {SymbolKind.SPOT: "spot symbol"}


def check_name(text: str, field: str = "symbol") -> str:
    """Return `text` if a symbol or a currency can be called that; raises InvalidSymbol, which names `field`."""
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST or "\x00" in text or not _encodable(text):
        raise InvalidSymbol(f"{field} must be text of 1 to {_LONGEST} characters", field=field)
    return text


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


async def spelled_symbols(conn: AsyncConnection, place: str, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the exchange and each of `names` as they are spelt there; names that are not there are left out.

    Raises:
        ExchangeNotFound: there is no such exchange.
        AmbiguousSymbol: several names differ from one of `names` in case only.
    """
    exact = await spelled(conn, place)
    spellings = [one async for one in AsyncQuerier(conn).list_symbol_spellings(exchange=exact, symbols=list(names))]
    chosen = {
        name: choose_spelling(exact, name, [one for one in spellings if one.lower() == name.lower()]) for name in names
    }
    return exact, {name: spelling for name, spelling in chosen.items() if spelling is not None}


def choose_spelling(place: str, name: str, spellings: Sequence[str]) -> str | None:
    """Return the spelling that is meant by `name`; None: there is none. Raises AmbiguousSymbol where several may be."""
    if name in spellings:
        return name
    if len(spellings) > 1:
        candidates = tuple(sorted(spellings))  # the same in memory, and by whatever collation a database sorts
        raise AmbiguousSymbol(
            f"{place} has no symbol {shown(name)}, but several that differ from it in case only: "
            f"{', '.join(map(shown, candidates))}",
            candidates=candidates,
        )
    return spellings[0] if spellings else None


class Named(Protocol):
    """A symbol as a row or as a model."""

    @property
    def native_symbol(self) -> str:
        """The exchange's own name for it."""

    @property
    def status(self) -> str:
        """A SymbolStatus or its text."""


N = TypeVar("N", bound=Named)


def the_one(place: str, name: str, called_so: Sequence[N]) -> N:
    """Return the first of the symbols that one name was given to, of which live ones come first.

    Raises:
        AmbiguousSymbol: several of them are live. It is the exchange's own names that tell them apart.
    """
    live = [symbol for symbol in called_so if is_live(symbol.status)]
    if len(live) > 1:
        natives = tuple(sorted(symbol.native_symbol for symbol in live))
        raise AmbiguousSymbol(
            f"{place} has several live symbols called {shown(name)}: ask for one by the exchange's own name, "
            f"{' or '.join(map(shown, natives))}",
            candidates=natives,
        )
    return called_so[0]


async def symbol_not_found(conn: AsyncConnection, place: str, name: str) -> SymbolNotFound:
    """Return the error for a name that an exchange does not have, with what it may be called there."""
    exact = await spelled(conn, place)
    querier = AsyncQuerier(conn)
    if await querier.get_named_symbol_id(exchange=exact, native_symbol=name) is not None:
        return known_by_name_only(exact, name)
    return not_called(exact, name, [row async for row in querier.list_symbol_names(exchange=exact)])


class Candidate(Protocol):
    """A symbol that may be meant, as a row or as a model."""

    @property
    def symbol(self) -> str:
        """Its canonical name."""

    @property
    def native_symbol(self) -> str:
        """The exchange's own name for it."""

    @property
    def base(self) -> str:
        """What is traded."""

    @property
    def quote(self) -> str:
        """What it is paid with."""

    @property
    def kind(self) -> str:
        """A SymbolKind or its text."""


def known_by_name_only(place: str, name: str) -> SymbolNotFound:
    """Return the error for a name of a symbol that no list has given rules to."""
    return SymbolNotFound(f"{place} has no rules for {shown(name)}: it is known by name only, and in no list since")


def not_called(place: str, name: str, known: Sequence[Candidate], *, native: bool = False) -> SymbolNotFound:
    """Return the error for a name that an exchange does not have; `known` are its live symbols.

    native: it was asked for by the exchange's own names, so that no other name helps.
    """
    what = "native symbol" if native else "symbol"
    return SymbolNotFound(f"{place} has no {what} {shown(name)}: {advice(name, known, native=native)}")


def advice(name: str, known: Sequence[Candidate], *, native: bool = False) -> str:
    """Return in words which of some live symbols, by name, may be meant, or where to look for it."""
    pair = _letters(name.partition(":")[0])
    same = [row for row in known if _letters(row.base + row.quote) == pair]
    if same:
        named = ((_kind(row.kind), row.native_symbol if native else row.symbol) for row in same[:_MOST_NAMES])
        return ", ".join(f"the {kind} is called {called}" for kind, called in named)
    canonical = [] if native else [row.symbol for row in known]
    near = nearest(name, [*canonical, *(row.native_symbol for row in known)])
    if near:
        return f"did you mean {' or '.join(near)}?"
    # What a terminal would obey is not written into advice.
    return f"see `exchanges-db symbols search {shlex.quote(name)}`" if name.isprintable() else _SEE_LIST


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _kind(kind: str) -> str:
    return _KINDS.get(SymbolKind(kind), kind.lower())


def check_names(names: Iterable[str]) -> list[str]:
    """Return the names of several symbols, each once; raises InvalidSymbol, also for a single text."""
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InvalidSymbol("symbols must be a list of names", field="symbols")
    return [*dict.fromkeys(check_name(name, "symbols") for name in names)]
