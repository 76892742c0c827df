"""What an import of symbols changes, or has changed, and the error that carries it when a brake stops the import."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import msgspec

from exchanges_db.errors import ExchangesDBError
from exchanges_db.symbols.brakes import BrakeHit, HeldBack
from exchanges_db.symbols.changes import ChangeKind, SymbolChange
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.reading import RejectedRow, UnknownValue


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a payload changes, or has changed.

    Attributes:
        listing: which list it is; source: the reader, or the user's own source, that it is from.
        applied: whether it was written; False for a dry run.
        changes: one entry per symbol that changes; unchanged: how many other symbols the payload lists.
        rejected: rows that cannot be read, each with its reason; their symbols stay as they are.
        unknown_fields, unknown_values: what the payload has that its reader does not know.
        unsatisfiable: native symbols whose limits no order can keep to; they are stored, and not tradable.
        ambiguous: canonical names that several live symbols have, with their native symbols; `get_symbol` refuses to
            choose between them.
        brakes: reasons for which the list is refused, each with whether it was allowed.
        held_back: rows that are not believed; their symbols stay as they are, and are DOUBTFUL once this is applied.
        payload_sha256: of the payload; where there was none, of the specifications. payload_size: in bytes.
        moment: since when what was changed holds; import_id: its row in the ledger. None where it was not applied.
    """

    exchange: str
    listing: Listing
    source: str
    observed_at: datetime
    applied: bool
    changes: tuple[SymbolChange, ...]
    unchanged: int
    rejected: tuple[RejectedRow, ...]
    unknown_fields: tuple[str, ...]
    unknown_values: tuple[UnknownValue, ...]
    unsatisfiable: tuple[str, ...]
    ambiguous: dict[str, tuple[str, ...]]
    brakes: tuple[BrakeHit, ...]
    held_back: tuple[HeldBack, ...] = ()
    payload_sha256: str | None = None
    payload_size: int | None = None
    moment: datetime | None = None
    import_id: int | None = None

    def counts(self) -> dict[str, int]:
        """Return how many symbols each kind of change has."""
        counted = Counter(change.kind for change in self.changes)
        return {kind.value: counted[kind] for kind in ChangeKind}


class ImportRefused(ExchangesDBError):
    """A brake has stopped an import; nothing was written. `report` tells what it would have changed."""

    def __init__(self, message: str, *, report: ImportReport) -> None:
        super().__init__(message)
        self.report = report
