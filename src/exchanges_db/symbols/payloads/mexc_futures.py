"""MEXC futures: GET /api/v1/contract/detail, one list for every settlement. Quantities are contracts.

Dated contracts have a type of their own and no date: they cannot be told apart, and are rejected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from exchanges_db.errors import shown
from exchanges_db.symbols.enums import AssetClass, ContractDirection, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.document import Document
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.reading import Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

_LISTS = {Listing(SymbolKind.PERPETUAL): Request("/api/v1/contract/detail", seconds_apart=5)}
_HALTED, _DELISTED, _PERPETUAL = SymbolStatus.HALTED, SymbolStatus.DELISTED, SymbolKind.PERPETUAL
_LINEAR, _INVERSE, _QUANTO = ContractDirection.LINEAR, ContractDirection.INVERSE, ContractDirection.QUANTO
_ALL, _NONE = SidesAllowed.ALL, SidesAllowed.NONE
# What orders a contract in delivery takes, the documents do not say.
_STATES = {
    "0": SymbolStatus.TRADING,
    "1": SymbolStatus.HALTED,
    "2": SymbolStatus.DELISTED,
    "3": SymbolStatus.DELISTED,
    "4": SymbolStatus.HALTED,
}
_CLASSES = {"0": AssetClass.CRYPTO, "2": AssetClass.STOCK}
_KNOWN = tuple(
    """symbol displayName displayNameEn positionOpenType baseCoin quoteCoin settleCoin baseCoinName quoteCoinName
    futureType contractSize minLeverage maxLeverage countryConfigContractMaxLeverage priceScale volScale amountScale
    priceUnit volUnit minVol maxVol limitMaxVol bidLimitPriceRate askLimitPriceRate takerFeeRate makerFeeRate
    maintenanceMarginRate initialMarginRate riskBaseVol riskIncrVol riskLongShortSwitch riskIncrMmr riskIncrImr
    riskLevelLimit riskLimitType riskLimitMode riskLimitCustom priceCoefficientVariation indexOrigin state isNew isHot
    isHidden conceptPlate conceptPlateId maxNumOrders marketOrderMaxLevel marketOrderPriceLimitRate1
    marketOrderPriceLimitRate2 triggerProtect appraisal showAppraisalCountdown automaticDelivery apiAllowed
    depthStepList threshold limitMaxVol id vid baseCoinId baseCoinIconUrl createTime openingTime
    openingCountdownOption showBeforeOpen isMaxLeverage isZeroFeeRate isZeroFeeSymbol liquidationFeeRate feeRateMode
    leverageFeeRates tieredFeeRates feeRateType type typeLabel stopOnlyFair preMarket tagIdList""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class _Row(msgspec.Struct, rename="camel", gc=False):
    symbol: str
    base_coin: str
    quote_coin: str
    settle_coin: str
    contract_size: Any
    price_unit: Any
    vol_unit: Any
    state: Any
    future_type: Any = None
    type: Any = None
    type_label: Any = None
    min_vol: Any = None
    max_vol: Any = None
    limit_max_vol: Any = None
    bid_limit_price_rate: Any = None
    ask_limit_price_rate: Any = None
    min_leverage: Any = None
    max_leverage: Any = None
    initial_margin_rate: Any = None
    maintenance_margin_rate: Any = None
    max_num_orders: Any = None
    maker_fee_rate: Any = None
    taker_fee_rate: Any = None
    api_allowed: Any = None
    pre_market: Any = None
    opening_time: Any = None


class MexcFutures:
    """Reads the list of MEXC futures."""

    name = "mexc_futures"
    exchange = "MEXC_FUTURES"
    version = 1
    volatile: frozenset[str] = frozenset()
    index: Request | None = None

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return the one list."""
        return _LISTS

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        top = document.top
        return top is not None and "data" in top and document.has_keys("symbol", "baseCoin", "contractSize")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the symbols in it."""
        return reading.read_rows(
            document, _Row, "symbol", _KNOWN, partial(_spec, observed_at=observed_at), listing=listing, source=self.name
        )


def _spec(row: _Row, notes: Notes, observed_at: datetime) -> SymbolSpec:
    base, quote, settle = values.code(row.base_coin), values.code(row.quote_coin), values.code(row.settle_coin)
    status, asset_class = _state(row, notes)
    opens_at = values.moment("openingTime", row.opening_time, milliseconds=True)
    return SymbolSpec(
        native_symbol=row.symbol,
        symbol=f"{base}/{quote}:{settle}",
        base=base,
        quote=quote,
        settle=settle,
        kind=_PERPETUAL,
        direction=_direction(base, quote, settle),
        contract_size=values.required("contractSize", values.number("contractSize", row.contract_size)),
        price_tick=values.required("priceUnit", values.number("priceUnit", row.price_unit)),
        quantity_step=values.required("volUnit", values.number("volUnit", row.vol_unit)),
        min_quantity=values.number("minVol", row.min_vol),
        # The documents give one for all orders and one for limit orders, in either order: the smaller is safe.
        max_quantity=_smallest(values.maximum("maxVol", row.max_vol), values.maximum("limitMaxVol", row.limit_max_vol)),
        # Of which price, the documents do not say.
        price_band_up=values.number("bidLimitPriceRate", row.bid_limit_price_rate),
        price_band_down=values.number("askLimitPriceRate", row.ask_limit_price_rate),
        leverage_min=values.maximum("minLeverage", row.min_leverage),
        leverage_max=values.maximum("maxLeverage", row.max_leverage),
        initial_margin_rate=values.number("initialMarginRate", row.initial_margin_rate),
        maintenance_margin_rate=values.number("maintenanceMarginRate", row.maintenance_margin_rate),
        max_open_orders=_most_orders(row.max_num_orders),
        is_premarket=values.flag("preMarket", row.pre_market),
        asset_class=asset_class,
        list_maker_fee=values.number("makerFeeRate", row.maker_fee_rate),
        list_taker_fee=values.number("takerFeeRate", row.taker_fee_rate),
        status=status,
        sides=_NONE if status is _DELISTED else _ALL,
        # Absent means that the exchange does not say, not that it forbids.
        api_tradable=values.flag("apiAllowed", row.api_allowed) is not False,
        buy_opens_at=opens_at,
        sell_opens_at=opens_at,
        delisted_at=observed_at if status is _DELISTED else None,
    )


def _direction(base: str, quote: str, settle: str) -> ContractDirection:
    if settle == quote:
        return _LINEAR
    return _INVERSE if settle == base else _QUANTO


def _state(row: _Row, notes: Notes) -> tuple[SymbolStatus, AssetClass | None]:
    """Return the gravest of what state, kind of contract, suspension and label say, and what the contract is on."""
    future_type = values.word("futureType", row.future_type)
    if future_type == "2":
        raise BrokenRow("futureType 2 is a dated contract, and the list gives no date")
    state = values.word("state", row.state)
    if state is None:
        raise BrokenRow("state is missing")
    status = _STATES.get(state)
    if status is None:
        notes.unknown("state", state, "HALTED")
    kind, label = values.word("type", row.type), values.word("typeLabel", row.type_label)
    asset_class = None if label is None else _CLASSES.get(label)
    halted = kind == "2"
    for field, word, known in (
        ("futureType", future_type, future_type == "1"),
        ("type", kind, kind == "1" or kind == "2"),
        ("typeLabel", label, asset_class is not None),
    ):
        if word is not None and not known:
            notes.unknown(field, word, "HALTED")
            halted = True
    if status is None or (halted and status is not _DELISTED):
        status = _HALTED
    return status, asset_class


def _smallest(*limits: Decimal | None) -> Decimal | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _most_orders(value: Any) -> int | None:
    """Return how many orders may be open: the smaller of the numbers for accounts in hedged and in one-way mode."""
    if value is not None and type(value) is not list:
        raise BrokenRow(f"maxNumOrders is {shown(value)}, not a list of numbers")
    counts = [values.count("maxNumOrders", one) for one in value or ()]
    return min((count for count in counts if count is not None), default=None)
