"""What the fields of a symbol may hold: the CHECK constraints of the migration, in Python.

Readers make a symbol of every row of a payload: what is usual is told at once by `usual`, and what is not comes here. A
property test holds that Python and the database accept the same. A `spec` is a SymbolSpec; its type is not named here,
because its module imports this one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any

from exchanges_db.errors import InvalidSymbol, shown
from exchanges_db.moments import has_zone
from exchanges_db.symbols.enums import (
    AssetClass,
    ContractDirection,
    OptionType,
    OrderType,
    PriceReference,
    SidesAllowed,
    SymbolKind,
    SymbolStatus,
)

# No blank at either end, no control character, no half of a surrogate pair.
_TEXT = re.compile(r"(?! )[^\x00-\x1f\x7f\ud800-\udfff]+(?<! )")
_LONGEST = {
    "native_symbol": 100,
    "symbol": 200,
    "base": 50,
    "quote": 50,
    "settle": 50,
    "full_name": 200,
    "contract_address": 200,
    "underlying": 101,
    "source": 100,
}
_WORDS = {"kind": SymbolKind, "status": SymbolStatus, "sides": SidesAllowed, "api_tradable": bool}
# A member of an enum costs Python a call each time it is named.
_SPOT, _DATED = SymbolKind.SPOT, (SymbolKind.FUTURE, SymbolKind.OPTION)
_OPTION = SymbolKind.OPTION
_LINEAR, _INVERSE, _DELISTED = ContractDirection.LINEAR, ContractDirection.INVERSE, SymbolStatus.DELISTED
_ZERO, _ONE, _INFINITY = Decimal(0), Decimal(1), Decimal("Infinity")
_TIMES = ("buy_opens_at", "sell_opens_at", "delisting_at", "delisted_at", "expires_at", "exchange_changed_at")
# As the database bounds them, and what every program reads.
_FIRST, _BEHIND_LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = _FIRST.year, _BEHIND_LAST.year
_INTEGER_MAX = 2**31 - 1
_LOWEST_FEE, _HIGHEST_FEE = Decimal("-0.05"), Decimal("0.05")
# Returns what PostgreSQL's NUMERIC has room for, raises for all else: 131,072 digits before the point, 16,383 after it.
as_numeric = Context(prec=16_384, Emin=0, Emax=131_071, traps=[Inexact, InvalidOperation, Overflow]).plus


def check_spec(spec: Any) -> None:
    """Raise InvalidSymbol when a field of a symbol cannot be stored, or two contradict each other."""
    for field in ("native_symbol", "base", "quote", "symbol"):
        check_text(field, getattr(spec, field))
    check_words(spec.kind, spec.status, spec.sides, spec.api_tradable)
    check_terms(spec.kind, spec.base, spec.quote, spec.settle, spec.direction, spec.contract_size)
    check_option(spec.kind, spec.strike, spec.option_type)
    check_positive("price_tick", spec.price_tick)
    check_positive("quantity_step", spec.quantity_step)
    check_flags(spec)
    check_limits("min_quantity", spec.min_quantity, "max_quantity", spec.max_quantity)
    check_limits("min_notional", spec.min_notional, "max_notional", spec.max_notional)
    check_limits("market_min_quantity", spec.market_min_quantity, "market_max_quantity", spec.market_max_quantity)
    check_limits("market_min_notional", spec.market_min_notional, "market_max_notional", spec.market_max_notional)
    check_ratios(spec)
    check_trading_terms(spec)
    check_labels(spec)
    check_fee("list_maker_fee", spec.list_maker_fee)
    check_fee("list_taker_fee", spec.list_taker_fee)
    check_times(spec)


def check_text(field: str, text: Any) -> None:
    """Raise InvalidSymbol when `text` cannot be what `field` names: a name or a currency."""
    if type(text) is not str:
        raise InvalidSymbol(f"{field} must be text, not {type(text).__name__}", field=field)
    if len(text) > _LONGEST[field]:
        raise InvalidSymbol(f"{field} has {len(text)} characters; at most {_LONGEST[field]} fit", field=field)
    plain = text != "" and text.isprintable() and text[0] != " " and text[-1] != " "
    if not (plain or _TEXT.fullmatch(text)):
        rule = "must not be empty, begin or end with a blank, or hold control characters"
        raise InvalidSymbol(f"{field} is {shown(text)}: it {rule}", field=field)


def check_words(kind: Any, status: Any, sides: Any, api_tradable: Any) -> None:
    """Raise InvalidSymbol when one of them is not a member of its enum, or not a bool. A member's text is refused."""
    if (
        type(kind) is SymbolKind
        and type(status) is SymbolStatus
        and type(sides) is SidesAllowed
        and type(api_tradable) is bool
    ):
        return
    given = {"kind": kind, "status": status, "sides": sides, "api_tradable": api_tradable}
    field = next(field for field, value in given.items() if type(value) is not _WORDS[field])
    raise InvalidSymbol(f"{field} must be a {_WORDS[field].__name__}, not {shown(given[field])}", field=field)


def check_positive(field: str, number: Any) -> None:
    """Raise InvalidSymbol when `number` is not a Decimal greater than zero."""
    try:
        if type(number) is Decimal and _ZERO < as_numeric(number) < _INFINITY:
            return
    except ArithmeticError:  # NaN, or what NUMERIC has no room for
        pass
    raise _wrong_number(field, number, "positive")


def check_limits(least_field: str, least: Any, most_field: str, most: Any) -> None:
    """Raise InvalidSymbol unless 0 <= minimum <= maximum and the maximum is positive; None means no limit."""
    if least is not None:
        try:
            fits = type(least) is Decimal and _ZERO <= as_numeric(least) < _INFINITY
        except ArithmeticError:
            fits = False
        if not fits:
            raise _wrong_number(least_field, least, "zero or more")
    if most is not None:
        check_positive(most_field, most)
        if least is not None and least > most:
            text = f"{least_field} is {_written(least)}, more than {most_field}, {_written(most)}"
            raise InvalidSymbol(text, field=least_field)


def check_fee(field: str, fee: Any) -> None:
    """Raise InvalidSymbol when `fee` is not a fraction such as 0.002; most fees in percent are too large for one.

    None means that the fee is not known.
    """
    try:
        if fee is None or (type(fee) is Decimal and _LOWEST_FEE <= as_numeric(fee) <= _HIGHEST_FEE):
            return
    except ArithmeticError:
        pass
    raise _wrong_number(field, fee, f"a fraction of the notional, {_LOWEST_FEE} to {_HIGHEST_FEE}")


def check_terms(kind: SymbolKind, base: str, quote: str, settle: Any, direction: Any, contract_size: Any) -> None:
    """Raise InvalidSymbol when a spot symbol has a contract's terms, or a contract's are missing or do not fit."""
    if kind is _SPOT:
        if settle is direction is contract_size is None:
            return
        terms = {"settle": settle, "direction": direction, "contract_size": contract_size}
        field = next(field for field, value in terms.items() if value is not None)
        raise InvalidSymbol(f"{field} is for contracts: a SPOT symbol has none", field=field)
    check_text("settle", settle)
    check_positive("contract_size", contract_size)
    if type(direction) is not ContractDirection:
        raise InvalidSymbol(f"direction must be a ContractDirection, not {shown(direction)}", field="direction")
    if direction is _LINEAR:
        fits = settle == quote
    elif direction is _INVERSE:
        fits = settle == base
    else:
        fits = settle != quote and settle != base
    if not fits:
        place = f"a contract on {shown(f'{base}/{quote}')} that settles in {shown(settle)}"
        raise InvalidSymbol(f"direction is {direction}, but {place} is not", field="direction")


def check_option(kind: SymbolKind, strike: Any, option_type: Any) -> None:
    """Raise InvalidSymbol unless an option has a strike and a type, and nothing else has one."""
    if kind is not _OPTION:
        if strike is option_type is None:
            return
        field = "option_type" if strike is None else "strike"
        raise InvalidSymbol(f"{field} is for options: a {kind} symbol has none", field=field)
    check_positive("strike", strike)
    if type(option_type) is not OptionType:
        raise InvalidSymbol(f"option_type must be an OptionType, not {shown(option_type)}", field="option_type")


def check_flags(spec: Any) -> None:
    """Raise InvalidSymbol when one of a symbol's marks is no bool, or None where it is always known."""
    if type(spec.tick_assumed) is type(spec.step_assumed) is bool:
        if spec.margin_allowed is spec.is_risky is spec.is_premarket is None:
            return
        for flag in (spec.margin_allowed, spec.is_risky, spec.is_premarket):
            if flag is not None and type(flag) is not bool:
                break
        else:
            return
    for field in ("tick_assumed", "step_assumed", "margin_allowed", "is_risky", "is_premarket"):
        flag, known = getattr(spec, field), field.endswith("_assumed")
        if type(flag) is not bool and (known or flag is not None):
            raise InvalidSymbol(f"{field} must be a bool{'' if known else ' or None'}, not {shown(flag)}", field=field)


def check_ratios(spec: Any) -> None:
    """Raise InvalidSymbol when a band, a slip or a funding cap is no fraction of zero or more, or names no price."""
    up, down, slip, cap = spec.price_band_up, spec.price_band_down, spec.market_slip_ratio, spec.funding_cap
    if not up is down is slip is cap is None:
        check_ratio("price_band_up", up)
        if down is not up:
            check_ratio("price_band_down", down)
        check_ratio("market_slip_ratio", slip)
        check_ratio("funding_cap", cap)

    of = spec.price_band_of
    if of is not None and type(of) is not PriceReference:
        raise InvalidSymbol(f"price_band_of must be a PriceReference, not {shown(of)}", field="price_band_of")


def check_ratio(field: str, ratio: Any, most: Decimal = _INFINITY) -> None:
    """Raise InvalidSymbol when `ratio` is not a finite fraction from 0 to `most`; None means that it is not known."""
    try:
        if ratio is None or (type(ratio) is Decimal and _ZERO <= as_numeric(ratio) <= most and ratio < _INFINITY):
            return
    except ArithmeticError:
        pass
    raise _wrong_number(field, ratio, "a fraction from 0" + ("" if most is _INFINITY else f" to {most}"))


def check_trading_terms(spec: Any) -> None:
    """Raise InvalidSymbol when order types, leverage, margin rates or counts cannot be stored."""
    types = spec.order_types
    if types is not None and not (type(types) is tuple and all(type(one) is OrderType for one in types)):
        raise InvalidSymbol("order_types must be a tuple of OrderType, or None", field="order_types")
    least, most = spec.leverage_min, spec.leverage_max
    if not least is most is None:
        if least is not None:
            check_positive("leverage_min", least)
        check_limits("leverage_min", least, "leverage_max", most)
    if not spec.initial_margin_rate is spec.maintenance_margin_rate is None:
        check_ratio("initial_margin_rate", spec.initial_margin_rate, _ONE)
        check_ratio("maintenance_margin_rate", spec.maintenance_margin_rate, _ONE)
    if not spec.funding_interval is spec.max_open_orders is None:
        _check_count("funding_interval", spec.funding_interval)
        _check_count("max_open_orders", spec.max_open_orders)


def _check_count(field: str, count: Any) -> None:
    if count is not None and not (type(count) is int and 0 < count <= _INTEGER_MAX):
        raise InvalidSymbol(f"{field} must be a positive int, not {shown(count)}", field=field)


def check_labels(spec: Any) -> None:
    """Raise InvalidSymbol when a full name, an address or an asset class cannot be stored."""
    if spec.full_name is not None:
        check_text("full_name", spec.full_name)
    if spec.contract_address is not None:
        check_text("contract_address", spec.contract_address)
    one = spec.asset_class
    if one is not None and type(one) is not AssetClass:
        raise InvalidSymbol(f"asset_class must be an AssetClass, not {shown(one)}", field="asset_class")


def check_times(spec: Any) -> None:
    """Raise InvalidSymbol when a time has no zone, or does not go with the kind or status; None: not known."""
    expires_at, delisted_at = spec.expires_at, spec.delisted_at
    times = (
        spec.buy_opens_at, spec.sell_opens_at, spec.delisting_at, delisted_at, expires_at, spec.exchange_changed_at,
    )  # fmt: skip
    for moment in times:
        # Readers give times in UTC, which are quickest to tell.
        if moment is not None and (
            type(moment) is not datetime or moment.tzinfo is not UTC or not _FIRST_YEAR <= moment.year < _LAST_YEAR
        ):
            for field, one in zip(_TIMES, times, strict=True):
                _check_moment(field, one)
            break
    if (expires_at is not None) is not (spec.kind in _DATED):
        needed = "must have" if expires_at is None else "cannot have"
        raise InvalidSymbol(f"a symbol of kind {spec.kind} {needed} expires_at", field="expires_at")
    if spec.status is _DELISTED and delisted_at is None:
        raise InvalidSymbol("a DELISTED symbol must have delisted_at", field="delisted_at")


def _check_moment(field: str, moment: Any) -> None:
    if moment is None:
        return
    if not has_zone(moment):
        raise InvalidSymbol(f"{field} must be a datetime with a time zone, such as datetime.now(UTC)", field=field)
    try:
        kept = _FIRST <= moment.astimezone(UTC) < _BEHIND_LAST
    except OverflowError:
        kept = False
    if not kept:
        raise InvalidSymbol(f"{field} lies outside of the times from 1970 to 9999-12-30 in UTC", field=field)


def _wrong_number(field: str, number: Any, rule: str) -> InvalidSymbol:
    what = _written(number) if type(number) is Decimal else f"a {type(number).__name__}"
    return InvalidSymbol(f"{field} must be a Decimal and {rule}, not {what}", field=field)


def _written(number: Decimal) -> str:
    text = str(number)
    return text if len(text) <= 64 else f"a number of {len(text)} characters"
