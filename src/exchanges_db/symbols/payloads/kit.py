"""What a reader must keep to, checked on rows of the exchange: for anyone who writes one, in a test of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from exchanges_db.errors import ExchangesDBError, InvalidArgument, PayloadError
from exchanges_db.symbols.enums import SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.asking import listing_told, lists_of, read_as, recognises
from exchanges_db.symbols.payloads.document import split
from exchanges_db.symbols.payloads.kit_places import Place, get, name_of, places, put, spellings
from exchanges_db.symbols.payloads.reader import Reader
from exchanges_db.symbols.payloads.readers import why_no_reader
from exchanges_db.symbols.payloads.reading import Payload

Row = dict[str, Any]
Pack = Callable[[list[Row]], bytes]

_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_CLOSED = (SymbolStatus.HALTED, SymbolStatus.DELISTED, SymbolStatus.EXPIRED)
# What may stand where a word or a number is expected.
_SHAPES: tuple[Any, ...] = (None, True, [], {}, "", 10**400)
_UNHEARD_OF = "an unheard-of word"
# Of these a word that differs changes what the symbol is called, and not what may be traded.
_LABELS = {"native_symbol", "symbol", "base", "quote", "settle", "direction", "full_name", "contract_address"}
# More digits than a float holds, and less than most readers round to.
_LONG, _TINY = Decimal("1.00000000000000000000123"), Decimal("1e-10")
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
    rows: Sequence[dict[str, Any]],
    *,
    words: Collection[str] | None = None,
    pack: Callable[[list[dict[str, Any]]], bytes] | None = None,
    listing: Listing | str | None = None,
    observed_at: datetime | None = None,
) -> list[Finding]:
    """Return what a reader does not keep to; an empty list: it keeps to all that is checked.

    Checked are: that it is a Reader, that it recognises and reads every row, that it reads the same each time and each
    row alone as among others, that no float stands in a specification and none was on the way, that a number means the
    same in every spelling, that a word nobody knows closes and is reported, and that every truncation is refused.

    What cannot be checked: what a number means (its unit, whether "0" is a limit or none), and words that the rows do
    not show to decide.

    rows: as the exchange sends them, each readable; at least one that may be traded, and best one of every state.
        Fields of objects and lists in a row are tried as well; findings name them as `priceFilter.tickSize`.
    words: fields that decide about trading, such as "status"; those whose values tell the rows' states apart are found
        without being named. Where none is found, () says that there is none.
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
        try:
            recognised = recognises(reader, split(packed(list(rows))))
        except PayloadError as exc:
            return [Finding("raises our errors only", None, str(exc))]
        if recognised:
            trial = _Trial(reader, list(rows), packed, _listing(reader, rows, packed, listing), observed_at)
            return trial.findings(words)
    return [Finding("recognises its rows", None, "it does not, in any envelope that was tried")]


def _listing(reader: Reader, rows: Sequence[Row], pack: Pack, given: Listing | str | None) -> Listing:
    if given is not None:
        return Listing.parse(given)
    listing = listing_told(reader, split(pack(list(rows))))
    if listing is None:
        listing = next(iter(lists_of(reader)), None)
    if listing is None:
        raise InvalidArgument("listing must be given: the reader names none without its index", field="listing")
    return listing


class _Trial:
    """One reader on one set of rows."""

    def __init__(self, reader: Reader, rows: list[Row], pack: Pack, listing: Listing, at: datetime | None) -> None:
        self._reader, self._rows, self._pack, self._listing = reader, rows, pack, listing
        self._at = datetime.now(UTC) if at is None else at

    def findings(self, words: Collection[str] | None) -> list[Finding]:
        """Return all of them; the later checks are left out where the rows themselves cannot be read."""
        try:
            found = list(self._of_rows())
            return found or self._of_fields(words)
        except PayloadError as exc:
            return [Finding("raises our errors only", None, str(exc))]

    def _of_fields(self, words: Collection[str] | None) -> list[Finding]:
        before = self._read(self._rows)
        fields = sorted({place for row in self._rows for place in places(row)}, key=str)
        names = {name_of(place) for place in fields} | {field for row in self._rows for field in row}
        deciding = {*(words or ()), *self._deciding(fields)}
        found: list[Finding] = []
        if words is None and not deciding:
            text = "no field tells the states of these rows apart: give rows of other states, or words"
            found.append(Finding("has rows to try", None, text))
        for place in fields:
            try:
                if name_of(place) not in deciding:
                    found += self._of_number(place)
                found += self._of_word(place, decides=name_of(place) in deciding)
                for row in self._rows:
                    for shape in _SHAPES if place in places(row) else ():
                        self._read([put(row, place, shape)])  # read or rejected, as long as no error of its own comes
            except PayloadError as exc:
                found.append(Finding("raises our errors only", name_of(place), str(exc)))
        found += [Finding("has the words", field, "no row has it") for field in sorted(set(words or ()) - names)]
        found += self._of_truncations()
        if self._read(self._rows) != before:
            found.append(Finding("reads the same again", None, "the rows are read otherwise after other payloads"))
        return list(dict.fromkeys(found))

    def _read(self, rows: list[Row]) -> Payload:
        return read_as(self._reader, split(self._pack(rows)), self._listing, self._at)

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
        if not read.rejected and [self._spec(row) for row in self._rows] != [symbol.spec for symbol in read.symbols]:
            yield Finding("reads the same again", None, "a row alone is read otherwise than among the others")

    def _deciding(self, fields: Iterable[Place]) -> set[str]:
        """Return the fields of which one row's value would change another row's state."""
        deciding = set()
        traded = [row for row in self._rows if self._state(row)[:1] == (SymbolStatus.TRADING,)]
        for place in fields:
            values = [get(row, place) for row in self._rows]
            others = [value for value in values if type(value) in (str, int)]
            for row in traded:
                value = get(row, place)
                if type(value) is bool:
                    changed: list[Any] = [not value]
                else:
                    changed = others if type(value) is str else []
                if any(self._state(put(row, place, other)) not in ((), self._state(row)) for other in changed):
                    deciding.add(name_of(place))
        return deciding

    def _state(self, row: Row) -> tuple[Any, ...]:
        spec = self._spec(row)
        return () if spec is None else (spec.status, spec.sides, spec.api_tradable)

    def _of_number(self, place: Place) -> Iterator[Finding]:
        """Try every spelling of a number in every row, of zero, and of numbers that a float or rounding would lose."""
        for row in self._rows:
            value, usual = get(row, place), self._spec(row)
            if type(value) not in (str, int, float) or not _NUMBER.fullmatch(str(value)) or usual is None:
                continue
            name = name_of(place)
            for spelling in spellings(str(value)):
                spec = self._spec(put(row, place, spelling))
                if spec != usual and not _only_labels(spec, usual):
                    yield Finding("reads every spelling", name, f"{spelling!r} is read otherwise than {value!r}")
            for number in ("0", "0.0000000001"):
                read = [self._spec(put(row, place, spelling)) for spelling in spellings(number)]
                for spec, spelling in zip(read, spellings(number), strict=True):
                    if spec != read[0] and not _only_labels(spec, read[0]):
                        yield Finding("reads every spelling", name, f"{spelling!r} is read otherwise than {number!r}")
            yield from self._of_digits(row, place, Decimal(str(value)), usual)

    def _of_digits(self, row: Row, place: Place, value: Decimal, usual: SymbolSpec) -> Iterator[Finding]:
        """Try numbers that a float cannot hold, and that rounding would make zero, where a field is in proportion."""
        for factor in (Decimal(3), Decimal("0.3")):
            other = self._spec(put(row, place, f"{value * factor:f}"))
            for field in _in_proportion(usual, other, factor):
                for text, by in ((f"{value * _LONG:f}", _LONG), (f"{_TINY:f}", None)):
                    spec = self._spec(put(row, place, text))
                    if spec is None:
                        continue
                    given, exact = getattr(spec, field), getattr(usual, field) * (_TINY / value if by is None else by)
                    if given is None or (given != exact and (by is not None or not given)):
                        yield Finding("keeps every digit", name_of(place), f"{text} becomes {given} as {field}")

    def _of_word(self, place: Place, *, decides: bool) -> Iterator[Finding]:
        """Try a word that nobody knows: what changes by it must close, and be reported where it decides."""
        name = name_of(place)
        for row in self._rows:
            usual = self._spec(row)
            if type(get(row, place)) not in (str, int, bool) or usual is None:
                continue
            read = self._read([put(row, place, _UNHEARD_OF)])
            spec = read.symbols[0].spec if read.symbols else None
            reported = any(one.value == _UNHEARD_OF for one in read.unknown_values)
            if spec is None or (spec.status in _CLOSED and (usual.status in _CLOSED or reported)):
                continue
            if spec.status in _CLOSED:
                yield Finding("reports unknown words", name, "it closes, and does not say why")
            elif decides:
                yield Finding("closes on unknown words", name, f"the status is {spec.status}")
            elif spec != usual and not _only_labels(spec, usual) and not (reported and _only_left_out(spec, usual)):
                yield Finding("closes on unknown words", name, f"it is read otherwise, and the status is {spec.status}")

    def _of_truncations(self) -> Iterator[Finding]:
        whole = self._pack(self._rows[:1])
        for length in range(len(whole)):
            try:
                document = split(whole[:length])
            except PayloadError:
                continue
            try:
                if not recognises(self._reader, document):
                    continue
                read_as(self._reader, document, self._listing, self._at)
            except PayloadError as exc:
                if exc.__cause__ is not None:
                    yield Finding("raises our errors only", None, f"of {length} bytes: {exc}")
            except ExchangesDBError as exc:
                yield Finding("refuses truncations", None, f"of {length} bytes: {exc}")
            else:
                yield Finding("refuses truncations", None, f"of {length} bytes: it is read")


def _changed(spec: SymbolSpec, usual: SymbolSpec) -> set[str]:
    ours, theirs = msgspec.structs.asdict(spec), msgspec.structs.asdict(usual)
    return {field for field in ours if ours[field] != theirs[field]}


def _only_labels(spec: SymbolSpec | None, usual: SymbolSpec | None) -> bool:
    return spec is not None and usual is not None and _changed(spec, usual) <= _LABELS


def _only_left_out(spec: SymbolSpec, usual: SymbolSpec) -> bool:
    return all(field == "order_types" or getattr(spec, field) is None for field in _changed(spec, usual))


def _in_proportion(usual: SymbolSpec, other: SymbolSpec | None, factor: Decimal) -> list[str]:
    """Return the fields that a number stands in, perhaps in another unit; not those that it bounds or counts."""
    found = []
    for field in () if other is None else sorted(_changed(other, usual)):
        before, after = getattr(usual, field), getattr(other, field)
        if type(before) is type(after) is Decimal and before and after == before * factor:
            found.append(field)
    return found
