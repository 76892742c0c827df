"""What a payload changes, and which payloads are refused."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges_db import (
    Brake,
    ChangeKind,
    ContractDirection,
    SidesAllowed,
    Symbol,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
)
from exchanges_db.symbols.changes import KnownSymbol, find_brakes, find_changes, find_changes_between
from exchanges_db.symbols.listing import Listing

NOW = datetime(2026, 1, 31, tzinfo=UTC)
EARLIER, LATER = datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 6, 1, tzinfo=UTC)


def spec(name: str = "BTC_USDT", **fields: Any) -> SymbolSpec:
    """A spot symbol of a payload."""
    base, quote = name.split("_")
    values: dict[str, Any] = {
        "native_symbol": name,
        "symbol": f"{base}/{quote}",
        "base": base,
        "quote": quote,
        "kind": SymbolKind.SPOT,
        "price_tick": Decimal("0.01"),
        "quantity_step": Decimal("0.001"),
        "status": SymbolStatus.TRADING,
        "sides": SidesAllowed.ALL,
    }
    return SymbolSpec(**{**values, **fields})


def known(name: str = "BTC_USDT", number: int = 1, **fields: Any) -> KnownSymbol:
    """A symbol as the database has it."""
    return KnownSymbol(id=number, **{**msgspec.structs.asdict(spec(name)), **fields})


def kinds(*changes: Any) -> list[str]:
    """The kinds of a change set."""
    return [change.kind.value for change in changes]


SPOT = Listing(SymbolKind.SPOT)
CONTRACT: dict[str, Any] = {
    "kind": SymbolKind.PERPETUAL,
    "settle": "USDT",
    "direction": ContractDirection.LINEAR,
    "contract_size": Decimal(1),
}
DEAD: dict[str, Any] = {"status": SymbolStatus.DELISTED, "delisted_at": EARLIER}
# What a reader makes of a symbol that is called delisted without a time.
SEEN_DEAD: dict[str, Any] = {"status": SymbolStatus.DELISTED, "delisted_at": NOW}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({}, {}, None),
        ({}, {"price_tick": Decimal("0.010")}, None),
        ({}, {"price_tick": Decimal("0.02")}, "CHANGED"),
        ({}, {"symbol": "X/Y"}, "CHANGED"),
        ({}, {"status": SymbolStatus.HALTED}, "HALTED"),
        ({}, {"status": SymbolStatus.CLOSE_ONLY}, "HALTED"),
        ({}, {"status": SymbolStatus.DELISTING}, "HALTED"),
        ({"status": SymbolStatus.HALTED}, {}, "RESUMED"),
        ({"status": SymbolStatus.DELISTING}, {}, "RESUMED"),
        ({"status": SymbolStatus.PRELAUNCH}, {}, "CHANGED"),
        ({}, SEEN_DEAD, "DELISTED"),
        ({}, {"status": SymbolStatus.EXPIRED}, "DELISTED"),
        (DEAD, SEEN_DEAD, None),
        (DEAD, {"status": SymbolStatus.DELISTED, "delisted_at": LATER}, "CHANGED"),
        (DEAD, {"status": SymbolStatus.EXPIRED}, "CHANGED"),
        (DEAD, {}, "RELISTED"),
        (DEAD, {"status": SymbolStatus.HALTED}, "RELISTED"),
    ],
)
def test_each_kind_of_change(old: dict[str, Any], new: dict[str, Any], kind: str | None) -> None:
    """One row against one row."""
    changes = find_changes([known(**old)], [spec(**new)], NOW, listing=SPOT)
    assert kinds(*changes) == ([] if kind is None else [kind])
    if changes:
        assert changes[0].symbol_id == 1


def test_a_change_names_its_fields() -> None:
    """With what was and what is."""
    (change,) = find_changes(
        [known()], [spec(price_tick=Decimal(1), list_maker_fee=Decimal("0.01"))], NOW, listing=SPOT
    )
    assert [(f.field, f.old, f.new) for f in change.fields] == [
        ("price_tick", Decimal("0.01"), Decimal(1)), ("list_maker_fee", None, Decimal("0.01")),
    ]  # fmt: skip


def test_a_symbol_that_is_new_is_listed_and_one_that_is_missing_delisted() -> None:
    """From the time it was observed, unless the exchange gave one before."""
    listed, gone = find_changes([known()], [spec("ETH_USDT")], NOW, listing=SPOT)
    assert (listed.kind, listed.symbol_id, listed.spec.base) == (ChangeKind.LISTED, None, "ETH")
    assert (gone.kind, gone.spec.status, gone.spec.sides, gone.spec.delisted_at, gone.vanished) == (
        ChangeKind.DELISTED, SymbolStatus.DELISTED, SidesAllowed.NONE, NOW, True,
    )  # fmt: skip
    (told,) = find_changes([known(delisted_at=EARLIER)], [], NOW, listing=SPOT)
    assert told.spec.delisted_at == EARLIER
    (at_once,) = find_changes([known(delisted_at=NOW)], [], NOW, listing=SPOT)
    assert at_once.spec.delisted_at == NOW


def test_a_symbol_told_to_be_delisted_without_a_time_is_so_from_when_it_was_seen() -> None:
    """A time kept from while it was live is not one of this delisting; a time given before for this one stays."""
    gone = spec(**SEEN_DEAD)
    (change,) = find_changes([known(delisted_at=EARLIER)], [gone], NOW, listing=SPOT)
    assert (change.kind, change.spec.delisted_at) == (ChangeKind.DELISTED, NOW)
    (still,) = find_changes([known(**DEAD, price_tick=Decimal("0.1"))], [gone], NOW, listing=SPOT)
    assert (still.kind, still.spec.delisted_at) == (ChangeKind.CHANGED, EARLIER)
    (new,) = find_changes([], [gone], NOW, listing=SPOT)
    assert (new.kind, new.spec.delisted_at) == (ChangeKind.LISTED, NOW)


def test_a_name_given_to_another_coin_ends_one_symbol_and_begins_another() -> None:
    """The old one's history stays its own."""
    old, new = find_changes([known()], [spec(base="BTCNEW")], NOW, listing=SPOT)
    assert (old.kind, old.symbol_id, old.vanished) == (ChangeKind.DELISTED, 1, False)
    assert (new.kind, new.symbol_id) == (ChangeKind.LISTED, None)
    assert kinds(*find_changes([known(**DEAD)], [spec(base="BTCNEW")], NOW, listing=SPOT)) == ["LISTED"]


def test_the_live_one_of_several_with_a_name_is_compared() -> None:
    """Else the last that was delisted."""
    rows = [known(number=1), known(number=2, **DEAD)]
    assert find_changes(rows, [spec()], NOW, listing=SPOT) == ()
    dead = [known(number=1, **DEAD), known(number=2, **DEAD)]
    assert [change.symbol_id for change in find_changes(dead, [spec()], NOW, listing=SPOT)] == [2]


def test_what_is_rejected_or_settles_elsewhere_has_not_vanished() -> None:
    """Nor what was dead before."""
    assert find_changes([known()], [], NOW, rejected={"BTC_USDT"}, listing=SPOT) == ()
    assert find_changes([known(**CONTRACT)], [], NOW, listing=Listing(SymbolKind.PERPETUAL, "BTC")) == ()
    assert kinds(*find_changes([known(**CONTRACT)], [], NOW, listing=Listing(SymbolKind.PERPETUAL, "USDT"))) == [
        "DELISTED"
    ]
    assert find_changes([known(**DEAD)], [], NOW, listing=SPOT) == ()


def brakes(rows: list[KnownSymbol], specs: list[SymbolSpec], **more: Any) -> list[Brake]:
    """Which brakes a payload meets."""
    changes = find_changes(rows, specs, NOW, listing=SPOT)
    return [hit.brake for hit in find_brakes(changes, **{"live": len(rows), "offered": len(specs), **more})]


def test_an_empty_payload_is_refused() -> None:
    """Even if nothing is known yet."""
    assert brakes([], []) == [Brake.EMPTY]
    assert brakes([known()], []) == [Brake.EMPTY, Brake.VANISHED]


@pytest.mark.parametrize(("missing", "hit"), [(0, False), (2, False), (3, True), (20, True)])
def test_a_payload_that_lacks_more_than_a_tenth_is_refused(missing: int, hit: bool) -> None:
    """Exactly a tenth may be missing."""
    rows = [known(f"C{number}_USDT", number) for number in range(20)]
    offered = [spec(f"C{number}_USDT") for number in range(missing, 20)] or [spec("NEW_USDT")]
    assert (Brake.VANISHED in brakes(rows, offered)) is hit


@pytest.mark.parametrize("field", ["price_tick", "contract_size"])
@pytest.mark.parametrize(
    ("old", "new", "hit"),
    [("1", "100", True), ("1", "0.01", True), ("1", "99", False), ("1", "0.011", False)],
)
def test_a_tick_or_size_a_hundred_times_off_is_refused(field: str, old: str, new: str, hit: bool) -> None:
    """In either direction."""
    before, after = ({**CONTRACT, field: Decimal(number)} for number in (old, new))
    found = brakes([known(**before)], [spec(**after)])
    assert found == ([Brake.JUMP] if hit else [])


def test_the_other_brakes() -> None:
    """Names that are there twice, foreign lists, and too many rows that cannot be read."""
    assert brakes([], [spec()], duplicates=["BTC_USDT"]) == [Brake.DUPLICATE]
    assert brakes([], [spec()], foreign="another's") == [Brake.FOREIGN]
    assert brakes([], [spec()], offered=10, rejected=1) == []
    assert brakes([], [spec()], offered=10, rejected=2) == [Brake.REJECTED]
    rows = [known(f"C{number}_USDT", number) for number in range(20)]
    offered = [spec(f"C{number}_USDT") for number in range(19)]
    assert brakes(rows, offered, offered=20, rejected=1, nameless=1) == [Brake.REJECTED]
    assert brakes(rows, offered, offered=20, rejected=1, nameless=0) == []


def test_a_reason_lists_some_and_counts_the_rest() -> None:
    """A thousand names are no message."""
    (hit,) = find_brakes([], live=0, offered=9, duplicates=[f"C{number}" for number in range(9)])
    assert hit.reason == "the payload lists twice: 'C0', 'C1', 'C2', 'C3', 'C4' and 4 more"


def test_two_states_of_the_database_are_compared_by_id() -> None:
    """What is gone from the second was deleted."""
    times = {"created_at": EARLIER, "updated_at": EARLIER, "spec_version": 1}
    rest: dict[str, Any] = {
        "exchange_id": 1,
        "exchange": "X",
        "price_decimals": 2,
        "quantity_decimals": 3,
        **times,
    }

    def row(number: int, **fields: Any) -> Symbol:
        return Symbol(id=number, **rest, **msgspec.structs.asdict(spec(**fields)))

    changes = find_changes_between([row(1), row(2), row(3)], [row(2), row(3, sides=SidesAllowed.BUY), row(4)])
    assert [(change.kind, change.symbol_id) for change in changes] == [
        (ChangeKind.CHANGED, 3), (ChangeKind.LISTED, 4), (ChangeKind.DELISTED, 1),
    ]  # fmt: skip
