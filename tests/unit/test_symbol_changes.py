"""What a payload changes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from exchanges_db import (
    ChangeKind,
    ContractDirection,
    SidesAllowed,
    Symbol,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
)
from exchanges_db.symbols.absence import Absence
from exchanges_db.symbols.changes import KnownSymbol, find_changes, find_changes_between
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
FUTURE = Listing(SymbolKind.FUTURE, "USDT")
DATED: dict[str, Any] = {**CONTRACT, "kind": SymbolKind.FUTURE, "expires_at": LATER}
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
        ({}, {"status": SymbolStatus.EXPIRED}, "EXPIRED"),
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


@pytest.mark.parametrize(
    ("dated", "kind", "status", "since"),
    [
        ({"expires_at": LATER}, "EXPIRED", SymbolStatus.EXPIRED, None),
        ({"expires_at": NOW}, "EXPIRED", SymbolStatus.EXPIRED, None),
        ({"expires_at": LATER, "delisted_at": EARLIER}, "EXPIRED", SymbolStatus.EXPIRED, EARLIER),
        ({"expires_at": datetime(2026, 2, 1, tzinfo=UTC)}, "DELISTED", SymbolStatus.DELISTED, NOW),
    ],
)
def test_a_dated_contract_that_leaves_the_list_after_its_end_has_expired(
    dated: dict[str, Any], kind: str, status: SymbolStatus, since: datetime | None
) -> None:
    """It ended as it was listed to; before that time it was taken away."""
    (gone,) = find_changes([known(**{**DATED, **dated})], [], NOW, listing=FUTURE)
    assert (gone.kind, gone.spec.status, gone.spec.delisted_at, gone.vanished) == (kind, status, since, True)
    assert gone.spec.sides is SidesAllowed.NONE
    said_otherwise = find_changes(
        [known(**{**DATED, **dated})], [], NOW, listing=FUTURE, absent={"BTC_USDT": Absence(SymbolStatus.HALTED)}
    )
    assert kinds(*said_otherwise) == ["EXPIRED" if kind == "EXPIRED" else "HALTED"]


def test_a_contract_whose_name_goes_on_to_another_after_its_end_has_expired() -> None:
    old, new = find_changes([known(**DATED)], [spec(**{**DATED, "base": "BTCNEW"})], NOW, listing=FUTURE)
    assert (old.kind, new.kind) == (ChangeKind.EXPIRED, ChangeKind.LISTED)


def test_a_time_from_which_positions_can_only_be_closed_is_not_taken_for_the_end() -> None:
    """It may have been traded until it was seen to be gone."""
    (gone,) = find_changes([known(delisting_at=EARLIER)], [], NOW, listing=SPOT)
    assert (gone.kind, gone.spec.delisted_at) == (ChangeKind.DELISTED, NOW)


@pytest.mark.parametrize("field", ["delisting_at", "delisted_at", "expires_at"])
@pytest.mark.parametrize(("then", "told"), [(LATER, True), (NOW, True), (datetime(2026, 2, 1, tzinfo=UTC), False)])
def test_an_end_is_announced_where_it_was_known_before(field: str, then: datetime, told: bool) -> None:
    base = {**DATED, "expires_at": datetime(2027, 1, 1, tzinfo=UTC)}
    (gone,) = find_changes([known(**{**base, field: then})], [], NOW, listing=FUTURE)
    assert gone.was_announced(NOW) is told
    (first_told,) = find_changes([known(**base)], [spec(**{**base, **SEEN_DEAD, field: then})], NOW, listing=FUTURE)
    assert not first_told.was_announced(NOW)


def test_what_is_rejected_or_settles_elsewhere_has_not_vanished() -> None:
    """Nor what was dead before."""
    assert find_changes([known()], [], NOW, rejected={"BTC_USDT"}, listing=SPOT) == ()
    assert find_changes([known(**CONTRACT)], [], NOW, listing=Listing(SymbolKind.PERPETUAL, "BTC")) == ()
    assert kinds(*find_changes([known(**CONTRACT)], [], NOW, listing=Listing(SymbolKind.PERPETUAL, "USDT"))) == [
        "DELISTED"
    ]
    assert find_changes([known(**DEAD)], [], NOW, listing=SPOT) == ()


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
