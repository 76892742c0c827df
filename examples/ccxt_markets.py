"""Import the markets of any exchange that ccxt knows: `python examples/ccxt_markets.py kraken KRAKEN_SPOT SPOT`.

    exchanges-db add KRAKEN_SPOT --market-type spot && pip install ccxt

What ccxt does not say exactly is rejected, and what it says of its own is left out: its fees are figures of ccxt or of
a list, which no account pays (`exchanges-db fees set`); `created` is no opening; `limits.price` moves with the price.
Currency codes are ccxt's, which renames coins where two exchanges use one code for two of them.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from exchanges_db import (
    AssetClass,
    ContractDirection,
    ImportLimits,
    InvalidSymbol,
    Listing,
    OptionType,
    SidesAllowed,
    SymbolKind,
    SymbolSpec,
    SymbolStatus,
    import_specs,
)

DECIMAL_PLACES, SIGNIFICANT_DIGITS, TICK_SIZE = 2, 3, 4  # ccxt's constants for `precisionMode`
KINDS = {
    "spot": SymbolKind.SPOT,
    "swap": SymbolKind.PERPETUAL,
    "future": SymbolKind.FUTURE,
    "option": SymbolKind.OPTION,
}
OPTIONS = {"call": OptionType.CALL, "put": OptionType.PUT}
# Their price steps grow with the price, and no row says so: ccxt gives the finest, or one of its own.
MANY_TICKS = {"bithumb", "hyperliquid", "upbit"}


class Rejected(NamedTuple):
    """A market that is not imported, and why."""

    native_symbol: str
    reason: str


def specs_of(markets: Iterable[Mapping[str, Any]], precision_mode: int) -> tuple[list[SymbolSpec], list[Rejected]]:
    """Return what ccxt's unified markets say exactly, as specifications, and what they do not, with the reason."""
    specs, rejected = [], []
    for market in markets:
        try:
            specs.append(_spec(market, precision_mode))
        except InvalidSymbol as exc:
            rejected.append(Rejected(str(market.get("id")), str(exc)))
    return specs, rejected


def _spec(market: Mapping[str, Any], precision_mode: int) -> SymbolSpec:
    info, precision = _part(market, "info"), _part(market, "precision")
    base, quote, symbol = market.get("base"), market.get("quote"), market.get("symbol")
    if not base or not quote or not str(symbol).startswith(f"{base}/{quote}"):
        raise InvalidSymbol(f"{symbol} is not called BASE/QUOTE by ccxt")
    kind = KINDS.get(str(market.get("type")))
    if kind is None:
        raise InvalidSymbol(f"a market of type {market.get('type')} is no symbol")
    if info.get("tick_size_steps") or (info.get("instType") == "OPTION" and "tickSz" in info):
        raise InvalidSymbol("its tick grows with the price, and one tick cannot express that")
    amount, cost, market_order = (_limits(market, name) for name in ("amount", "cost", "market"))
    leverage = _limits(market, "leverage") if kind is not SymbolKind.SPOT else (None, None)
    direction = _direction(market)
    if cost != (None, None) and direction is ContractDirection.INVERSE:
        raise InvalidSymbol("it has cost limits, and ccxt does not say in which currency an inverse contract's are")
    is_open = market.get("active") is True  # None: ccxt does not know, so it is closed
    return SymbolSpec(
        native_symbol=market.get("id") or "",
        symbol=str(symbol),
        base=base,
        quote=quote,
        settle=market.get("settle"),
        kind=kind,
        direction=direction,
        contract_size=_contract_size(market, info),
        strike=_number("strike", market.get("strike")),
        option_type=OPTIONS.get(str(market.get("optionType"))),
        price_tick=_step("price", precision.get("price"), precision_mode),
        quantity_step=_step("amount", precision.get("amount"), precision_mode),
        min_quantity=amount[0],
        max_quantity=amount[1],
        min_notional=cost[0],
        max_notional=cost[1],
        market_min_quantity=market_order[0],
        market_max_quantity=market_order[1],
        leverage_min=leverage[0] or None,
        leverage_max=leverage[1],
        margin_allowed=market["margin"] if kind is SymbolKind.SPOT and type(market.get("margin")) is bool else None,
        asset_class=AssetClass.STOCK if market.get("stock") is True else None,
        status=SymbolStatus.TRADING if is_open else SymbolStatus.HALTED,
        sides=SidesAllowed.ALL if is_open else SidesAllowed.NONE,
        expires_at=_moment(market.get("expiry")),
    )


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = of.get(name)
    return part if isinstance(part, Mapping) else {}


def _number(field: str, value: Any) -> Decimal | None:
    """Return a number of ccxt, which is text; a float has lost what the exchange wrote."""
    if value is None or value == "":
        return None
    try:
        if (type(value) is str or type(value) is int) and Decimal(value).is_finite():
            return Decimal(value)
    except InvalidOperation:
        pass
    raise InvalidSymbol(f"{field} is {value!r}: ask with a client that was made with number=str", field=field)


def _step(field: str, value: Any, precision_mode: int) -> Decimal:
    number = _number(f"precision.{field}", value)
    if precision_mode not in (TICK_SIZE, DECIMAL_PLACES):
        raise InvalidSymbol("its numbers have a count of significant digits, which no step can express")
    if number is None:
        raise InvalidSymbol(f"ccxt gives no precision.{field}, so its step is not known")
    if precision_mode == TICK_SIZE:
        return number
    if number != number.to_integral_value() or abs(number) > 100:
        raise InvalidSymbol(f"precision.{field} is {number}, which is no number of decimal places")
    return Decimal(1).scaleb(-int(number))


def _limits(market: Mapping[str, Any], name: str) -> tuple[Decimal | None, Decimal | None]:
    given = _part(_part(market, "limits"), name)
    least, most = _number(f"limits.{name}.min", given.get("min")), _number(f"limits.{name}.max", given.get("max"))
    return least, most or None  # a maximum of "0" is none, as the exchanges that write it mean it


def _direction(market: Mapping[str, Any]) -> ContractDirection | None:
    settle, linear, inverse = market.get("settle"), market.get("linear"), market.get("inverse")
    if settle is None:
        return None
    if settle == market["quote"] and linear is True:
        return ContractDirection.LINEAR
    if settle == market["base"] and inverse is True:
        return ContractDirection.INVERSE
    if settle in (market["base"], market["quote"]):
        raise InvalidSymbol(f"it settles in {settle}, and ccxt calls it linear={linear}, inverse={inverse}")
    raise InvalidSymbol(f"it settles in {settle}: ccxt does not say what the contractSize of a quanto contract is of")


def _contract_size(market: Mapping[str, Any], info: Mapping[str, Any]) -> Decimal | None:
    # OKX: what a contract is worth is the product, and ccxt gives the first factor.
    if _number("ctMult", info.get("ctMult")) not in (None, 1):
        raise InvalidSymbol(f"a contract is {info['ctMult']} times its contractSize, which ccxt leaves out")
    return _number("contractSize", market.get("contractSize"))


def _moment(milliseconds: Any) -> datetime | None:
    if milliseconds is None:
        return None
    if type(milliseconds) is not int or not 0 < milliseconds < 253_402_300_800_000:
        raise InvalidSymbol(f"expiry is {milliseconds!r}, which is no time in milliseconds", field="expires_at")
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


async def main(ccxt_id: str, exchange: str, listing: str) -> None:
    import ccxt

    if ccxt_id in MANY_TICKS:
        raise SystemExit(f"{ccxt_id}: its ticks grow with the price, and one tick per symbol cannot express that")
    wanted, observed_at = Listing.parse(listing), datetime.now(UTC)
    client = getattr(ccxt, ccxt_id)({"number": str})
    of_the_list = [market for market in client.fetch_markets() if KINDS.get(market["type"]) is wanted.kind]
    specs, rejected = specs_of(of_the_list, client.precisionMode)
    for one in rejected:
        print("rejected:", one.native_symbol, one.reason, file=sys.stderr)
    report = await import_specs(
        exchange,
        wanted,
        [*filter(wanted.covers, specs)],
        source=f"ccxt {ccxt.__version__}",
        # Else a symbol that was imported before would be taken for delisted; that it cannot be read says nothing so.
        rejected={one.native_symbol: one.reason for one in rejected},
        observed_at=observed_at,
        # Most of what is rejected was never imported.
        limits=ImportLimits(rejected_percent=100),
    )
    print(report.counts(), f"{report.unchanged} unchanged, {len(rejected)} rejected")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
