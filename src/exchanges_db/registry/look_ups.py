"""All look-ups of a registry: from memory, without an await or anything that waits for a lock.

Each has the name of the function that asks the database, or that name without `get_` where it raises an error and the
other gives `default`. All raise RegistryStale where the registry is stale and was told to raise then.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NoReturn, overload

from exchanges_db.errors import InvalidArgument, shown
from exchanges_db.exchanges.enums import MarketType
from exchanges_db.exchanges.names import check_exchange, check_exchanges
from exchanges_db.registry import judging
from exchanges_db.registry.bindings import OnAmbiguous, OnListed, bind
from exchanges_db.registry.exchange_look_ups import ExchangeLookUps
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.hooks import check_hook
from exchanges_db.registry.models import RegistrySymbol
from exchanges_db.registry.names import place_of
from exchanges_db.registry.places import Place
from exchanges_db.registry.served import Served
from exchanges_db.registry.state import RegistryState
from exchanges_db.registry.symbol_look_ups import SymbolLookUps, by_place_and_name
from exchanges_db.registry.views import View
from exchanges_db.symbols.enums import OrderType, Side, SymbolKind, is_live
from exchanges_db.symbols.fees import Fees, check_paid, fees_of
from exchanges_db.symbols.judge import TradeAnswer
from exchanges_db.symbols.look_ups import check_filters, check_tradable, no_longer_there
from exchanges_db.symbols.models import NamedSymbol, Symbol
from exchanges_db.symbols.questions import is_called_alike


class LookUps(ExchangeLookUps, SymbolLookUps):
    """What can be asked of a registry. A Registry inherits it, and lets `_served` follow before all others.

    Attributes:
        by_id: every symbol that has rules, delisted ones too: `by_id[symbol_id]`; the same object always. An id that
            is not there raises SymbolNotFound. It is changed in place: go through a copy, as of a View.
    """

    def __init__(self, served: Served | None = None) -> None:
        self._served = Served() if served is None else served
        self.by_id = self._served.by_id
        self._pair_ids = self._served.pair_ids

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "a registry cannot be copied or sent to another process, where nothing would follow the database: make one "
            "there, or send its file"
        )

    @property
    @abstractmethod
    def state(self) -> RegistryState:
        """LOADING, LIVE, STALE or CLOSED."""

    @abstractmethod
    def now(self) -> datetime | None:
        """Return what time it is on the server; None where it never answered."""

    @abstractmethod
    def follow(self, follower: Follower) -> None:
        """Tell a follower of each snapshot from now on, and of the one that is held now."""

    def symbol_id(self, exchange: Enum | str, base: str, quote: str, kind: SymbolKind | str | None = None) -> int:
        """Return the id of the only live symbol of a pair, as `symbol_by_pair` finds it; fastest without a kind."""
        if kind is None:
            try:
                return self._pair_ids[exchange, base, quote]
            except TypeError:  # what cannot be a key is said below to be no name
                check_exchange(exchange)
        return self.symbol_by_pair(exchange, base, quote, kind).id

    def view(
        self,
        exchange: Enum | str,
        kind: SymbolKind | str | None = None,
        *,
        pairs: bool = True,
        allow_ambiguous: bool = False,
        on_listed: OnListed | None = None,
        on_ambiguous: OnAmbiguous | None = None,
    ) -> View:
        """Return the live symbols of an exchange for the hot path, bound once: see View. Make it once and keep it.

        kind: None where the exchange has one kind, or pairs are not asked for.
        pairs: whether it can be asked by base and quote, too. Without them nothing is ambiguous, and a dict that has
            texts alone for keys is faster.
        allow_ambiguous: whether there may be pairs that several symbols are of; a look-up by one raises then.
        on_listed: is called with each symbol that is new in the view from now on, once it can be looked up.
        on_ambiguous: is called with each Ambiguity, a pair that has several symbols from now on.

        Hooks are called by the registry's event loop, in its thread, after all views have moved on. What they raise is
        logged.

        Raises:
            ExchangeNotFound, InvalidArgument: there is no such exchange or kind, or something cannot be called.
            AmbiguousSymbol: there are pairs that several symbols are of; `.candidates` are their native names.
        """
        for field, said in (("pairs", pairs), ("allow_ambiguous", allow_ambiguous)):
            if type(said) is not bool:
                raise InvalidArgument(f"{field} must be True or False, not {shown(said)}", field=field)
        check_hook(on_listed, "on_listed")
        check_hook(on_ambiguous, "on_ambiguous")
        snapshot = self._served.snapshot
        binding = bind(snapshot, exchange, kind, on_listed=on_listed, on_ambiguous=on_ambiguous, pairs=pairs)
        view = binding.view(allow_ambiguous=allow_ambiguous)
        self.follow(binding)
        return view

    def list_symbols(
        self,
        exchange: Enum | str | Iterable[Enum | str] | None = None,
        *,
        base: str | None = None,
        quote: str | None = None,
        kind: SymbolKind | str | None = None,
        market_type: MarketType | str | None = None,
        tradable: bool | None = True,
        max_age: timedelta | None = None,
    ) -> list[RegistrySymbol]:
        """Return the symbols that fit everything given, by exchange and name: see the function `list_symbols`.

        market_type: of their exchanges, active or not. While the registry is stale, nothing is tradable.

        Raises ExchangeNotFound, InvalidArgument.
        """
        texts = check_exchanges(exchange)
        wanted = check_filters(base=base, quote=quote, kind=kind)
        check_tradable(tradable, max_age)
        market = None if market_type is None else MarketType.parse(market_type)
        now, stale = self._circumstances()  # before the snapshot, which is no older then
        snapshot = self._served.snapshot
        places = snapshot.places.values() if texts is None else [place_of(snapshot, text) for text in texts]

        def fits(place: Place, one: RegistrySymbol) -> bool:
            return (
                wanted["base"] in (None, one.base)
                and wanted["quote"] in (None, one.quote)
                and wanted["kind"] in (None, one.kind)
                and (
                    tradable is None
                    or (is_live(one.status) and not stale and judging.stands_open(place, one, now, max_age)) is tradable
                )
            )

        found = {
            one.id: one
            for place in places
            if market in (None, place.exchange.market_type)
            for one in place.symbols.values()
            if fits(place, one)
        }
        return sorted(found.values(), key=by_place_and_name)

    def get_fees(self, symbol: Symbol, account: str = "default", *, strict: bool = False) -> Fees:
        """Return what an account pays for a symbol: as set for it, else for its exchange, else the list's default.

        strict: refuse to guess: the default of the exchange's list, which no account pays, is no answer.

        Raises:
            FeesUnknown: nothing was set, and there is no such default, or `strict` forbids it.
            SymbolNotFound: there is no such symbol.
            InvalidArgument: `symbol` is no Symbol, `strict` neither True nor False, or the account has an impossible
                name.
        """
        name = check_paid(symbol, account, strict=strict)
        known = self.by_id.get(symbol.id)
        if known is None or not is_called_alike(known, symbol):
            raise no_longer_there(symbol)
        return fees_of(symbol, name, known.account_fees.get(name), strict=strict)

    @overload
    def can_trade(
        self,
        symbol: Symbol | NamedSymbol,
        side: Side | str,
        at: datetime | None = None,
        *,
        order_type: OrderType | str | None = None,
        closing: bool = False,
        max_age: timedelta | None = None,
    ) -> TradeAnswer: ...

    @overload
    def can_trade(
        self,
        exchange: Enum | str,
        symbol: str,
        side: Side | str,
        at: datetime | None = None,
        *,
        order_type: OrderType | str | None = None,
        closing: bool = False,
        max_age: timedelta | None = None,
    ) -> TradeAnswer: ...

    def can_trade(
        self,
        *subject: Any,
        order_type: OrderType | str | None = None,
        closing: bool = False,
        max_age: timedelta | None = None,
        **named: Any,
    ) -> TradeAnswer:
        """Return whether the exchange takes an order, as the function `can_trade` does, by the server's time.

        `at` may lie ahead, not in the past. A stale registry is an obstacle, STALE_REGISTRY, and no error: this answers
        also where look-ups raise RegistryStale.

        Raises:
            InvalidArgument: as there, and where `at` has passed.
            ExchangeNotFound, SymbolNotFound, AmbiguousSymbol: no symbol is meant by the name, or several.
            RegistryStale: nothing was loaded yet.
        """
        now, stale = self._circumstances()
        snapshot = self._served.last or self._served.snapshot
        return judging.can_trade(
            snapshot,
            *subject,
            now=now,
            stale=stale,
            order_type=order_type,
            closing=closing,
            max_age=max_age,
            **named,
        )

    def _circumstances(self) -> tuple[datetime, bool]:
        """Return what time it is by the server's clock, and whether the snapshot may be old.

        Ask for this first and for the snapshot then: one that was taken while the registry was stale is not what was
        proven a moment later, when its thread has the database again.
        """
        # A registry that no server has answered is stale: what time it is then decides nothing.
        return self.now() or datetime.now(UTC), self.state is not RegistryState.LIVE
