"""What the table `symbols` refuses, and which real oddities it takes."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchanges_db import (
    AssetClass,
    ContractDirection,
    InvalidSymbol,
    OptionType,
    OrderType,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
    get_symbol,
)
from exchanges_db.symbols.enums import is_live
from tests.factories import property_settings
from tests.symbol_rows import KINDS, as_row_fields, as_spec_fields, insert

P = "symbols_"
NUMBERS = ("min_quantity", "max_quantity", "min_notional", "max_notional")
MARKET = ("market_min_quantity", "market_max_quantity", "market_min_notional", "market_max_notional")
RATIOS = ("price_band_up", "price_band_down", "market_slip_ratio", "funding_cap")
RATES = ("initial_margin_rate", "maintenance_margin_rate")
TIMES = ("buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at", "expires_at", "exchange_changed_at")
# What a symbol that is known by name only has not.
NAMED = dict.fromkeys(("symbol", "kind", "price_tick", "quantity_step", "status"))
LENGTHS = {
    "native_symbol": 100,
    "symbol": 200,
    "base": 50,
    "quote": 50,
    "settle": 50,
    "full_name": 200,
    "contract_address": 200,
}
REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (f"{P}{field}_printable", "quanto" if field == "settle" else "spot", {field: text})
        for field in LENGTHS
        for text in ("", " ", " X", "X ", "a\nb", "a\tb", "\x7f", "\x1b[31m", "X" * (LENGTHS[field] + 1))
    ),
    (f"{P}kind_known", "linear", {"kind": "SWAP"}),
    (f"{P}direction_known", "linear", {"direction": "ODD"}),
    (f"{P}status_known", "spot", {"status": "ONLINE"}),
    (f"{P}sides_known", "spot", {"sides": "BOTH"}),
    (f"{P}contract_terms_fit_kind", "spot", {"contract_size": "1"}),
    (f"{P}contract_terms_fit_kind", "spot", {"settle": "USDT"}),
    (f"{P}contract_terms_fit_kind", "spot", {"direction": "LINEAR"}),
    (f"{P}contract_terms_fit_kind", "linear", {"contract_size": None}),
    (f"{P}contract_terms_fit_kind", "linear", {"direction": None}),
    (f"{P}contract_terms_fit_kind", "linear", {"settle": None}),
    (f"{P}direction_fits_settle", "linear", {"settle": "BTC"}),
    (f"{P}direction_fits_settle", "inverse", {"settle": "USDT"}),
    (f"{P}direction_fits_settle", "quanto", {"settle": "USDT"}),
    (f"{P}direction_fits_settle", "quanto", {"settle": "BTC"}),
    (f"{P}expiry_fits_kind", "future", {"expires_at": None}),
    (f"{P}expiry_fits_kind", "option", {"expires_at": None}),
    (f"{P}expiry_fits_kind", "linear", {"expires_at": "2027-01-01T00:00:00Z"}),
    (f"{P}expiry_fits_kind", "spot", {"expires_at": "2027-01-01T00:00:00Z"}),
    (f"{P}delisted_has_time", "spot", {"status": "DELISTED"}),
    *(
        (f"{P}times_are_dates", "future", {field: time})
        for field in TIMES
        for time in ("infinity", "-infinity", "10000-01-01T00:00:00Z", "0001-12-31T23:59:59Z BC")
    ),
    *(
        (f"{P}{field}_positive", "linear", {field: value})
        for field in ("contract_size", "price_tick", "quantity_step")
        for value in ("0", "-1", "NaN", "Infinity", "-Infinity")
    ),
    *((f"{P}{f.split('_')[1]}_limits", "spot", {f: v}) for f in NUMBERS for v in ("-1", "NaN", "Infinity")),
    (f"{P}quantity_limits", "spot", {"max_quantity": "0"}),
    (f"{P}notional_limits", "spot", {"max_notional": "0"}),
    (f"{P}quantity_limits", "spot", {"min_quantity": "2", "max_quantity": "1"}),
    (f"{P}notional_limits", "spot", {"min_notional": "2", "max_notional": "1"}),
    *(
        (f"{P}fees_are_fractions", "spot", {fee: value})
        for fee in ("list_maker_fee", "list_taker_fee")
        for value in ("0.2", "0.05000001", "-0.051", "NaN", "Infinity")
    ),
    (f"{P}exchange_id_fkey", "spot", {"exchange_id": 99}),
    *((f"{P}market_{f.split('_')[2]}_limits", "spot", {f: v}) for f in MARKET for v in ("-1", "NaN", "Infinity")),
    (f"{P}market_quantity_limits", "spot", {"market_min_quantity": "2", "market_max_quantity": "1"}),
    (f"{P}market_notional_limits", "spot", {"market_max_notional": "0"}),
    *((f"{P}ratios_not_negative", "spot", {f: v}) for f in RATIOS for v in ("-0.1", "NaN", "Infinity")),
    *((f"{P}margin_rates_are_fractions", "linear", {f: v}) for f in RATES for v in ("-0.1", "1.1", "NaN", "Infinity")),
    *((f"{P}leverage_limits", "linear", {f"leverage_{f}": v}) for f in ("min", "max") for v in ("0", "-1", "NaN")),
    (f"{P}leverage_limits", "linear", {"leverage_min": "3", "leverage_max": "2"}),
    *((f"{P}counts_positive", "linear", {f: 0}) for f in ("funding_interval", "max_open_orders")),
    (f"{P}price_band_of_known", "spot", {"price_band_of": "BID"}),
    (f"{P}asset_class_known", "spot", {"asset_class": "HOUSE"}),
    (f"{P}order_types_known", "spot", {"order_types": ["LIMIT", "ODD"]}),
    (f"{P}order_types_known", "spot", {"order_types": [None]}),
    (f"{P}option_type_known", "option", {"option_type": "ODD"}),
    (f"{P}option_terms_fit_kind", "option", {"option_type": None}),
    (f"{P}option_terms_fit_kind", "option", {"strike": None}),
    (f"{P}option_terms_fit_kind", "future", {"strike": "1"}),
    *((f"{P}rules_whole", "spot", {field: None, "sides": "NONE", "api_tradable": False}) for field in NAMED),
    (f"{P}rules_whole", "spot", {**NAMED, "status": "TRADING"}),
    (f"{P}named_is_closed", "spot", {**NAMED, "api_tradable": False}),
    (f"{P}named_is_closed", "spot", {**NAMED, "sides": "NONE"}),
    *((f"{P}strike_positive", "option", {"strike": value}) for value in ("0", "-1", "NaN", "Infinity")),
]
# Shown below, where rows are written past the triggers.
ELSEWHERE = {f"{P}pkey", f"{P}spec_version_positive", f"{P}source_printable"}


@pytest.mark.parametrize(("constraint", "kind", "fields"), REFUSED, ids=range(len(REFUSED)))
async def test_what_cannot_be_is_refused(conn: asyncpg.Connection, constraint: str, kind: str, fields: Any) -> None:
    """And the constraint's name says which rule it broke."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await insert(conn, kind, **fields)
    assert info.value.constraint_name == constraint


async def test_every_constraint_has_a_case(conn: asyncpg.Connection) -> None:
    """A new constraint without one fails here."""
    rows = await conn.fetch("SELECT conname FROM pg_constraint WHERE conrelid = 'symbols'::regclass AND contype <> 'n'")
    assert {row["conname"] for row in rows} == {name for name, *_ in REFUSED} | ELSEWHERE


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("spec_version = 0", f"{P}spec_version_positive"),
        ("id = 1", f"{P}pkey"),
        ("source = ' '", f"{P}source_printable"),
    ],
)
async def test_what_only_the_database_sets_is_held_too(conn: asyncpg.Connection, change: str, constraint: str) -> None:
    """Even where the triggers that set it are off."""
    await conn.execute("ALTER TABLE symbols DISABLE TRIGGER USER; ALTER TABLE symbols ALTER id DROP IDENTITY")
    await conn.execute("ALTER TABLE symbols ALTER id SET DEFAULT nextval('exchanges_id_seq')")
    await insert(conn)
    await conn.execute("UPDATE symbols SET id = 1")
    await insert(conn, native_symbol="OTHER")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await conn.execute(f"UPDATE symbols SET {change} WHERE native_symbol = 'OTHER'")
    assert info.value.constraint_name == constraint


def test_there_is_a_row_of_every_kind() -> None:
    """And of every direction: a new one fails here until it has its row."""
    assert {row["kind"] for row in KINDS.values()} == {kind.value for kind in SymbolKind}
    directions = {direction.value for direction in ContractDirection}
    assert {row.get("direction") for row in KINDS.values()} == directions | {None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"min_quantity": "0.0001"},
        {"min_quantity": "0"},
        {"price_tick": "0.5"},
        {"price_tick": "0.0000000001"},
        {"native_symbol": "BTC_USDT永续"},
        {"native_symbol": "币安人生_USDT"},
        {"native_symbol": "💱"},
        {"list_maker_fee": "-0.0001", "list_taker_fee": "0.05"},
        {"order_types": ["LIMIT", "MARKET"]},
        {"order_types": []},
        {"market_min_quantity": "0", "price_band_up": "0", "price_band_of": "LAST", "max_open_orders": 50},
        {"buy_opens_at": "1970-01-01T00:00:00Z", "delisting_at": "9999-12-30T23:59:59.999999Z"},
    ],
)
async def test_what_is_real_is_taken(conn: asyncpg.Connection, kind: str, fields: dict[str, Any]) -> None:
    """Minimums below a step, odd ticks, names in any script, rebates."""
    assert await insert(conn, kind, **fields)


@pytest.mark.parametrize(
    ("step", "decimals"),
    [("0.05", 2), ("0.5", 1), ("1", 0), ("100", 0), ("0.0000000001", 10), ("1.000000000000000000000000000000", 0)],
)
async def test_decimals_are_derived(conn: asyncpg.Connection, step: str, decimals: int) -> None:
    """From the number, however many zeros it was written with."""
    symbol = await insert(conn, price_tick=step, quantity_step=step)
    row = await conn.fetchrow("SELECT * FROM symbols WHERE id = $1", symbol)
    assert row is not None
    assert (row["price_decimals"], row["quantity_decimals"]) == (decimals, decimals)
    assert row["price_tick"] == Decimal(step)


@pytest.mark.parametrize("field", LENGTHS)
async def test_the_longest_text_is_taken(conn: asyncpg.Connection, field: str) -> None:
    """Letters are counted, not bytes."""
    text = "\N{CURRENCY EXCHANGE}" * LENGTHS[field]
    symbol = await insert(conn, "quanto", **{field: text})
    assert await conn.fetchval(f"SELECT {field} FROM symbols WHERE id = $1", symbol) == text


@pytest.mark.parametrize("status", SymbolStatus)
async def test_is_live_is_what_python_calls_live(conn: asyncpg.Connection, status: SymbolStatus) -> None:
    """The table and the rules of an import agree on which symbols an exchange still knows."""
    symbol = await insert(conn, status=status, delisted_at="2026-01-01T00:00:00Z")
    row = await conn.fetchrow("SELECT s.*, h.is_live AS seen FROM symbols AS s JOIN symbol_rows AS h USING (id)")
    assert row is not None
    assert row["id"] == symbol
    spec = await get_symbol("MEXC_SPOT", "BTC/USDT", db=conn)
    assert spec is not None
    assert row["is_live"] is row["seen"] is is_live(spec.status)


async def test_what_is_generated_is_no_part_of_the_specification(conn: asyncpg.Connection) -> None:
    """A column that is generated later and forgotten by the trigger would make each write of the same a change."""
    generated = await conn.fetch(
        "SELECT attname, attnotnull FROM pg_attribute WHERE attrelid = 'symbols'::regclass AND attgenerated <> ''"
    )
    assert {"is_live", "price_decimals", "quantity_decimals"} == {row["attname"] for row in generated}
    assert {row["attname"] for row in generated if row["attnotnull"]} == {"is_live"}
    symbol = await insert(conn)
    await conn.execute("UPDATE symbols SET price_tick = price_tick, source = 'other' WHERE id = $1", symbol)
    assert await conn.fetchval("SELECT spec_version FROM symbols WHERE id = $1", symbol) == 1
    assert await conn.fetchval("SELECT count(*) FROM symbol_history") == 0


async def test_a_native_symbol_is_unique_while_it_is_live(conn: asyncpg.Connection) -> None:
    """Dead ones may have borne it before, and another exchange may use it too."""
    await insert(conn, status="DELISTED", delisted_at="2026-01-01T00:00:00Z")
    await insert(conn, status="DELISTED", delisted_at="2026-01-02T00:00:00Z")
    await insert(conn, "future", status="EXPIRED")
    await insert(conn)
    await insert(conn, exchange_id=2)
    with pytest.raises(asyncpg.UniqueViolationError) as info:
        await insert(conn, "linear", status="HALTED")
    assert info.value.constraint_name == "symbols_live_native_symbol_key"


async def test_an_exchange_with_symbols_cannot_be_deleted(conn: asyncpg.Connection) -> None:
    """Deactivating it touches no symbol."""
    symbol = await insert(conn)
    before = await conn.fetchval("SELECT xmin::text || ctid::text FROM symbols WHERE id = $1", symbol)
    await conn.execute("UPDATE exchanges SET is_active = false WHERE id = 1")
    assert await conn.fetchval("SELECT xmin::text || ctid::text FROM symbols WHERE id = $1", symbol) == before
    await conn.execute("DELETE FROM exchanges WHERE id = 2")
    # 23503 up to PostgreSQL 17, 23001 since.
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as info:
        await conn.execute("DELETE FROM exchanges WHERE id = 1")
    assert info.value.constraint_name == "symbols_exchange_id_fkey"


async def test_truncating_exchanges_is_refused_too(conn: asyncpg.Connection) -> None:
    """Their symbols would be orphans."""
    with pytest.raises(asyncpg.FeatureNotSupportedError):
        await conn.execute("TRUNCATE exchanges")


TEXT = st.one_of(
    st.sampled_from(["BTC", "USDT", "ETH", "X Y", "", " ", " X", "X ", "\u00a0", "币安人生", "\U0001f4b1", "X\u200b"]),
    st.text(" \t\n\x00\x1f\x7f\x80\x85\u00a0\u200b\u2028\ud800\udfff\U0001f4b1a", max_size=4),
    st.builds(lambda n, c: c * n, st.sampled_from([50, 51, 100, 101, 200, 201]), st.sampled_from("ad\U0001f4b1 ")),
)
NUMBER = st.one_of(
    st.none(),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-3, max_value=3),
    st.sampled_from(["0", "-0", "1", "1.0", "2", "1E+200", "1E-200", "NaN", "Infinity", "-Infinity"]).map(Decimal),
    st.sampled_from(["0.05", "-0.05", "0.0500", "0.05000000000000000000000000000001", "-0.051"]).map(Decimal),
    # The first and the last that NUMERIC has room for, and their neighbours.
    st.sampled_from(["1E+131071", "1E+131072", "1E-16383", "1E-16384"]).map(Decimal),
)
MOMENT = st.one_of(
    st.none(), st.just(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-5)))), st.datetimes(timezones=st.just(UTC))
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("native_symbol", "symbol", "base", "quote"), TEXT),
    **dict.fromkeys(("settle", "full_name", "contract_address"), st.none() | TEXT),
    "option_type": st.none() | st.sampled_from(OptionType),
    "price_band_of": st.none() | st.sampled_from(PriceReference),
    "asset_class": st.none() | st.sampled_from(AssetClass),
    "order_types": st.none() | st.lists(st.sampled_from(OrderType), max_size=3).map(tuple),
    **dict.fromkeys(("tick_assumed", "step_assumed"), st.booleans()),
    **dict.fromkeys(("margin_allowed", "is_risky", "is_premarket"), st.none() | st.booleans()),
    **dict.fromkeys(("funding_interval", "max_open_orders"), st.none() | st.integers(-2, 2) | st.just(2**31)),
    "kind": st.sampled_from(SymbolKind),
    "direction": st.none() | st.sampled_from(ContractDirection),
    **dict.fromkeys(("contract_size", "price_tick", "quantity_step", "strike", *NUMBERS, *MARKET, *RATIOS), NUMBER),
    **dict.fromkeys((*RATES, "leverage_min", "leverage_max", "list_maker_fee", "list_taker_fee"), NUMBER),
    "status": st.sampled_from(SymbolStatus),
    "sides": st.sampled_from(SidesAllowed),
    "api_tradable": st.booleans(),
    **dict.fromkeys(TIMES, MOMENT),
}


@property_settings(600)
@given(
    kind=st.sampled_from(sorted(KINDS)),
    changes=st.lists(st.sampled_from(sorted(FIELDS)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in names})
    ),
)
async def test_python_and_the_database_accept_the_same_symbols(
    conn: asyncpg.Connection, kind: str, changes: dict[str, Any]
) -> None:
    """Whatever the fields, a SymbolSpec is made of what the table takes unchanged, and of nothing else."""
    assert FIELDS.keys() == set(SymbolSpec.__struct_fields__)
    fields = as_spec_fields(kind, **changes)
    try:
        SymbolSpec(**fields)
    except InvalidSymbol:
        accepted = False
    else:
        accepted = True
    assert accepted == await accepted_unchanged(conn, fields)


async def accepted_unchanged(conn: asyncpg.Connection, fields: dict[str, Any]) -> bool:
    """Whether the table takes these fields and gives the very same back."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        row = await conn.fetchrow("SELECT * FROM symbols WHERE id = $1", await insert(conn, **as_row_fields(fields)))
    except asyncpg.PostgresError:
        return False
    finally:
        await transaction.rollback()
    assert row is not None
    return all(
        (tuple(row[field]) if isinstance(value, tuple) else row[field]) == value for field, value in fields.items()
    )
