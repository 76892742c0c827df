"""Every reader there is: our own, those of installed packages, those that a program registers; and which reads what.

The shape of a payload tells which exchange sent it, and which list it is; where that is another than it was given for,
`read_payload` says so in `foreign`.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from datetime import datetime
from functools import cache
from importlib.metadata import EntryPoint, entry_points

import msgspec

from exchanges_db.errors import InvalidArgument, PayloadError, shown
from exchanges_db.events import event
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads.asking import absences_in, listing_told, lists_of, read_as, recognises
from exchanges_db.symbols.payloads.document import Document, in_its_words, split
from exchanges_db.symbols.payloads.gateio_delivery import GateioDelivery
from exchanges_db.symbols.payloads.gateio_futures import GateioFutures
from exchanges_db.symbols.payloads.gateio_options import GateioOptions
from exchanges_db.symbols.payloads.gateio_spot import GateioSpot
from exchanges_db.symbols.payloads.mexc_futures import MexcFutures
from exchanges_db.symbols.payloads.mexc_spot import MexcSpot
from exchanges_db.symbols.payloads.reader import CompanionReader, Reader, Request, SavedListReader, TellingReader
from exchanges_db.symbols.payloads.reading import Payload

# A package offers readers by entry points of this group, each of which names a reader, or a class that makes one.
GROUP = "exchanges_db.readers"
_BUILT_IN: tuple[Reader, ...] = (
    MexcSpot(),
    MexcFutures(),
    GateioSpot(),
    GateioFutures(),
    GateioDelivery(),
    GateioOptions(),
)
_registered: dict[str, Reader] = {}
log = logging.getLogger("exchanges_db")


class BrokenReader(msgspec.Struct, frozen=True):
    """An entry point that gives no reader: its name, what it names, and why."""

    name: str
    value: str
    reason: str


def register_reader(reader: Reader) -> None:
    """Make a reader known to this process, beside those that are built in or installed.

    Raises:
        InvalidArgument: it is no Reader, or there is one with its name.
    """
    reason = why_no_reader(reader)
    if reason is None and reader.name in (known.name for known in all_readers()):
        reason = f"there is a reader called {shown(reader.name)} already"
    if reason is not None:
        raise InvalidArgument(f"this cannot be registered as a reader: {reason}", field="reader")
    _registered[reader.name] = reader


def all_readers() -> tuple[Reader, ...]:
    """Return every reader: the built-in ones, those of installed packages, those that were registered."""
    return (*_BUILT_IN, *_installed()[0], *_registered.values())


def broken_readers() -> tuple[BrokenReader, ...]:
    """Return the entry points of installed packages that give no reader; they stop no other."""
    return _installed()[1]


def readers_of(exchange: str) -> tuple[Reader, ...]:
    """Return the readers of an exchange's lists; none where nobody wrote one."""
    return tuple(reader for reader in all_readers() if reader.exchange == exchange)


def why_no_reader(reader: object) -> str | None:
    """Return what a Reader must have and this object has not; None where it is one."""
    if isinstance(reader, type):
        return f"{reader.__name__} is a class: give an object of it"
    if not isinstance(reader, Reader):
        return f"{shown(reader)} has not all members of a Reader: it lacks {', '.join(_missing(reader, Reader))}"
    for member in ("name", "exchange"):
        text = getattr(reader, member)
        if not (type(text) is str and 0 < len(text) <= 100 and text.isprintable() and text == text.strip()):
            return f"its {member} is {shown(text)}"
    if type(reader.version) is not int or reader.version < 1:
        return f"its version is {shown(reader.version)}, not a number from 1 on"
    if not (isinstance(reader.volatile, frozenset) and all(type(key) is str for key in reader.volatile)):
        return "its volatile is not a frozenset of names"
    if not (reader.index is None or isinstance(reader.index, Request)):
        return "its index is neither a Request nor None"
    missing = [name for name in ("lists", "recognises", "read") if not callable(getattr(reader, name))]
    return f"its {missing[0]} is no method" if missing else _why_no_more(reader)


def _why_no_more(reader: Reader) -> str | None:
    """Return what is wrong with what a reader has beyond the members of Reader."""
    if isinstance(reader, CompanionReader):
        if not (isinstance(reader.companion, Request) and callable(reader.absences)):
            return "its companion is no Request, or its absences no method"
    elif hasattr(reader, "companion") or hasattr(reader, "absences"):
        return f"of companion and absences it has one only: it lacks {_missing(reader, CompanionReader)[0]}"
    if isinstance(reader, TellingReader) and not callable(reader.listing_of):
        return "its listing_of is no method"
    if isinstance(reader, SavedListReader) and not (
        isinstance(reader.unasked, Collection) and all(isinstance(one, Listing) for one in reader.unasked)
    ):
        return "its unasked is no collection of Listing"
    return None


def _missing(reader: object, protocol: type) -> list[str]:
    return sorted(name for name in vars(protocol) if not name.startswith("_") and not hasattr(reader, name))


@cache
def _installed() -> tuple[tuple[Reader, ...], tuple[BrokenReader, ...]]:
    good: dict[str, Reader] = {reader.name: reader for reader in _BUILT_IN}
    broken = []
    for point in entry_points(group=GROUP):
        reader, reason = _load(point)
        if reader is not None and reader.name in good:
            reason = f"there is a reader called {shown(reader.name)} already"
            reader = None
        if reader is None:
            log.warning(
                "the entry point %s of the group %s gives no reader: %s",
                point.name,
                GROUP,
                reason,
                extra=event("reader_broken", entry_point=point.name, group=GROUP),
            )
            broken.append(BrokenReader(point.name, point.value, reason))
        else:
            good[reader.name] = reader
    return tuple(good.values())[len(_BUILT_IN) :], tuple(broken)


def _load(point: EntryPoint) -> tuple[Reader | None, str]:
    try:
        found = point.load()
        reader = found() if isinstance(found, type) else found
        reason = why_no_reader(reader)
    except KeyboardInterrupt:
        raise
    except BaseException as exc:  # noqa: BLE001 - whatever another package raises, an exit too, it stops no other
        return None, f"{type(exc).__name__}: {shown(str(exc))}"
    return (None, reason) if reason is not None else (reader, "")


def read_payload(
    exchange: str, payload: bytes, *, listing: Listing | str | None = None, observed_at: datetime
) -> Payload:
    """Return every symbol that `payload` lists, exactly, and what could not be read of it.

    exchange: enum_value of the exchange it was asked from; `.foreign` is set when it looks like another's.
    listing: which of its lists, such as "PERPETUAL:USDT"; None is enough where its shape or its rows tell.
    observed_at: when the exchange gave it; a time in it that is later than this lies ahead.

    Raises:
        PayloadError: it is not JSON, is cut off, is an error message, or is not a list of symbols that a reader knows.
        InvalidArgument: `listing` is none that the exchange has, or the payload does not tell which it is.
    """
    wanted = None if listing is None else Listing.parse(listing)
    if not isinstance(payload, bytes):
        raise PayloadError(f"a payload is the bytes that the exchange sent, not {shown(payload)}")
    own = readers_of(exchange)
    readers = _readers_with(wanted, own, exchange) if wanted is not None and own else list(own)
    document = split(payload)
    fitting = [reader for reader in readers if recognises(reader, document)]
    if fitting and wanted is None:
        wanted = _the_only_list(fitting, document)
    if fitting and wanted is not None:
        read = read_as(fitting[0], document, wanted, observed_at)
        return _with_strays(read, wanted)
    return _read_foreign(exchange, payload, document, wanted, observed_at)


def with_absences(read: Payload, companion: bytes) -> Payload:
    """Return `read` with what the exchange says of symbols that the list has no longer.

    Raises:
        PayloadError: `companion` is not the answer that its reader asks for beside the list.
        InvalidArgument: its reader asks for none.
    """
    reader = next((reader for reader in all_readers() if reader.name == read.source), None)
    if not isinstance(reader, CompanionReader):
        if read.foreign is not None:
            return read  # that it is another list is what is wrong
        raise InvalidArgument(f"the reader {read.source} reads nothing beside its list", field="companion")
    if not isinstance(companion, bytes):
        raise PayloadError(f"a companion is the bytes that the exchange sent, not {shown(companion)}")
    return msgspec.structs.replace(read, absent=absences_in(reader, companion))


def _readers_with(wanted: Listing, own: Iterable[Reader], exchange: str) -> list[Reader]:
    """Return those that read a list; one that fails when it is asked for its lists stops no other."""
    found: list[Reader] = []
    faults = []
    for reader in own:
        try:
            if _reads(reader, wanted):
                found.append(reader)
        except PayloadError as exc:
            faults.append(exc)
    if not found and faults:
        raise faults[0]
    if not found:
        raise InvalidArgument(f"{exchange} has no list {wanted}; {_choices(own)}", field="listing")
    return found


def _reads(reader: Reader, listing: Listing) -> bool:
    """Return whether a reader has a list; where its index would tell which there are, it is asked when it reads."""
    if reader.index is not None or listing in lists_of(reader):
        return True
    return isinstance(reader, SavedListReader) and listing in reader.unasked


def _recognises_another(reader: Reader, document: Document) -> bool:
    """Return the same of a reader that was not asked for: one that fails stops no other."""
    try:
        return recognises(reader, document)
    except PayloadError as exc:
        log.warning("%s", exc, extra=event("reader_failed", reader=reader.name))
        return False


def _choices(readers: Iterable[Reader]) -> str:
    names = [str(listing) for reader in readers for listing in lists_of(reader)]
    indices = [reader.index.path for reader in readers if reader.index is not None]
    told = [f"there are {', '.join(names)}"] if names else []
    return "; ".join(told + [f"its lists are told by {path}" for path in indices])


def _the_only_list(readers: list[Reader], document: Document) -> Listing:
    """Return the list that a payload must be; raises InvalidArgument where it may be one of several."""
    found = [listing for reader in readers for listing in lists_of(reader)]
    found += filter(None, (listing_told(reader, document) for reader in readers))
    if len(found) != 1:
        text = f"listing must be given, because the payload does not tell which it is: {_choices(readers)}"
        raise InvalidArgument(text, field="listing")
    return found[0]


def _with_strays(read: Payload, listing: Listing) -> Payload:
    """Return `read`, marked as foreign where it has symbols that are none of its list's."""
    if read.foreign is None:
        kind, settle, on_any = listing.kind, listing.settle, listing.underlying is None
        for symbol in read.symbols:
            spec = symbol.spec
            # What `covers` tells, without a call for each symbol.
            ours = spec.kind is kind and (settle is None or spec.settle == settle)
            if not (ours and (on_any or listing.covers(spec))):
                stray = shown(symbol.spec.native_symbol)
                return msgspec.structs.replace(read, foreign=f"{stray} is no symbol of the list {listing}")
    return read


def _read_foreign(
    exchange: str, payload: bytes, document: Document, wanted: Listing | None, observed_at: datetime
) -> Payload:
    """Return a payload as its shape says, which is not the one that it was given for."""
    readers = all_readers()
    fitting = [reader for reader in readers if _recognises_another(reader, document)]
    if not fitting:
        known = ", ".join(sorted({reader.exchange for reader in readers}))
        raise PayloadError(
            f"this is no list of symbols of {known}: save the whole answer of the exchange, as it came;"
            f" it says {in_its_words(payload)}"
        )
    reader = next((reader for reader in fitting if reader.exchange == exchange), fitting[0])
    lists = list(lists_of(reader))
    told = listing_told(reader, document)
    if told is not None:
        lists.append(told)
    if not lists:
        raise PayloadError(f"it reads like a payload of {reader.exchange}, and does not tell of which list")
    settle = None if wanted is None else wanted.settle
    listing = next((one for one in lists if one.settle == settle), lists[0])
    read = read_as(reader, document, listing, observed_at)
    if reader.exchange != exchange:
        return msgspec.structs.replace(read, foreign=f"it reads like a payload of {reader.exchange}, not of {exchange}")
    return msgspec.structs.replace(read, foreign=f"it reads like the list {listing}, not like {wanted}")
