"""What a reader is: which lists of which exchange it reads, how they are asked for, and what their rows mean.

Our own readers and a user's are alike; `readers` knows them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reading import Payload


class Request(msgspec.Struct, frozen=True):
    """How a list is asked for: GET `path` of the exchange's base_url, with `headers`.

    seconds_apart: how far apart two such requests must be at least, where the exchange allows fewer of them than the
        requests per second that its row says; 0 where it does not.
    """

    path: str
    headers: dict[str, str] = {}
    seconds_apart: float = 0.0


@runtime_checkable
class Reader(Protocol):
    """Reads lists of one exchange. An object with these members is one; it needs no base class.

    One may do more: see CompanionReader, TellingReader and SavedListReader.

    Attributes:
        name: unique among readers; stands in the database as the source of what was read.
        exchange: enum_value of the exchange.
        version: raised whenever the same payload would be read otherwise than before.
        volatile: the keys of a row that move by the minute: a change in them alone is no change.
        index: asked first, where the exchange's lists are not fixed, such as one of options per underlying; else None.
    """

    # Properties, so that a frozen object has them, too.
    @property
    def name(self) -> str: ...  # noqa: D102 - see above

    @property
    def exchange(self) -> str: ...  # noqa: D102 - see above

    @property
    def version(self) -> int: ...  # noqa: D102 - see above

    @property
    def volatile(self) -> frozenset[str]: ...  # noqa: D102 - see above

    @property
    def index(self) -> Request | None: ...  # noqa: D102 - see above

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return the lists there are, and how each is asked for.

        index: the answer to `index`; where that was not asked, only the lists that are known without it.
        """
        ...

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this reader's; an empty list has that of every reader.

        It is also asked about payloads of other exchanges. PayloadError, which `document.rows_at` raises, means no.
        """
        ...

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols of `listing`, one of `lists`, in a payload.

        A word that decides about trading and is not known makes a symbol HALTED; a row that cannot be read is
        rejected alone.

        observed_at: when the exchange gave the payload; a time in it that is later lies ahead.
        """
        ...


@runtime_checkable
class CompanionReader(Reader, Protocol):
    """A reader whose exchange also says what became of symbols that the list has no longer.

    Attributes:
        companion: how that is asked for, each time that a list is.
    """

    @property
    def companion(self) -> Request: ...  # noqa: D102 - see above

    def absences(self, companion: bytes) -> Mapping[str, Absence]:
        """Return what the answer to `companion` says, by native symbol.

        Raises PayloadError where it is no such answer; the list is then imported without it.
        """
        ...


@runtime_checkable
class TellingReader(Reader, Protocol):
    """A reader of rows that tell which list they are of, so that it need not be named when a file is imported."""

    def listing_of(self, document: Document) -> Listing | None:
        """Return the list that the rows are of; None where they do not tell."""
        ...


@runtime_checkable
class SavedListReader(Reader, Protocol):
    """A reader that also reads lists for which its exchange is not asked; they are imported from files.

    Attributes:
        unasked: those lists; `lists` has all others.
    """

    @property
    def unasked(self) -> Collection[Listing]: ...  # noqa: D102 - see above
