"""Gate.io perpetuals: GET /api/v4/futures/{settle}/contracts, asked for with the header that keeps sizes whole."""

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
    Listing(SymbolKind.PERPETUAL, settle.upper()): Request(
        f"/api/v4/futures/{settle}/contracts", gateio_contracts.HEADERS
    )
    for settle in ("usdt", "btc")
}


class GateioFutures:
    """Reads the lists of Gate.io perpetuals."""

    name = "gateio_futures"
    exchange = "GATEIO_FUTURES"
    version = 1
    volatile = gateio_contracts.VOLATILE
    index: Request | None = None

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return one list per settlement."""
        return _LISTS

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        dated = bool(document.rows) and document.has_keys("expire_time")
        return (
            document.top is None and not dated and document.has_keys("name", "quanto_multiplier", "order_price_round")
        )

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols in it, all of which settle in the listing's currency."""
        return gateio_contracts.read_contracts(document, listing=listing, source=self.name, observed_at=observed_at)
