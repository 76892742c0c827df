"""What an exchange says, apart from its list, of a symbol that the list has no longer."""

from __future__ import annotations

from datetime import datetime

import msgspec

from exchanges_db.symbols.enums import SymbolStatus


class Absence(msgspec.Struct, frozen=True):
    """Why a symbol is not in its list: `status` is HALTED or DELISTED, `since` when, or None where that is not told."""

    status: SymbolStatus
    since: datetime | None = None
