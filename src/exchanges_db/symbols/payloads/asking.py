"""Asking a reader, which may be a user's: what it raises that is none of our errors is told as its own fault."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from exchanges_db.errors import ExchangesDBError, PayloadError, shown
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reader import CompanionReader, Reader, Request, TellingReader
from exchanges_db.symbols.payloads.reading import Payload


@contextmanager
def told_as_its_own(reader: Reader) -> Iterator[None]:
    """Turn whatever else a reader raises into PayloadError, which names the reader; the cause is chained."""
    try:
        yield
    except (ExchangesDBError, MemoryError, RecursionError):
        raise  # the last two say that this process is full
    except Exception as exc:
        text = f"its reader {shown(reader.name)} failed with {type(exc).__name__}: {shown(str(exc))}"
        raise PayloadError(f"{text}; the fault is in the reader, and `check_reader` may find it") from exc


def recognises(reader: Reader, document: Document) -> bool:
    """Return what a reader says of a payload; PayloadError, as of a list that is not where its own stand, means no."""
    with told_as_its_own(reader):
        try:
            return bool(reader.recognises(document))
        except PayloadError:
            return False


def listing_told(reader: Reader, document: Document) -> Listing | None:
    """Return which list the rows are of, where this reader can tell it."""
    with told_as_its_own(reader):
        return reader.listing_of(document) if isinstance(reader, TellingReader) else None


def lists_of(reader: Reader, index: bytes | None = None) -> dict[Listing, Request]:
    """Return the lists that a reader has, by `index` where it needs one."""
    with told_as_its_own(reader):
        return dict(reader.lists(index))


def absences_in(reader: CompanionReader, companion: bytes) -> dict[str, Absence]:
    """Return what a companion says of symbols that the list has no longer."""
    with told_as_its_own(reader):
        return dict(reader.absences(companion))


def read_as(reader: Reader, document: Document, listing: Listing, observed_at: datetime) -> Payload:
    """Return the symbols of a list in a payload."""
    with told_as_its_own(reader):
        return reader.read(document, listing=listing, observed_at=observed_at)
