"""MEXC's list of pairs that it took offline: what it says, and what says nothing."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from exchanges_db import InvalidArgument, PayloadError, SymbolStatus
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.payloads.mexc_offline import read_offline
from exchanges_db.symbols.payloads.readers import read_payload, with_absences
from tests.payload_rows import MEXC, SPOT, mexc, payload, spot

NOW = datetime(2026, 1, 31, tzinfo=UTC)
THEN = datetime(2024, 8, 20, 3, 48, 14, tzinfo=UTC)


def offline(*rows: Any) -> bytes:
    """The whole answer."""
    return msgspec.json.encode({"data": rows})


def test_suspended_and_delisted_pairs_are_told_apart() -> None:
    """With the time where there is one; numbers in any spelling."""
    read = read_offline(
        offline(
            {"symbol": "AUSDT", "state": 3},
            {"symbol": "BUSDT", "state": 3, "offlineTime": 1724125694000},
            {"symbol": "CUSDT", "state": "2", "offlineTime": "1724125694000"},
            {"symbol": "DUSDT", "state": 2, "offlineTime": None, "new": {"field": 1}},
            {"symbol": "EUSDT", "state": 3, "offlineTime": 0},
        )
    )
    assert read == {
        "AUSDT": Absence(SymbolStatus.DELISTED),
        "BUSDT": Absence(SymbolStatus.DELISTED, THEN),
        "CUSDT": Absence(SymbolStatus.HALTED, THEN),
        "DUSDT": Absence(SymbolStatus.HALTED),
        "EUSDT": Absence(SymbolStatus.DELISTED),
    }
    assert read_offline(offline()) == {}


@pytest.mark.parametrize(
    "row",
    [{"symbol": "AUSDT"}, {"state": 3}, {"symbol": 7, "state": 3}, "AUSDT", None, [], {"symbol": "AUSDT", "state": 1},
     {"symbol": "AUSDT", "state": "gone"}, {"symbol": "AUSDT", "state": True}, {"symbol": "AUSDT", "state": 3.5},
     {"symbol": "AUSDT", "state": 3, "offlineTime": "soon"}, {"symbol": "AUSDT", "state": 3, "offlineTime": 10**30},
     {"symbol": "AUSDT", "state": 3, "offlineTime": -1.5e300}],
)  # fmt: skip
def test_a_row_that_cannot_be_read_says_nothing_and_costs_no_other(row: Any) -> None:
    """A state that is not known is neither."""
    good = [{"symbol": f"{base}USDT", "state": 3} for base in "XYZ"]
    assert set(read_offline(offline(row, *good))) == {"XUSDT", "YUSDT", "ZUSDT"}


def test_two_rows_that_contradict_each_other_say_nothing() -> None:
    """Neither is chosen; two that say the same are one."""
    rows = [{"symbol": "AUSDT", "state": 2}, {"symbol": "AUSDT", "state": 3}, *[{"symbol": "BUSDT", "state": 3}] * 2]
    assert set(read_offline(offline(*rows))) == {"BUSDT"}


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "empty"), (b"<html>", "neither"), (b'{"code":429,"msg":"Too many requests"}', "Too many requests"),
     (b'[{"symbol":"A","state":3}]', "no list"), (payload(MEXC, [mexc()]), "no list"),
        (b'{"data":[{"s":1}]}', "no list"),
     (b'{"data":[', "cut off")],
)  # fmt: skip
def test_what_is_no_such_list_is_an_error_in_the_exchanges_words(body: bytes, words: str) -> None:
    """It must not read as a list on which nothing stands."""
    with pytest.raises(PayloadError, match=words):
        read_offline(body)


def test_it_belongs_to_the_list_of_mexc_spot() -> None:
    """Any other list has no such companion, and says so."""
    read = read_payload(MEXC, payload(MEXC, [mexc()]), observed_at=NOW)
    assert with_absences(read, offline({"symbol": "AUSDT", "state": 2})).absent == {
        "AUSDT": Absence(SymbolStatus.HALTED)
    }
    with pytest.raises(PayloadError, match="bytes"):
        with_absences(read, "{}")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="gateio_spot reads nothing beside its list"):
        with_absences(read_payload(SPOT, payload(SPOT, [spot()]), observed_at=NOW), offline())
    foreign = read_payload(MEXC, b"[]", observed_at=NOW)
    assert foreign.foreign is not None
    assert with_absences(foreign, offline()) is foreign
