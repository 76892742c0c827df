"""What is told to be usual in one go keeps to every rule that is checked field by field."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges_db import InvalidSymbol
from exchanges_db.symbols import usual
from exchanges_db.symbols.enums import ContractDirection, OrderType, SymbolKind, SymbolStatus
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import all_readers, read_payload
from exchanges_db.symbols.rules import check_spec
from tests.payload_rows import many, payload

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LISTS = {"gateio_futures": "PERPETUAL:USDT", "gateio_delivery": "FUTURE:USDT"}
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**31, 0.5, "", " x", "x ", "x", "x\n", "X" * 201, b"x", (), [], ("LIMIT",),
    (OrderType.LIMIT,), Decimal(0), Decimal(-1), Decimal("0.04"), Decimal("0.06"), Decimal(5), Decimal(10**9),
    Decimal("NaN"), Decimal("Infinity"), Decimal("1e-17000"), NOW, NOW.replace(tzinfo=None),
    NOW.astimezone(timezone(timedelta(hours=1))), *SymbolKind,
    *ContractDirection, *SymbolStatus,
]  # fmt: skip


def specs() -> list[SymbolSpec]:
    """One of every reader."""
    return [
        read_payload(
            reader.exchange, payload(reader.name, many(reader.name, 2)), listing=LISTS.get(reader.name), observed_at=NOW
        )
        .symbols[0]
        .spec
        for reader in all_readers()
    ]


def loose(spec: SymbolSpec, **fields: Any) -> Any:
    """Return something with the fields of a specification that nobody has checked."""
    made = type("Unchecked", (), {})()
    vars(made).update({**msgspec.structs.asdict(spec), **fields})
    return made


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.native_symbol)
def test_what_breaks_a_rule_is_not_usual(spec: SymbolSpec) -> None:
    """Also where the odd value stands elsewhere as a good one, and is known as such."""
    for odd in ODD:
        for field in spec.__struct_fields__:
            changed = loose(spec, **{field: odd})
            try:
                check_spec(changed)
            except InvalidSymbol:
                assert not usual.is_usual(changed), (field, odd)
            else:
                usual.remember(changed)


def test_usual_symbols_are_told_to_be() -> None:
    """Else every row would be looked at field by field."""
    usual_kinds = (SymbolKind.SPOT, SymbolKind.PERPETUAL)
    for spec in specs():
        assert usual.is_usual(spec) == (spec.kind in usual_kinds), spec.native_symbol


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual, "_MOST", 10)
    for number in range(1, 100):
        usual.remember(loose(specs()[2], max_quantity=Decimal(number)))
    assert len(usual._positive) < 30
