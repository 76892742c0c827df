"""Look-ups of exchanges in memory: what those of the database answer, awaiting nothing."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

from exchanges_db.errors import ExchangeNotFound, shown
from exchanges_db.exchanges.enums import MarketType
from exchanges_db.exchanges.models import StoredExchange
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.exchanges.rules import check_exchange_id, check_field
from exchanges_db.registry.names import place_of
from exchanges_db.registry.served import Served

D = TypeVar("D")


class ExchangeLookUps:
    """The part of a registry's look-ups that is about exchanges. Lists are in the order of names, by code point."""

    _served: Served

    def exchange(self, exchange: Enum | str) -> StoredExchange:
        """Return an exchange, active or not, by an ExchangeEnum, any Enum that stands for the text, or the text.

        The exact spelling is found first, then another case where only one exchange fits.

        Raises:
            InvalidExchange: no exchange could have that name.
            ExchangeNotFound: there is no such exchange; the message names the nearest.
        """
        return place_of(self._served.snapshot, exchange).exchange

    def get_exchange(self, exchange: Enum | str, default: D | None = None) -> StoredExchange | D | None:
        """Return what `exchange` does, or `default` where there is no such exchange."""
        try:
            return self.exchange(exchange)
        except ExchangeNotFound:
            return default

    def get_exchange_by_enum(self, exchange_enum: Enum | str, default: D | None = None) -> StoredExchange | D | None:
        """Return the active exchange that is spelled exactly so, or `default`. Raises InvalidExchange."""
        place = self._served.snapshot.places.get(check_exchange(exchange_enum))
        return place.exchange if place is not None and place.exchange.is_active else default

    def exchange_by_id(self, exchange_id: int) -> StoredExchange:
        """Return the exchange with this id, active or not. Raises ExchangeNotFound, InvalidExchange."""
        found = self.get_exchange_by_id(exchange_id)
        if found is None:
            raise ExchangeNotFound(f"no exchange has the id {shown(exchange_id)}: see `exchanges-db list --all`")
        return found

    def get_exchange_by_id(self, exchange_id: int, default: D | None = None) -> StoredExchange | D | None:
        """Return the exchange with this id, active or not, or `default`. Raises InvalidExchange for what is no id."""
        check_exchange_id(exchange_id)
        place = self._served.snapshot.places_by_id.get(exchange_id)
        return default if place is None else place.exchange

    def exchanges(
        self, *, active: bool | None = None, market_type: MarketType | str | None = None
    ) -> list[StoredExchange]:
        """Return the exchanges, all or those that are active or not, of all market types or of one, by name.

        Raises InvalidExchange for an unknown market type, and where `active` is neither True, False nor None.
        """
        if active is not None:
            check_field("is_active", active)
        wanted = None if market_type is None else MarketType.parse(market_type)
        found = (place.exchange for place in self._served.snapshot.places_by_id.values())
        fitting = (
            one for one in found if active in (None, one.is_active) and (wanted is None or one.market_type is wanted)
        )
        return sorted(fitting, key=lambda one: one.name)

    def get_all_exchanges(self) -> list[StoredExchange]:
        """Return every exchange, active or not, by name."""
        return self.exchanges()

    def get_all_active_exchanges(self) -> list[StoredExchange]:
        """Return every active exchange, by name."""
        return self.exchanges(active=True)

    def get_exchanges_by_market_type(self, market_type: MarketType | str) -> list[StoredExchange]:
        """Return the active exchanges of a market type, by name. Raises InvalidExchange for an unknown type."""
        return self.exchanges(active=True, market_type=MarketType.parse(market_type))
