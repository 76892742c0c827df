"""MEXC's list of pairs that were suspended or delisted: GET /api/v3/symbol/offline, asked beside its list of spot.

MEXC's documents of 2026-04: `state` is 2 for suspended and 3 for delisted, `offlineTime` the time of delisting in
milliseconds, which some rows lack.
"""

from __future__ import annotations

from typing import Any

import msgspec

from exchanges_db.errors import PayloadError
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.enums import SymbolStatus
from exchanges_db.symbols.payloads import values
from exchanges_db.symbols.payloads.document import in_its_words, split
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.values import BrokenRow

# It weighs 10 of the 500 that MEXC allows in 10 seconds.
REQUEST = Request("/api/v3/symbol/offline", seconds_apart=0.2)
_STATES = {"2": SymbolStatus.HALTED, "3": SymbolStatus.DELISTED}


class _Row(msgspec.Struct):
    symbol: str
    state: Any
    offlineTime: Any = None  # noqa: N815 - MEXC's own name


def read_offline(payload: bytes) -> dict[str, Absence]:
    """Return what the list says of each pair, by MEXC's own name.

    A row that cannot be read or has a state that is not known says nothing, and neither do two that contradict each
    other: an import then does with the pair as without this list.

    Raises PayloadError where it is no such list.
    """
    document, decode = split(payload), msgspec.json.Decoder(_Row, float_hook=str).decode
    if document.top is None or "data" not in document.top or not document.has_keys("symbol", "state"):
        raise PayloadError(f"this is no list of pairs that MEXC took offline: it says {in_its_words(payload)}")
    told: dict[str, set[Absence]] = {}
    for raw in document.rows:
        try:
            row = decode(raw)
            since = values.moment("offlineTime", row.offlineTime, milliseconds=True)
        except (BrokenRow, msgspec.MsgspecError, UnicodeDecodeError):
            continue
        status = _STATES.get(str(row.state))
        if status is not None:
            told.setdefault(row.symbol, set()).add(Absence(status, since))
    return {symbol: said.pop() for symbol, said in told.items() if len(said) == 1}
