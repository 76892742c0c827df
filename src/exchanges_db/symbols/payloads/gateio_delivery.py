"""Gate.io dated contracts: GET /api/v4/delivery/{settle}/contracts, rows like those of perpetuals with an expire_time.

The documents name the settlement USDT only; a saved list of contracts that settle in BTC is read, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads import gateio_contracts
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.reading import Payload

_LISTS = {
    Listing(SymbolKind.FUTURE, "USDT"): Request("/api/v4/delivery/usdt/contracts", gateio_contracts.HEADERS),
}


class GateioDelivery:
    """Reads the lists of Gate.io dated contracts."""

    name = "gateio_delivery"
    exchange = "GATEIO_FUTURES"
    version = 1
    volatile = gateio_contracts.VOLATILE
    index: Request | None = None
    # Read where somebody has one, but not asked for.
    unasked = (Listing(SymbolKind.FUTURE, "BTC"),)

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return the one list that the documents name."""
        return _LISTS

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        return document.top is None and document.has_keys(
            "name", "quanto_multiplier", "order_price_round", "expire_time"
        )

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols in it, all of which settle in the listing's currency."""
        return gateio_contracts.read_contracts(document, listing=listing, source=self.name, observed_at=observed_at)
