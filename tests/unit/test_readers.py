"""Which readers there are, and which of them reads a payload as which list."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from exchanges_db import InvalidArgument, PayloadError
from exchanges_db.symbols.enums import SymbolKind
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.payloads import readers
from exchanges_db.symbols.payloads.gateio_futures import GateioFutures
from exchanges_db.symbols.payloads.mexc_spot import MexcSpot
from exchanges_db.symbols.payloads.reader import Reader, Request
from exchanges_db.symbols.payloads.readers import (
    BrokenReader,
    all_readers,
    broken_readers,
    read_payload,
    readers_of,
    register_reader,
)
from exchanges_db.symbols.payloads.reading import Payload
from tests.payload_rows import (
    FUTURES,
    MEXC,
    MEXC_FUTURES,
    OPTIONS,
    SPOT,
    delivery,
    futures,
    many,
    options,
    payload,
    spot,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Mine(MexcSpot):
    """A reader of a list of another exchange, which looks like MEXC's."""

    name = "mine"
    exchange = "MADE_UP"


@pytest.fixture(autouse=True)
def as_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves a reader behind."""
    monkeypatch.setattr(readers, "_registered", {})
    readers._installed.cache_clear()
    yield
    readers._installed.cache_clear()


def entry_points(monkeypatch: pytest.MonkeyPatch, **named: str) -> None:
    """Pretend that an installed package has these entry points."""
    points = [EntryPoint(name, value, readers.GROUP) for name, value in named.items()]
    monkeypatch.setattr(readers, "entry_points", lambda group: points if group == readers.GROUP else [])


def read(exchange: str, *rows: dict[str, Any], listing: Any = None) -> Payload:
    """What a payload lists."""
    return read_payload(exchange, payload(exchange, list(rows)), listing=listing, observed_at=NOW)


def test_the_built_in_readers() -> None:
    assert [(reader.name, reader.exchange, reader.version) for reader in all_readers()] == [
        ("mexc_spot", MEXC, 1),
        ("mexc_futures", MEXC_FUTURES, 1),
        ("gateio_spot", SPOT, 1),
        ("gateio_futures", FUTURES, 1),
        ("gateio_delivery", FUTURES, 1),
        ("gateio_options", OPTIONS, 1),
    ]
    assert all(readers.why_no_reader(reader) is None for reader in all_readers())
    assert [reader.name for reader in readers_of(FUTURES)] == ["gateio_futures", "gateio_delivery"]
    assert readers_of("NOBODY") == ()


@pytest.mark.parametrize("reader", all_readers(), ids=lambda reader: reader.name)
def test_only_what_a_payload_has_is_volatile(reader: Reader) -> None:
    """A key that decides about a specification is none: a change in it must be seen."""
    assert reader.volatile.isdisjoint({"order_price_deviate", "status", "in_delisting", "funding_interval", "name"})
    moving = {"mark_price", "index_price", "last_price", "trade_id", "trade_size", "position_size", "orderbook_id"}
    assert (reader.volatile >= moving) == (reader.exchange in (FUTURES, OPTIONS))
    if reader.exchange == FUTURES:
        assert reader.volatile > {"funding_rate", "funding_rate_indicative", "funding_next_apply", "long_users"}


def test_a_registered_reader_reads() -> None:
    register_reader(Mine())
    assert [reader.name for reader in readers_of("MADE_UP")] == ["mine"]
    text = payload(MEXC, many(MEXC, 2))
    found = read_payload("MADE_UP", text, observed_at=NOW)
    assert (len(found.symbols), found.foreign, found.source) == (2, None, "mine")
    assert read_payload(MEXC, text, observed_at=NOW).source == "mexc_spot"


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "mexc_spot"}, "called 'mexc_spot' already"),
        ({"name": ""}, "its name"),
        ({"name": "a\n"}, "its name"),
        ({"name": 7}, "its name"),
        ({"exchange": " "}, "its exchange"),
        ({"version": 0}, "its version"),
        ({"version": True}, "its version"),
        ({"volatile": ["a"]}, "its volatile"),
        ({"volatile": frozenset({1})}, "its volatile"),
        ({"index": "/path"}, "its index"),
        ({"lists": {}}, "its lists is no method"),
    ],
)
def test_what_is_no_reader_is_not_registered(fields: dict[str, Any], why: str) -> None:
    reader: Any = type("Odd", (Mine,), fields)()
    with pytest.raises(InvalidArgument, match=why) as caught:
        register_reader(reader)
    assert caught.value.field == "reader"
    assert len(all_readers()) == 6


def test_a_name_is_registered_once() -> None:
    register_reader(Mine())
    with pytest.raises(InvalidArgument, match="already"):
        register_reader(Mine())


@pytest.mark.parametrize("odd", [Mine, None, 7, object()])
def test_an_object_without_the_members_is_no_reader(odd: Any) -> None:
    with pytest.raises(InvalidArgument):
        register_reader(odd)


def test_an_entry_point_offers_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_points(monkeypatch, mine=f"{__name__}:Mine")
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(Mine=Mine))
    assert [reader.name for reader in readers_of("MADE_UP")] == ["mine"]
    assert broken_readers() == ()


def test_an_entry_point_that_cannot_be_loaded_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine = "exchanges_db.symbols.payloads.mexc_spot:MexcSpot"
    entry_points(monkeypatch, absent="no_such_module_anywhere:Reader", odd="json:dumps", again=mine)
    with caplog.at_level(logging.WARNING, "exchanges_db"):
        assert len(all_readers()) == 6
    assert [(one.name, one.value) for one in broken_readers()] == [
        ("absent", "no_such_module_anywhere:Reader"), ("odd", "json:dumps"), ("again", mine),
    ]  # fmt: skip
    assert isinstance(broken_readers()[0], BrokenReader)
    assert "ModuleNotFoundError" in broken_readers()[0].reason
    assert "already" in broken_readers()[2].reason
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 3
    assert len(read(SPOT, spot()).symbols) == 1


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit()])
def test_an_entry_point_that_ends_the_program_stops_no_other(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Some packages exit where something is missing, and some libraries' errors are no Exception."""

    def load(point: EntryPoint) -> object:
        raise error

    entry_points(monkeypatch, ending="somewhere:Reader")
    monkeypatch.setattr(EntryPoint, "load", load)
    assert len(all_readers()) == 6
    assert type(error).__name__ in broken_readers()[0].reason


@pytest.mark.parametrize("listing", ["PERPETUAL:USDT", "perpetual:usdt", Listing(SymbolKind.PERPETUAL, "USDT")])
def test_a_list_is_named_by_text_or_by_a_listing(listing: Any) -> None:
    found = read(FUTURES, futures(), listing=listing)
    assert (found.listing, found.source, found.foreign) == (
        Listing(SymbolKind.PERPETUAL, "USDT"), "gateio_futures", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("exchange", "row", "listing"),
    [
        (MEXC, many(MEXC, 1)[0], "SPOT"),
        (SPOT, spot(), "SPOT"),
        (MEXC_FUTURES, many(MEXC_FUTURES, 1)[0], "PERPETUAL"),
        (FUTURES, delivery(), "FUTURE:USDT"),
        (OPTIONS, options("ETH"), "OPTION:USDT:ETH_USDT"),
    ],
)
def test_a_list_need_not_be_named_where_the_payload_tells_it(exchange: str, row: dict[str, Any], listing: str) -> None:
    found = read(exchange, row)
    assert (str(found.listing), found.foreign, len(found.symbols)) == (listing, None, 1)


@pytest.mark.parametrize(
    ("exchange", "rows", "choices"),
    [
        (FUTURES, [futures()], ["PERPETUAL:USDT", "PERPETUAL:BTC"]),
        (FUTURES, [], ["PERPETUAL:USDT", "PERPETUAL:BTC", "FUTURE:USDT"]),
        (OPTIONS, [], ["/api/v4/options/underlyings"]),
        (OPTIONS, [options(), options("ETH")], ["/api/v4/options/underlyings"]),
    ],
)
def test_a_list_that_cannot_be_told_must_be_named(exchange: str, rows: list[Any], choices: list[str]) -> None:
    """The settlement stands in the URL only."""
    with pytest.raises(InvalidArgument) as caught:
        read(exchange, *rows)
    assert caught.value.field == "listing"
    assert all(choice in str(caught.value) for choice in choices)


@pytest.mark.parametrize(
    ("exchange", "listing"),
    [(FUTURES, "SPOT"), (FUTURES, "PERPETUAL:EUR"), (FUTURES, "PERPETUAL"), (SPOT, "PERPETUAL:USDT"),
     (MEXC_FUTURES, "PERPETUAL:USDT"), (FUTURES, "nonsense"), (FUTURES, 7), (FUTURES, "")],
)  # fmt: skip
def test_a_list_that_the_exchange_has_not_is_refused(exchange: str, listing: Any) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(exchange, *many(exchange, 1), listing=listing)
    assert caught.value.field == "listing"


@pytest.mark.parametrize("listing", ["SPOT", "OPTION:USDT", "OPTION:BTC:BTC_USDT", "OPTION:USDT:BTC"])
def test_a_list_of_options_is_on_an_underlying_and_settles_in_its_quote(listing: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        read(OPTIONS, options(), listing=listing)
    assert caught.value.field in ("listing", "underlying")


def test_dated_contracts_in_place_of_perpetuals_are_another_list() -> None:
    found = read(FUTURES, delivery(), listing="PERPETUAL:USDT")
    assert (str(found.listing), found.source) == ("FUTURE:USDT", "gateio_delivery")
    assert "FUTURE:USDT" in str(found.foreign)
    found = read(FUTURES, futures(), listing="FUTURE:USDT")
    assert (str(found.listing), found.source) == ("PERPETUAL:USDT", "gateio_futures")
    assert "PERPETUAL:USDT" in str(found.foreign)


def test_an_exchange_without_a_reader_has_no_list_of_its_own() -> None:
    found = read_payload("NOBODY", payload(SPOT, [spot()]), observed_at=NOW)
    assert "GATEIO_SPOT, not of NOBODY" in str(found.foreign)


def test_symbols_of_another_list_make_a_payload_foreign() -> None:
    class Stray(GateioFutures):
        name = "stray"
        exchange = "STRAY"

        def lists(self, index: bytes | None = None) -> dict[Listing, Request]:
            return {Listing(SymbolKind.FUTURE, "USDT"): Request("/x")}

        def read(self, document: Any, *, listing: Listing, observed_at: datetime) -> Payload:
            return GateioFutures().read(
                document, listing=Listing(SymbolKind.PERPETUAL, "USDT"), observed_at=observed_at
            )

    register_reader(Stray())
    assert "ETH_USDT is no symbol of the list FUTURE:USDT" in str(
        read_payload("STRAY", payload(FUTURES, [futures()]), observed_at=NOW).foreign
    ).replace("'", "")


def test_what_nobody_recognises_is_shown() -> None:
    with pytest.raises(PayloadError, match=r"GATEIO_OPTIONS.*it says.*brand new"):
        read_payload(SPOT, b'{"brand new": 1}', observed_at=NOW)


class Faulty(Mine):
    """A reader with a fault of its own, in each method in turn."""

    name = "faulty"

    def __init__(self, method: str) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise KeyError("tickSize")

        setattr(self, method, fail)


@pytest.mark.parametrize("method", ["recognises", "read", "lists"])
def test_what_a_reader_raises_of_its_own_is_one_of_our_errors(method: str) -> None:
    """It names the reader, and has the cause; whoever imports need not know what a reader may raise."""
    register_reader(Faulty(method))
    with pytest.raises(PayloadError, match=r"its reader 'faulty' failed with KeyError: \"'tickSize'\"") as caught:
        read_payload("MADE_UP", payload(MEXC, many(MEXC, 2)), observed_at=NOW)
    assert isinstance(caught.value.__cause__, KeyError)


def test_absences_that_fail_are_one_of_our_errors_too() -> None:
    register_reader(Faulty("absences"))
    found = read_payload("MADE_UP", payload(MEXC, many(MEXC, 2)), observed_at=NOW)
    with pytest.raises(PayloadError, match="its reader 'faulty' failed with KeyError"):
        readers.with_absences(found, b"{}")


def test_a_reader_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """Whose payload it is is asked of all readers, where it is not the exchange's own."""
    register_reader(Faulty("recognises"))
    with caplog.at_level(logging.WARNING, "exchanges_db"):
        found = read_payload(MEXC, payload(SPOT, [spot()]), observed_at=NOW)
    assert found.foreign == "it reads like a payload of GATEIO_SPOT, not of MEXC_SPOT"
    assert "its reader 'faulty' failed" in caplog.text


def test_a_list_that_is_not_where_its_own_stand_is_none_of_a_reader() -> None:
    """A reader whose rows lie further in says so by rows_at, which raises PayloadError for all other payloads."""

    class FurtherIn(Mine):
        name = "further_in"

        def recognises(self, document: Any) -> bool:
            return bool(document.rows_at("result", "list").rows)

    register_reader(FurtherIn())
    assert read_payload(MEXC, payload(SPOT, [spot()]), observed_at=NOW).foreign is not None
    with pytest.raises(PayloadError, match=r"it says .*wrong"):
        read_payload("MADE_UP", b'{"retCode": 1, "retMsg": "wrong", "result": {}}', observed_at=NOW)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"companion": Request("/offline")}, "it lacks absences"),
        ({"absences": dict}, "it lacks companion"),
        ({"companion": "/offline", "absences": dict}, "its companion is no Request"),
        ({"listing_of": "SPOT"}, "its listing_of is no method"),
        ({"unasked": ["SPOT"]}, "its unasked is no collection of Listing"),
        ({"unasked": (Listing(SymbolKind.FUTURE, "BTC"),)}, None),
    ],
)
def test_what_a_reader_does_beyond_is_checked_too(members: dict[str, Any], why: str | None) -> None:
    """Half of a companion would be passed over in silence."""
    reader = type("More", (GateioFutures,), members)()
    reason = readers.why_no_reader(reader)
    assert (reason is None) if why is None else (reason is not None and why in reason)


def test_what_is_no_reader_is_told_which_members_it_lacks() -> None:
    assert "it lacks exchange, index, lists, name, read, recognises, version, volatile" in str(
        readers.why_no_reader(object())
    )
