"""What a reader must keep to, checked on rows of the exchange: for anyone who writes one, in a test of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from exchanges_db.errors import ExchangesDBError, InvalidArgument, PayloadError
from exchanges_db.symbols.enums import SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.document import split
from exchanges_db.symbols.payloads.reader import Reader
from exchanges_db.symbols.payloads.readers import why_no_reader
from exchanges_db.symbols.payloads.reading import Payload

Row = dict[str, Any]
Pack = Callable[[list[Row]], bytes]

_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_CLOSED = (SymbolStatus.HALTED, SymbolStatus.DELISTED, SymbolStatus.EXPIRED)
_UNHEARD_OF = "an unheard-of word"
# Of these a word that differs changes what the symbol is called, and not what may be traded.
_LABELS = {"native_symbol", "symbol", "base", "quote", "settle", "direction", "full_name", "contract_address"}
_ENVELOPES: tuple[Pack, ...] = (
    msgspec.json.encode,
    lambda rows: msgspec.json.encode({"symbols": rows}),
    lambda rows: msgspec.json.encode({"success": True, "code": 0, "data": rows}),
)


class Finding(msgspec.Struct, frozen=True):
    """What a reader does not keep to: which check, in which field of the rows if it is about one, and what it did."""

    check: str
    field: str | None
    text: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.check, self.field, self.text) if part is not None)


def check_reader(
    reader: Reader,
    rows: Sequence[Row],
    *,
    words: Collection[str] = (),
    pack: Pack | None = None,
    listing: Listing | str | None = None,
    observed_at: datetime | None = None,
) -> list[Finding]:
    """Return what a reader does not keep to; an empty list: it keeps to all that is checked.

    Checked are: that it is a Reader, that it recognises and reads every row, that no float stands in a specification,
    that a number means the same in every spelling, that an unknown word closes, and that every truncation is refused.

    rows: as the exchange sends them, each readable; at least one that may be traded, and best one of every state.
    words: fields that decide about trading, such as "status"; those whose values tell the rows' states apart are found
        without being named.
    pack: makes an answer of rows; where it is left out, a bare list and the usual envelopes are tried.
    listing: which list the rows are of; where it is left out, the first that the reader has.
    observed_at: when the exchange gave them; now, if left out.

    Raises InvalidArgument where there are no rows, or no list to read them as.
    """
    if not rows:
        raise InvalidArgument("rows must hold at least one row", field="rows")
    reason = why_no_reader(reader)
    if reason is not None:
        return [Finding("is a Reader", None, reason)]
    for packed in (pack,) if pack is not None else _ENVELOPES:
        if reader.recognises(split(packed(list(rows)))):
            trial = _Trial(reader, list(rows), packed, _listing(reader, rows, packed, listing), observed_at)
            return trial.findings(words)
    return [Finding("recognises its rows", None, "it does not, in any envelope that was tried")]


def _listing(reader: Reader, rows: Sequence[Row], pack: Pack, given: Listing | str | None) -> Listing:
    if given is not None:
        return Listing.parse(given)
    by_rows = getattr(reader, "listing_of", None)
    listing = next(iter(reader.lists()), None) if by_rows is None else by_rows(split(pack(list(rows))))
    if not isinstance(listing, Listing):
        raise InvalidArgument("listing must be given: the reader names none without its index", field="listing")
    return listing


class _Trial:
    """One reader on one set of rows."""

    def __init__(self, reader: Reader, rows: list[Row], pack: Pack, listing: Listing, at: datetime | None) -> None:
        self._reader, self._rows, self._pack, self._listing = reader, rows, pack, listing
        self._at = datetime.now(UTC) if at is None else at

    def findings(self, words: Collection[str]) -> list[Finding]:
        """Return all of them; the later checks are left out where the rows themselves cannot be read."""
        found = list(self._of_rows())
        if found:
            return found
        deciding = {*words, *self._deciding()}
        fields = sorted({field for row in self._rows for field in row})
        for field in fields:
            if field in deciding:
                found += self._of_word(field, reported=True)
            else:
                found += self._of_number(field)
                found += self._of_word(field, reported=False)
        found += [Finding("has the words", field, "no row has it") for field in sorted(set(words) - set(fields))]
        return found + list(self._of_truncations())

    def _read(self, rows: list[Row]) -> Payload:
        return self._reader.read(split(self._pack(rows)), listing=self._listing, observed_at=self._at)

    def _spec(self, row: Row) -> SymbolSpec | None:
        read = self._read([row])
        return read.symbols[0].spec if read.symbols else None

    def _of_rows(self) -> Iterator[Finding]:
        read = self._read(self._rows)
        for row in read.rejected:
            yield Finding("reads its rows", None, f"row {row.index} is rejected: {row.reason}")
        for field in read.unknown_fields:
            yield Finding("knows its fields", field, "it is reported as unknown")
        for value in read.unknown_values:
            yield Finding("knows its words", value.field, f"{value.value} is reported as unknown")
        if (read.listing, read.source, read.volatile) != (self._listing, self._reader.name, self._reader.volatile):
            yield Finding("names its payload", None, "listing, source and volatile are not those of the reader")
        for symbol in read.symbols:
            if not self._listing.covers(symbol.spec):
                yield Finding("keeps to its list", None, f"{symbol.spec.native_symbol} is none of {self._listing}")
            for field, value in msgspec.structs.asdict(symbol.spec).items():
                if isinstance(value, float):
                    yield Finding("has no float", field, f"{symbol.spec.native_symbol} has {value}")
        if not any(symbol.spec.status is SymbolStatus.TRADING for symbol in read.symbols):
            yield Finding("has rows to try", None, "no row is of a symbol that is traded")

    def _deciding(self) -> set[str]:
        """Return the fields of which one row's value would change another row's state."""
        deciding = set()
        traded = [row for row in self._rows if self._state(row)[:1] == (SymbolStatus.TRADING,)]
        for field in {field for row in self._rows for field in row}:
            others = [row[field] for row in self._rows if type(row.get(field)) in (str, int)]
            for row in traded:
                if type(row.get(field)) is str and any(
                    self._state({**row, field: other}) not in ((), self._state(row)) for other in others
                ):
                    deciding.add(field)
        return deciding

    def _state(self, row: Row) -> tuple[Any, ...]:
        spec = self._spec(row)
        return () if spec is None else (spec.status, spec.sides, spec.api_tradable)

    def _of_number(self, field: str) -> Iterator[Finding]:
        """Try every spelling of a number in every row, and that the text of one is no other number."""
        for row in self._rows:
            value, usual = row.get(field), self._spec(row)
            if type(value) not in (str, int, float) or not _NUMBER.fullmatch(str(value)) or usual is None:
                continue
            for spelling in _spellings(str(value)):
                spec = self._spec({**row, field: spelling})
                if spec != usual and not _only_labels(spec, usual):
                    yield Finding("reads every spelling", field, f"{spelling!r} is read otherwise than {value!r}")

    def _of_word(self, field: str, *, reported: bool) -> Iterator[Finding]:
        """Try a word that nobody knows: what changes by it must close, and be reported where it decides."""
        for row in self._rows:
            usual = self._spec(row)
            if type(row.get(field)) not in (str, int) or usual is None:
                continue
            read = self._read([{**row, field: _UNHEARD_OF}])
            spec = read.symbols[0].spec if read.symbols else None
            if spec is None or spec.status in _CLOSED:
                known = (
                    spec is None or usual.status in _CLOSED or any(one.field == field for one in read.unknown_values)
                )
                if not known:
                    yield Finding("reports unknown words", field, "it closes, and does not say why")
            elif reported:
                yield Finding("closes on unknown words", field, f"the status is {spec.status}")
            elif spec != usual and not _only_labels(spec, usual):
                yield Finding(
                    "closes on unknown words", field, f"it is read otherwise, and the status is {spec.status}"
                )

    def _of_truncations(self) -> Iterator[Finding]:
        whole = self._pack(self._rows[:1])
        for length in range(len(whole)):
            try:
                document = split(whole[:length])
                if not self._reader.recognises(document):
                    continue
                self._reader.read(document, listing=self._listing, observed_at=self._at)
            except PayloadError:
                continue
            except ExchangesDBError as exc:
                yield Finding("refuses truncations", None, f"of {length} bytes: {exc}")
            else:
                yield Finding("refuses truncations", None, f"of {length} bytes: it is read")


def _only_labels(spec: SymbolSpec | None, usual: SymbolSpec) -> bool:
    if spec is None:
        return False
    ours, theirs = msgspec.structs.asdict(spec), msgspec.structs.asdict(usual)
    return {field for field in ours if ours[field] != theirs[field]} <= _LABELS


def _spellings(text: str) -> list[Any]:
    """Return a number as text and as JSON's own, with an exponent and with zeros at its end."""
    exact = Decimal(text)
    sign, digits, exponent = exact.as_tuple()
    powered = f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"
    zeros = text + ("0" if "." in text else ".0")
    spelled: list[Any] = [text, powered, zeros, msgspec.Raw(zeros.encode()), msgspec.Raw(powered.encode())]
    if exact == int(exact):
        spelled += [int(exact), str(int(exact))]
    return spelled
