"""What a registry remembers of the documents that it reads: equal values are one object, and memory does not grow."""

import gc
import tracemalloc
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from exchanges_db.registry import documents as module
from exchanges_db.registry.documents import Documents
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_sql.registry import GetRegistryContentsRow, GetRegistryNewsRow
from tests.registry_snapshots import START, symbol

ROOM = 25
NOTHING = GetRegistryContentsRow(exchanges="[]", named="[]", holds="[]", fees="[]", lists="[]")


def document(*symbols: RegistrySymbol) -> str:
    """What the database sends of them."""
    return msgspec.json.encode(symbols, enc_hook=dict).decode()


def changed(documents: Documents, number: int) -> RegistrySymbol:
    """The one symbol of news whose time and number no other news has."""
    spec = symbol(price_tick=Decimal(number).scaleb(-4), min_quantity=Decimal("0.25"))
    one = msgspec.structs.replace(spec, updated_at=START + timedelta(seconds=number))
    row = GetRegistryNewsRow(
        epoch=number, token="t", known=True, log="[]", exchanges="[]",
        symbols=document(one), named="[]", holds="[]", fees="[]", lists="[]", left_out=[], may_lack_rows=False,
    )  # fmt: skip
    news = documents.news(row, {})
    assert news is not None
    found = news.symbols[1]
    assert isinstance(found, RegistrySymbol)
    return found


def test_memory_does_not_grow_with_the_changes_that_were_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that runs for months: each change has a time, and some a number, that no other has."""
    monkeypatch.setattr(module, "_ROOM", ROOM, raising=False)
    documents = Documents()
    held: list[int] = []
    tracemalloc.start()
    try:
        for number in range(1, 24 * ROOM + 1):
            changed(documents, number)
            if number % (3 * ROOM) == 0:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(held[4:]) < 1.2 * max(held[:4])  # all of it would be twice as much


def test_values_that_are_met_again_and_again_stay_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of the load, however much was met since."""
    monkeypatch.setattr(module, "_ROOM", ROOM, raising=False)
    documents = Documents()
    (loaded,) = documents.symbols(document(symbol(min_quantity=Decimal("0.25"))))
    documents.contents(NOTHING, Position(1, "t"), [loaded], 1)
    for number in range(1, 4 * ROOM):
        found = changed(documents, number)
        assert found.min_quantity is loaded.min_quantity
        assert found.quote is loaded.quote
        assert found.created_at is loaded.created_at


def test_numbers_keep_the_digits_that_they_were_written_with() -> None:
    """0.10 and 0.1 are equal, and not the same to whoever shows them."""
    documents = Documents()
    written = [symbol(1, price_tick=Decimal("0.1")), symbol(2, price_tick=Decimal("0.10"))]
    found = documents.symbols(document(*written))
    assert [str(one.price_tick) for one in found] == ["0.1", "0.10"]
