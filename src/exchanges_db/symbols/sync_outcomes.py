"""What became of each list that a sync asked for."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.report import ImportReport
from exchanges_db.symbols.saved_lists import SavedList


class SyncOutcome(StrEnum):
    """What became of a list.

    APPLIED: it changed symbols. UNCHANGED: it confirmed what is known. REFUSED: a brake stopped it. FAILED: it could
    not be had, read or stored.
    """

    APPLIED = "APPLIED"
    UNCHANGED = "UNCHANGED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class ListOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one list; of a dry run, what would.

    Attributes:
        listing: None where that was not known yet: an index failed, or the exchange cannot be asked at all.
        index_of: the reader whose index it is; None for a list.
        observed_at: the database's clock just before the exchange was asked; None where it was not asked.
        report: of the import, applied or refused; None where there was nothing to import.
        error: why it was refused or failed, with the exchange's own words; None otherwise.
        retry_after: the seconds for which the exchange asks to be left alone, if it does.
        saved: the files that keep what was fetched, where that was wanted.
    """

    exchange: str
    listing: Listing | None
    index_of: str | None = None
    outcome: SyncOutcome
    observed_at: datetime | None = None
    report: ImportReport | None = None
    error: str | None = None
    retry_after: float | None = None
    saved: SavedList | None = None

    @property
    def subject(self) -> str:
        """The list as text, or whose index it is."""
        if self.listing is not None:
            return str(self.listing)
        return "every list" if self.index_of is None else f"index of {self.index_of}"

    @property
    def is_good(self) -> bool:
        """Whether what is known of the list is as fresh as it can be."""
        return self.outcome in (SyncOutcome.APPLIED, SyncOutcome.UNCHANGED)
