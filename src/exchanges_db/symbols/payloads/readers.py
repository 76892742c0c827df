"""Which reader reads a payload: the one whose list has its shape.

The shape of a payload tells which exchange sent it; where that is another exchange than it was given for,
`read_payload` says so in `foreign`.
"""

from __future__ import annotations

from datetime import datetime
from types import ModuleType

import msgspec

from exchanges_db.errors import PayloadError, shown
from exchanges_db.exchanges.enums import ExchangeEnum
from exchanges_db.symbols.payloads import gateio_futures, gateio_spot, mexc_spot
from exchanges_db.symbols.payloads.reading import Payload, split

READERS: dict[str, ModuleType] = {
    ExchangeEnum.MEXC.value: mexc_spot,
    ExchangeEnum.GATEIO.value: gateio_spot,
    ExchangeEnum.GATEIO_FUTURES.value: gateio_futures,
}


def read_payload(exchange: str, payload: bytes, *, settle: str = "usdt", observed_at: datetime) -> Payload:
    """Return every symbol that `payload` lists, exactly, and what could not be read of it.

    exchange: enum_value of the exchange it was asked from; `.foreign` is set when it looks like another's.
    settle: what Gate.io futures contracts settle in; it stands in the URL, not in the rows.
    observed_at: when the exchange gave it; a time in it that is later than this lies ahead.

    Raises:
        PayloadError: it is not JSON, is cut off, is an error message, or is not a list of symbols that a reader knows.
        InvalidSymbol: `settle` is no currency.
    """
    if not isinstance(payload, bytes):
        raise PayloadError(f"a payload is the bytes that the exchange sent, not {shown(payload)}")
    document = split(payload)
    looks_like = [name for name, reader in READERS.items() if reader.looks_like(document)]
    if not looks_like:
        raise PayloadError(
            f"this is no list of symbols of {', '.join(READERS)}: save the whole answer of the exchange, as it came"
        )
    source = exchange if exchange in looks_like else looks_like[0]
    read: Payload = READERS[source].read(document, settle=settle, observed_at=observed_at)
    if source != exchange:
        read = msgspec.structs.replace(read, foreign=f"it reads like a payload of {source}, not of {exchange}")
    return read
