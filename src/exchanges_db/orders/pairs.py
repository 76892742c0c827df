"""Symbols that exchanges have in common, and the grids on which two of them take orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import combinations
from math import lcm

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run
from exchanges_db.errors import InvalidArgument
from exchanges_db.exchanges.names import ask_all_as_spelled, check_exchange
from exchanges_db.symbols.enums import AssetClass, ContractDirection, OptionType, SymbolKind
from exchanges_db.symbols.freshness import check_max_age
from exchanges_db.symbols.models import Symbol
from exchanges_db.symbols.rows import stands_open, to_symbol
from exchanges_sql.symbols import AsyncQuerier, ListSymbolsParams

_Terms = tuple[str | None, datetime | None, Decimal | None, OptionType | None]
_Key = tuple[str, str, AssetClass, _Terms | None]


class CommonSymbol(msgspec.Struct, frozen=True, kw_only=True):
    """Two symbols with the codes of one coin and one currency, each on an exchange of its own.

    Attributes:
        price_tick: the least price step that both exchanges take, in quote.
        quantity_step: the least quantity that is a whole number of steps on both, in base; None where one of them
            counts contracts whose base amount moves with the price (INVERSE, QUANTO).
        names_differ, addresses_differ: both exchanges state the coin's full name, or its contract's address, and they
            disagree: it may be two coins.
        codes_differ: the codes are equal but for the case of their letters.
    """

    a: Symbol
    b: Symbol
    price_tick: Decimal
    quantity_step: Decimal | None
    names_differ: bool
    addresses_differ: bool
    codes_differ: bool

    @property
    def full_names(self) -> tuple[str | None, str | None]:
        """What each exchange calls the coin in full."""
        return self.a.full_name, self.b.full_name

    @property
    def contract_addresses(self) -> tuple[str | None, str | None]:
        """Where each exchange says that the coin's contract is."""
        return self.a.contract_address, self.b.contract_address

    @property
    def is_doubtful(self) -> bool:
        """Whether anything that the exchanges say speaks against one coin."""
        return self.names_differ or self.addresses_differ or self.codes_differ


class SharedName(msgspec.Struct, frozen=True):
    """A canonical name that several live symbols of one exchange have, so that it does not tell which is meant."""

    exchange: str
    symbol: str
    native_symbols: tuple[str, ...]


class CommonSymbols(msgspec.Struct, frozen=True):
    """The pairs, by base and quote, and the names that were left out of them; iterates over the pairs."""

    pairs: list[CommonSymbol]
    left_out: list[SharedName]

    def __iter__(self) -> Iterator[CommonSymbol]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> CommonSymbol:
        return self.pairs[index]


async def common_symbols(
    *exchanges: Enum | str, max_age: timedelta | None = None, db: DatabaseOrConnection | None = None
) -> CommonSymbols:
    """Return every pair of symbols with one base and one quote that two of the exchanges trade now.

    A symbol is traded if an order would be taken now, of one side at least, as `can_trade` judges, and it is
    not ONLY_CLOSING. A spot symbol pairs with a perpetual too; symbols of different asset classes do not pair, and
    one without a class is of a coin. An option pairs with an option of the same terms alone, for its price is a
    premium. Pre-market symbols are in no pair, nor are live symbols of one exchange that share a canonical name:
    `left_out` tells them. Codes that differ in case alone pair where each exchange has one spelling.

    The codes are the exchanges' own: equal codes may be two coins. `is_doubtful` tells where names or addresses speak
    against a pair; where an exchange states neither, compare the prices before you trust it. Codes that count in
    thousands or millions, such as 1000PEPE, are other codes, and do not pair with PEPE.

    max_age: how long ago the exchange may have confirmed a symbol that counts as traded.

    Raises:
        InvalidArgument: there are less than two exchanges, or one is given twice; or `max_age` is unusable.
        ExchangeNotFound: one of them is not there.
    """
    places = [check_exchange(exchange) for exchange in exchanges]
    check_max_age(max_age)
    order = {place.casefold(): number for number, place in enumerate(places)}
    if len(places) < 2 or len(order) < len(places):
        raise InvalidArgument("common_symbols wants two exchanges or more, each once", field="exchanges")

    async def work(conn: AsyncConnection) -> list[tuple[Symbol, bool]]:
        async def fetch(exact: Sequence[str]) -> list[tuple[Symbol, bool]]:
            wanted = ListSymbolsParams(exchanges=list(exact), base=None, quote=None, kind=None, live=True)
            rows = [(row, to_symbol(row)) async for row in AsyncQuerier(conn).list_symbols(wanted)]
            return [(symbol, stands_open(row, symbol, max_age)) for row, symbol in rows]

        return await ask_all_as_spelled(conn, places, fetch)

    listed: list[list[Symbol]] = [[] for _ in places]
    tradable = set()
    for symbol, is_open in await run(db, work):
        listed[order[symbol.exchange.casefold()]].append(symbol)
        if is_open:
            tradable.add(symbol.id)
    return find_pairs(listed, tradable)


def find_pairs(listed: Sequence[Sequence[Symbol]], tradable: Container[int]) -> CommonSymbols:
    """Return what `common_symbols` does, of the live symbols of each exchange and the ids of those that are traded.

    The others are looked at, too: they tell which names and codes an exchange has twice.
    """
    exchanges = [_Codes(symbols, tradable) for symbols in listed]
    pairs = [pair for here, there in combinations(exchanges, 2) for pair in here.pairs_with(there)]
    # sorted() keeps the order of exchanges among pairs that are equal in these.
    pairs.sort(key=lambda pair: (pair.a.base, pair.a.quote, pair.a.symbol, pair.b.symbol))
    return CommonSymbols(pairs, [name for exchange in exchanges for name in exchange.shared])


class _Codes:
    """The symbols of one exchange that may pair, by their codes."""

    def __init__(self, symbols: Sequence[Symbol], tradable: Container[int]) -> None:
        called: dict[str, list[Symbol]] = defaultdict(list)
        self._spellings: dict[str, set[str]] = defaultdict(set)
        self._by_codes: dict[_Key, list[Symbol]] = defaultdict(list)
        for symbol in symbols:
            called[symbol.symbol].append(symbol)
            for code in (symbol.base, symbol.quote):
                self._spellings[code.casefold()].add(code)
        self.shared = [
            SharedName(ones[0].exchange, name, tuple(sorted(one.native_symbol for one in ones)))
            for name, ones in sorted(called.items())
            if len(ones) > 1
        ]
        for symbol in symbols:
            if symbol.id in tradable and symbol.is_premarket is not True and len(called[symbol.symbol]) == 1:
                self._by_codes[_key(symbol)].append(symbol)

    def pairs_with(self, other: _Codes) -> Iterator[CommonSymbol]:
        for key, ours in self._by_codes.items():
            for a in ours:
                for b in other._by_codes.get(key, ()):
                    if all(
                        left == right or (self._has_one_spelling(left) and other._has_one_spelling(right))
                        for left, right in ((a.base, b.base), (a.quote, b.quote))
                    ):
                        yield _pair(a, b)

    def _has_one_spelling(self, code: str) -> bool:
        return len(self._spellings[code.casefold()]) == 1


def _key(symbol: Symbol) -> _Key:
    """Return what two symbols must have in common; for an option that is all of its terms: its price is a premium."""
    codes = symbol.base.casefold(), symbol.quote.casefold()
    terms = None
    if symbol.kind is SymbolKind.OPTION:
        settle = None if symbol.settle is None else symbol.settle.casefold()
        terms = settle, symbol.expires_at, symbol.strike, symbol.option_type
    return *codes, symbol.asset_class or AssetClass.CRYPTO, terms


def _pair(a: Symbol, b: Symbol) -> CommonSymbol:
    return CommonSymbol(
        a=a,
        b=b,
        price_tick=common_grid(a.price_tick, b.price_tick),
        quantity_step=_common_step(_base_step(a), _base_step(b)),
        names_differ=_disagree(a.full_name, b.full_name),
        addresses_differ=_disagree(a.contract_address, b.contract_address),
        codes_differ=(a.base, a.quote) != (b.base, b.quote),
    )


def _disagree(here: str | None, there: str | None) -> bool:
    return here is not None and there is not None and here.casefold() != there.casefold()


def common_grid(a: Decimal, b: Decimal) -> Decimal:
    """Return the least positive number that is a whole multiple of both, exactly: 0.04 and 0.06 meet at 0.12."""
    left, right = Fraction(a), Fraction(b)
    scale = lcm(left.denominator, right.denominator)
    return _decimal(Fraction(lcm(int(left * scale), int(right * scale)), scale))


def _decimal(value: Fraction) -> Decimal:
    """Return a decimal fraction, which `value` must be, with as many decimals as it needs; no context rounds it."""
    decimals = 0
    while (value * 10**decimals).denominator != 1:
        decimals += 1
    return Decimal((0, tuple(map(int, str(int(value * 10**decimals)))), -decimals))


def _base_step(symbol: Symbol) -> Decimal | None:
    if symbol.contract_size is None:
        return symbol.quantity_step
    if symbol.direction is not ContractDirection.LINEAR:
        return None
    return _decimal(Fraction(symbol.quantity_step) * Fraction(symbol.contract_size))


def _common_step(a: Decimal | None, b: Decimal | None) -> Decimal | None:
    return None if a is None or b is None else common_grid(a, b)
