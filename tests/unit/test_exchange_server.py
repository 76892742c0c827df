"""The stand-in for the exchanges behaves as Gate.io's announcements say, so that tests on it mean something."""

import asyncio
import json
from typing import Any

import pytest

from tests.exchange_server import DELIVERY_PATH, HEADER, SIZES, USDT_PATH, default_lists, exchanges
from tests.http_server import Request


def asked(path: str, **headers: str) -> list[dict[str, Any]]:
    """The rows that come for a GET of `path`."""

    class Writer:
        sent = b""

        def write(self, data: bytes) -> None:
            self.sent += data

        async def drain(self) -> None:
            pass

    writer = Writer()
    behaviour = exchanges()(
        Request(path, {}, {name.replace("_", "-").lower(): value for name, value in headers.items()})
    )
    asyncio.run(behaviour(writer))  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = json.loads(writer.sent.partition(b"\r\n\r\n")[2])
    return rows


@pytest.mark.parametrize("path", [USDT_PATH, DELIVERY_PATH])
def test_sizes_are_cut_without_the_header_and_text_with_it(path: str) -> None:
    """Every size of every row, as in Gate.io's announcements 48788 and 49639."""
    true = default_lists()[path]
    for row, cut, whole in zip(true, asked(path), asked(path, **{HEADER: "1"}), strict=True):
        for size in (size for size in SIZES if size in row):
            assert type(cut[size]) is int
            assert cut[size] <= float(row[size]) < cut[size] + 1
            assert whole[size] == row[size]
    assert asked(path, **{HEADER: "0"}) == asked(path)


def test_a_position_below_one_contract_reads_as_none_without_it() -> None:
    """Which is how a contract that is being delisted came to read as delisted."""
    assert {row["position_size"] for row in asked(USDT_PATH)[:1]} == {0}
    assert {row["order_size_min"] for row in asked(USDT_PATH) if row["enable_decimal"]} == {0}
