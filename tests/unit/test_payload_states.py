"""States and times as the readers give them: what an exchange says, and what its own times say by then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import all_readers, read_payload
from exchanges_db.symbols.payloads.reading import Payload, UnknownValue
from tests.payload_rows import SPOT, delivery, futures, mexc, mexc_futures, options, payload, spot

EXCHANGES = {reader.name: reader.exchange for reader in all_readers()}
LISTS = {"gateio_futures": "PERPETUAL:USDT", "gateio_delivery": "FUTURE:USDT"}
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
BEFORE, AFTER = int(NOW.timestamp()) - 3600, int(NOW.timestamp()) + 3600
LAUNCH = 1574294400


def read(reader: str, row: dict[str, Any], at: datetime = NOW) -> Payload:
    """What a payload of one row lists."""
    return read_payload(EXCHANGES[reader], payload(reader, [row]), listing=LISTS.get(reader), observed_at=at)


def one(reader: str, row: dict[str, Any], at: datetime = NOW) -> SymbolSpec:
    """The symbol of a payload of one row."""
    return read(reader, row, at).symbols[0].spec


def time(seconds: int | None) -> datetime | None:
    """A time of a payload."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(
    ("fields", "status", "sides", "by_api"),
    [
        ({"status": "1"}, "TRADING", "ALL", True),
        ({"status": 1}, "TRADING", "ALL", True),
        ({"status": "ENABLED"}, "TRADING", "ALL", True),
        ({"status": "2"}, "HALTED", "ALL", True),
        ({"status": "3"}, "DELISTED", "ALL", True),
        ({"status": "DISABLED"}, "HALTED", "ALL", True),
        ({"tradeSideType": "2"}, "TRADING", "BUY", True),
        ({"tradeSideType": 3}, "TRADING", "SELL", True),
        ({"tradeSideType": "4"}, "TRADING", "NONE", True),
        ({"tradeSideType": "9"}, "HALTED", "NONE", True),
        ({"tradeSideType": "9", "status": "3"}, "DELISTED", "NONE", True),
        ({"tradeSideType": ...}, "TRADING", "ALL", True),
        ({"isSpotTradingAllowed": False}, "TRADING", "ALL", False),
        ({"isSpotTradingAllowed": ...}, "TRADING", "ALL", True),
    ],
)
def test_states_of_mexc(fields: dict[str, Any], status: str, sides: str, by_api: bool) -> None:
    spec = one("mexc_spot", mexc(**fields))
    assert (spec.status, spec.sides, spec.api_tradable) == (status, sides, by_api)


def test_mexc_says_in_milliseconds_when_a_pair_opens() -> None:
    spec = one("mexc_spot", mexc(firstOpenTime=AFTER * 1000 + 5))
    assert spec.buy_opens_at == spec.sell_opens_at == datetime.fromtimestamp(AFTER, UTC) + timedelta(milliseconds=5)
    for nothing in (0, None, ..., "0"):
        assert one("mexc_spot", mexc(firstOpenTime=nothing)).buy_opens_at is None


@pytest.mark.parametrize(
    ("fields", "status", "by_api"),
    [
        ({"state": 0}, "TRADING", True),
        ({"state": "0"}, "TRADING", True),
        ({"state": 1}, "HALTED", True),
        ({"state": 2}, "DELISTED", True),
        ({"state": 3}, "DELISTED", True),
        ({"state": 4}, "HALTED", True),
        ({"state": 9}, "HALTED", True),
        ({"type": 2}, "HALTED", True),
        ({"type": 2, "state": 3}, "DELISTED", True),
        ({"type": ...}, "TRADING", True),
        ({"futureType": 7}, "HALTED", True),
        ({"futureType": ...}, "TRADING", True),
        ({"apiAllowed": False}, "TRADING", False),
        ({"apiAllowed": ...}, "TRADING", True),
        ({"preMarket": True}, "TRADING", True),
    ],
)
def test_states_of_mexc_futures(fields: dict[str, Any], status: str, by_api: bool) -> None:
    spec = one("mexc_futures", mexc_futures(**fields))
    assert (spec.status, spec.api_tradable) == (status, by_api)
    assert spec.sides == ("NONE" if status == "DELISTED" else "ALL")
    assert spec.is_premarket == ("preMarket" in fields)


@pytest.mark.parametrize(
    ("fields", "status", "sides"),
    [
        ({}, "TRADING", "ALL"),
        ({"trade_status": "buyable"}, "TRADING", "BUY"),
        ({"trade_status": "buyable", "sell_start": AFTER}, "TRADING", "BUY"),
        ({"trade_status": "sellable"}, "CLOSE_ONLY", "SELL"),
        ({"trade_status": "sellable", "buy_start": BEFORE}, "CLOSE_ONLY", "SELL"),
        ({"trade_status": "sellable", "buy_start": AFTER}, "TRADING", "SELL"),
        ({"trade_status": "sellable", "buy_start": AFTER, "sell_start": BEFORE}, "TRADING", "SELL"),
        ({"trade_status": "untradable"}, "HALTED", "NONE"),
        ({"trade_status": "untradable", "buy_start": AFTER}, "PRELAUNCH", "NONE"),
        ({"trade_status": "untradable", "sell_start": AFTER}, "PRELAUNCH", "NONE"),
        ({"trade_status": "untradable", "buy_start": BEFORE, "sell_start": AFTER}, "PRELAUNCH", "NONE"),
        ({"trade_status": "untradable", "buy_start": BEFORE, "sell_start": BEFORE}, "HALTED", "NONE"),
        ({"trade_status": "untradable", "delisting_time": BEFORE}, "DELISTED", "NONE"),
        ({"trade_status": "untradable", "delisting_time": BEFORE, "buy_start": AFTER}, "DELISTED", "NONE"),
        ({"trade_status": "untradable", "delisting_time": AFTER}, "HALTED", "NONE"),
        ({"delisting_time": AFTER}, "TRADING", "ALL"),
        # An observation outranks a guess.
        ({"delisting_time": BEFORE}, "TRADING", "ALL"),
        ({"type": "premarket"}, "TRADING", "ALL"),
        ({"type": ...}, "TRADING", "ALL"),
        ({"type": "odd"}, "HALTED", "ALL"),
        ({"type": "odd", "trade_status": "untradable", "delisting_time": BEFORE}, "DELISTED", "NONE"),
    ],
)
def test_states_of_gateio_spot(fields: dict[str, Any], status: str, sides: str) -> None:
    spec = one("gateio_spot", spot(**fields))
    assert (spec.status, spec.sides) == (status, sides)
    assert spec.buy_opens_at == time(fields.get("buy_start"))
    assert spec.sell_opens_at == time(fields.get("sell_start"))
    assert spec.delisting_at == spec.delisted_at == time(fields.get("delisting_time"))
    assert spec.is_premarket is {"premarket": True, "odd": None, ...: None}.get(fields.get("type"), False)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status": ...}, "TRADING"),
        ({"status": "prelaunch", "launch_time": AFTER}, "PRELAUNCH"),
        ({"status": "prelaunch", "is_pre_market": True}, "PRELAUNCH"),
        ({"is_pre_market": True}, "TRADING"),
        ({"status": "delisting"}, "DELISTING"),
        ({"in_delisting": True}, "DELISTING"),
        ({"in_delisting": True, "position_size": ...}, "DELISTING"),
        ({"in_delisting": True, "position_size": 0}, "DELISTED"),
        ({"in_delisting": True, "position_size": "0"}, "DELISTED"),
        ({"status": ..., "in_delisting": True, "position_size": 0}, "DELISTED"),
        ({"status": "delisted", "delisted_time": BEFORE}, "DELISTED"),
        ({"status": "delisted"}, "DELISTED"),
        ({"status": "circuit_breaker"}, "HALTED"),
        ({"status": "circuit_breaker", "in_delisting": True}, "HALTED"),
        ({"status": "suspend"}, "HALTED"),
        ({"status": "suspend", "delisting_time": BEFORE}, "HALTED"),
        ({"status": "odd", "in_delisting": True}, "HALTED"),
        ({"type": "odd", "in_delisting": True}, "HALTED"),
        ({"contract_type": "odd", "delisted_time": BEFORE}, "DELISTED"),
        # A contract whose own times have passed when it is read.
        ({"delisting_time": BEFORE}, "DELISTING"),
        ({"delisting_time": BEFORE, "delisted_time": AFTER}, "DELISTING"),
        ({"delisted_time": BEFORE}, "DELISTED"),
        ({"delisting_time": AFTER, "delisted_time": AFTER}, "TRADING"),
        ({"delisting_time": 0, "delisted_time": 0}, "TRADING"),
        ({"delisting_time": None, "delisted_time": None}, "TRADING"),
        ({"launch_time": ..., "delisted_time": BEFORE}, "DELISTED"),
    ],
)
def test_states_of_gateio_futures(fields: dict[str, Any], status: str) -> None:
    spec = one("gateio_futures", futures(**fields))
    assert spec.status == status
    assert spec.sides == ("NONE" if status == "DELISTED" else "ALL")
    launch = fields.get("launch_time", LAUNCH)
    assert spec.buy_opens_at == spec.sell_opens_at == (None if launch is ... else time(launch))
    assert spec.delisting_at == time(fields.get("delisting_time") or None)
    ended = time(fields.get("delisted_time") or None)
    assert spec.delisted_at == (ended or (NOW if status == "DELISTED" else None))
    assert spec.is_premarket == ("is_pre_market" in fields)


def test_the_creation_of_a_contract_is_no_launch() -> None:
    assert one("gateio_futures", futures(launch_time=0)).buy_opens_at is None
    assert one("gateio_options", options()).buy_opens_at is None
    assert one("mexc_futures", mexc_futures()).buy_opens_at is None


def test_an_end_that_is_no_later_than_the_launch_is_none() -> None:
    """The documents' example of a trading contract has all three at one second."""
    result = read("gateio_futures", futures(delisting_time=LAUNCH, delisted_time=LAUNCH - 1))
    spec = result.symbols[0].spec
    assert (spec.status, spec.delisting_at, spec.delisted_at) == ("TRADING", None, None)
    assert result.unknown_values == (
        UnknownValue("delisted_time", str(LAUNCH - 1), "left out", 1),
        UnknownValue("delisting_time", str(LAUNCH), "left out", 1),
    )
    assert one("gateio_futures", futures(delisting_time=LAUNCH + 1)).status == "DELISTING"


@pytest.mark.parametrize(
    ("reader", "row", "before", "status"),
    [
        ("gateio_spot", spot(trade_status="untradable", buy_start=AFTER), "PRELAUNCH", "HALTED"),
        ("gateio_spot", spot(trade_status="untradable", sell_start=AFTER), "PRELAUNCH", "HALTED"),
        ("gateio_spot", spot(trade_status="sellable", buy_start=AFTER), "TRADING", "CLOSE_ONLY"),
        ("gateio_spot", spot(trade_status="untradable", delisting_time=AFTER), "HALTED", "DELISTED"),
        ("gateio_futures", futures(delisting_time=AFTER), "TRADING", "DELISTING"),
        ("gateio_futures", futures(delisted_time=AFTER), "TRADING", "DELISTED"),
        ("gateio_delivery", delivery(expire_time=AFTER), "TRADING", "EXPIRED"),
        ("gateio_options", options(expiration_time=AFTER), "TRADING", "EXPIRED"),
    ],
)
def test_a_time_is_reached_at_its_very_second(reader: str, row: dict[str, Any], before: str, status: str) -> None:
    at = datetime.fromtimestamp(AFTER, UTC)
    assert one(reader, row, at - timedelta(microseconds=1)).status == before
    assert one(reader, row, at).status == status


@pytest.mark.parametrize("year", [1969, 9999, 20000])
def test_a_time_that_is_none_rejects_its_row_by_name(year: int) -> None:
    """And no other row of the list."""
    seconds = (year - 1970) * 31_556_952 + (31_550_000 if year == 9999 else 0)
    read = read_payload(SPOT, payload(SPOT, [spot("A", buy_start=seconds), spot("B")]), observed_at=datetime.now(UTC))
    assert [one.native_symbol for one in read.rejected] == ["A_USDT"]
    assert [one.spec.native_symbol for one in read.symbols] == ["B_USDT"]
