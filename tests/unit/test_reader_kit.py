"""The kit for anyone who writes a reader: our own readers keep to it, and a bad one is found out."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest

from exchanges_db import InvalidArgument
from exchanges_db.symbols.enums import SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.kit import check_reader
from exchanges_db.symbols.payloads.reader import Reader, Request
from exchanges_db.symbols.payloads.readers import all_readers
from exchanges_db.symbols.payloads.reading import Notes, Payload
from tests.payload_rows import MAKERS, delivery, futures, mexc, mexc_futures, options, payload, spot

READERS = {reader.name: reader for reader in all_readers()}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
# Beside a row that is traded, one of every other state.
ROWS = {
    "mexc_spot": [mexc(), mexc("A", status="2"), mexc("B", tradeSideType="3")],
    "mexc_futures": [mexc_futures(), mexc_futures("A", state=4), mexc_futures("B", type=2)],
    "gateio_spot": [spot(), spot("A", trade_status="sellable"), spot("B", type="premarket")],
    "gateio_futures": [futures(), futures("A", status="delisting"), futures("B", "USDT", contract_type="stocks")],
    "gateio_delivery": [delivery(), delivery("ETH", in_delisting=True)],
    "gateio_options": [options(), options(strike="1")],
}
WORDS = {
    "mexc_spot": ("status", "tradeSideType"),
    "mexc_futures": ("state", "type", "futureType", "typeLabel"),
    "gateio_spot": ("trade_status", "type"),
    "gateio_futures": ("status", "type", "contract_type"),
    "gateio_delivery": ("type",),
    "gateio_options": (),
}


@pytest.mark.parametrize("name", READERS)
def test_our_readers_keep_to_what_a_reader_must(name: str) -> None:
    assert check_reader(READERS[name], ROWS[name], words=WORDS[name], observed_at=NOW) == []
    packed = partial(payload, name)
    assert check_reader(READERS[name], ROWS[name], words=WORDS[name], pack=packed, observed_at=NOW) == []


@pytest.mark.parametrize("name", READERS)
def test_two_arguments_are_enough(name: str) -> None:
    row = MAKERS[name]()
    assert all(finding.check != "is a Reader" for finding in check_reader(READERS[name], [row]))


class _Row(msgspec.Struct):
    name: str
    tick: Any
    state: Any = None


class Good:
    """A reader of lists that no exchange has."""

    name = "good"
    exchange = "MADE_UP"
    version = 1
    volatile: frozenset[str] = frozenset()
    index: Request | None = None

    def lists(self, index: bytes | None = None) -> dict[Listing, Request]:
        """Return its list."""
        return {Listing(SymbolKind.SPOT): Request("/list")}

    def recognises(self, document: Document) -> bool:
        """Return whether it is one of its own."""
        return document.top is None and document.has_keys("name", "tick")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols."""
        known = frozenset({"name", "tick", "state"})
        return reading.read_rows(document, _Row, "name", known, self.spec, listing=listing, source=self.name)

    def spec(self, row: _Row, notes: Notes) -> SymbolSpec:
        """Return one symbol."""
        return SymbolSpec(
            native_symbol=row.name,
            symbol=row.name,
            base=row.name[:1],
            quote="USD",
            kind=SymbolKind.SPOT,
            price_tick=self.tick(row.tick),
            quantity_step=Decimal(1),
            status=self.status(row.state, notes),
            sides=SidesAllowed.ALL,
        )

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return values.required("tick", values.number("tick", value))

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        if word not in ("on", "off"):
            notes.unknown("state", str(word), "HALTED")
        return SymbolStatus.TRADING if word == "on" else SymbolStatus.HALTED


class Open(Good):
    """Takes a word that it does not know for the likelier of two."""

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return SymbolStatus.HALTED if word == "off" else SymbolStatus.TRADING


class Silent(Good):
    """Closes, and says nothing."""

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return SymbolStatus.TRADING if word == "on" else SymbolStatus.HALTED


class Texts(Good):
    """Reads numbers as text only."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        if type(value) is not str or not value or "e" in value:
            raise values.BrokenRow("no text")
        return Decimal(value)


class Floats(Good):
    """Has a float on the way."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return Decimal(repr(float(values.required("tick", values.number("tick", value)))))


class Rounds(Good):
    """Rounds to eight decimals, which makes zero of 1e-10."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return values.required("tick", values.number("tick", value)).quantize(Decimal("1e-8")) or Decimal(1)


class ZeroAsText(Good):
    """Takes zero for no limit in one spelling only."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return Decimal(9) if value == "0" else super().tick(value)


class Raises(Good):
    """Knows the states of its rows by a dictionary, and all others not."""

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return {"on": SymbolStatus.TRADING, "off": SymbolStatus.HALTED}[word]


class Looks(Good):
    """Looks a state up as it came, and so fails on a list."""

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return super().status({"on": "on", "off": "off"}.get(word, word), notes)


class Remembers(Good):
    """Keeps the coarsest tick that it has read so far."""

    coarsest = Decimal(0)

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        self.coarsest = max(self.coarsest, super().tick(value))
        return self.coarsest


class Counts(Good):
    """Opens once it has read enough."""

    read_so_far = 0

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        self.read_so_far += 1
        return SymbolStatus.TRADING if self.read_so_far > 40 else super().status(word, notes)


class Flags(Good):
    """Takes everything but false for true."""

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return SymbolStatus.HALTED if word is False else SymbolStatus.TRADING


class Elsewhere(Good):
    """Has symbols of another list."""

    def lists(self, index: bytes | None = None) -> dict[Listing, Request]:
        """Return its list."""
        return {Listing(SymbolKind.PERPETUAL, "USD"): Request("/list")}


GOOD = [{"name": "A", "tick": "0.01", "state": "on"}, {"name": "B", "tick": "5", "state": "off"}]


@pytest.mark.parametrize(
    ("reader", "check"),
    [
        (Good(), None),
        (Open(), "closes on unknown words"),
        (Silent(), "reports unknown words"),
        (Texts(), "reads every spelling"),
        (Floats(), "keeps every digit"),
        (Rounds(), "keeps every digit"),
        (ZeroAsText(), "reads every spelling"),
        (Raises(), "raises our errors only"),
        (Looks(), "raises our errors only"),
        (Remembers(), "reads the same again"),
        (Elsewhere(), "keeps to its list"),
        (Good, "is a Reader"),
        (object(), "is a Reader"),
    ],
)
def test_a_reader_that_is_wrong_is_found_out(reader: Any, check: str | None) -> None:
    assert {finding.check for finding in check_reader(reader, GOOD)} == ({check} if check else set())


def test_a_reader_that_changes_with_what_it_read_is_found_out() -> None:
    assert "reads the same again" in {finding.check for finding in check_reader(Counts(), GOOD)}


def test_a_flag_that_decides_is_a_word_too() -> None:
    rows = [{**row, "state": row["state"] == "on"} for row in GOOD]
    assert {str(finding) for finding in check_reader(Flags(), rows)} == {
        "closes on unknown words: state: the status is TRADING"
    }


def test_rows_of_one_state_do_not_show_what_decides() -> None:
    """A reader that opens on every word would pass else."""
    assert {finding.check for finding in check_reader(Open(), GOOD[:1])} == {"has rows to try"}
    assert {finding.check for finding in check_reader(Open(), GOOD[:1], words=["state"])} == {"closes on unknown words"}
    assert check_reader(Good(), GOOD[:1], words=()) == []


class Nested(Good):
    """Its numbers and states stand further in."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return super().tick(value["size"])

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return super().status(word["now"], notes)


class NestedFloats(Nested):
    """Has a float on the way, and opens."""

    def tick(self, value: Any) -> Decimal:
        """Return a tick."""
        return Decimal(repr(float(super().tick(value))))

    def status(self, word: Any, notes: Notes) -> SymbolStatus:
        """Return a status."""
        return SymbolStatus.HALTED if word["now"] == "off" else SymbolStatus.TRADING


def test_what_stands_further_in_is_tried_too() -> None:
    """As of Bybit's priceFilter and Binance's filters."""
    rows = [{**row, "tick": {"size": row["tick"]}, "state": {"now": row["state"]}} for row in GOOD]
    assert check_reader(Nested(), rows) == []
    assert {(finding.check, finding.field) for finding in check_reader(NestedFloats(), rows)} == {
        ("keeps every digit", "tick.size"),
        ("closes on unknown words", "state.now"),
    }


class FurtherIn(Good):
    """Its rows stand where no usual envelope has them."""

    def recognises(self, document: Document) -> bool:
        """Return whether it is one of its own."""
        return document.rows_at("result", "list").has_keys("name", "tick")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols."""
        return super().read(document.rows_at("result", "list"), listing=listing, observed_at=observed_at)


def test_an_envelope_of_ones_own_is_packed() -> None:
    assert {finding.check for finding in check_reader(FurtherIn(), GOOD)} == {"recognises its rows"}
    assert check_reader(FurtherIn(), GOOD, pack=lambda rows: msgspec.json.encode({"result": {"list": rows}})) == []


def test_rows_that_cannot_be_tried_are_named() -> None:
    def checks(*rows: dict[str, Any], **arguments: Any) -> set[str]:
        return {finding.check for finding in check_reader(Good(), rows, **arguments)}

    assert checks({"name": "A", "tick": "x", "state": "on"}) == {"reads its rows", "has rows to try"}
    assert checks({"name": "A", "tick": "1", "state": "on", "new": 1}) == {"knows its fields"}
    assert checks({"name": "A", "tick": "1", "state": "new"}) == {"knows its words", "has rows to try"}
    assert checks({"a": 1}) == {"recognises its rows"}
    assert checks(*GOOD, words=["status"]) == {"has the words"}
    with pytest.raises(InvalidArgument) as caught:
        checks()
    assert caught.value.field == "rows"


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(check_reader(Open(), GOOD)[0]) == "closes on unknown words: state: the status is TRADING"


def test_the_protocol_is_kept_by_types_too() -> None:
    """A frozen Struct is one as well."""

    class Frozen(msgspec.Struct, frozen=True):
        name: str = "frozen"
        exchange: str = "MADE_UP"
        version: int = 1
        volatile: frozenset[str] = frozenset()
        index: Request | None = None
        lists = Good.lists
        recognises = Good.recognises
        read = Good.read

    assert isinstance(Frozen(), Reader)
