"""Gate.io options: GET /api/v4/options/contracts?underlying=, one list per underlying. Quantities are contracts.

Built from the exchange's documents, without a recorded answer. Options have no status: one that is listed trades until
it expires. Price and settlement are in the quote of the underlying, and one contract is `multiplier` of its base.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import quote as quoted

import msgspec

from exchanges_db.errors import InvalidArgument, InvalidSymbol, shown
from exchanges_db.symbols.enums import ContractDirection, OptionType, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads import reading, values
from exchanges_db.symbols.payloads.document import Document, split
from exchanges_db.symbols.payloads.reader import Request
from exchanges_db.symbols.payloads.reading import Notes, Payload
from exchanges_db.symbols.payloads.values import BrokenRow

_OPTION = SymbolKind.OPTION
_ONE_CONTRACT = Decimal(1)
_LETTERS = {OptionType.CALL: "C", OptionType.PUT: "P"}
_KNOWN = tuple(
    """name tag create_time expiration_time is_call is_active strike_price last_price mark_price index_price
    orderbook_id trade_id trade_size position_size underlying underlying_price multiplier order_price_round
    mark_price_round
    maker_fee_rate taker_fee_rate price_limit_fee_rate settle_fee_rate ref_discount_rate ref_rebate_rate
    order_price_deviate order_size_min order_size_max orders_limit position_limit bid1_price bid1_size ask1_price
    ask1_size""".split()  # noqa: SIM905 - a page of quotes hides the names
)


class _Row(msgspec.Struct, gc=False):
    name: str
    underlying: str
    expiration_time: Any
    strike_price: Any
    multiplier: Any
    order_price_round: Any
    is_call: Any
    is_active: Any = None
    order_size_min: Any = None
    order_size_max: Any = None
    orders_limit: Any = None
    maker_fee_rate: Any = None
    taker_fee_rate: Any = None


class _Underlying(msgspec.Struct):
    name: str


class GateioOptions:
    """Reads the lists of Gate.io options, one per underlying."""

    name = "gateio_options"
    exchange = "GATEIO_OPTIONS"
    version = 1
    volatile = frozenset(
        """last_price mark_price index_price underlying_price orderbook_id trade_id trade_size position_size bid1_price
        bid1_size ask1_price ask1_size""".split()  # noqa: SIM905
    )
    index: Request | None = Request("/api/v4/options/underlyings")

    def lists(self, index: bytes | None = None) -> Mapping[Listing, Request]:
        """Return one list per underlying that `index` names.

        Raises PayloadError where `index` is no list of underlyings; an underlying whose name is no BASE_QUOTE has none.
        """
        lists = {}
        for raw in split(index).rows if index is not None else ():
            try:
                listing = _listing(msgspec.json.decode(raw, type=_Underlying).name)
            except (msgspec.MsgspecError, UnicodeDecodeError, InvalidSymbol):
                continue
            lists[listing] = Request(f"/api/v4/options/contracts?underlying={quoted(str(listing.underlying))}")
        return lists

    def recognises(self, document: Document) -> bool:
        """Return whether a payload has the shape of this one."""
        return document.top is None and document.has_keys("name", "underlying", "is_call", "multiplier")

    def listing_of(self, document: Document) -> Listing | None:
        """Return which list a payload is by its rows; None where they are of several underlyings, or none."""
        found = set()
        for raw in document.rows:
            try:
                found.add(msgspec.json.decode(raw, type=_Row).underlying)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        try:
            return _listing(found.pop()) if len(found) == 1 else None
        except InvalidSymbol:
            return None

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Return the options on the listing's underlying.

        Raises InvalidArgument where `listing` is no list of options on an underlying.
        """
        if listing.kind is not _OPTION or listing.underlying is None or listing != _listing(listing.underlying):
            text = f"{self.name} reads lists of options such as OPTION:USDT:BTC_USDT, not {listing}"
            raise InvalidArgument(text, field="listing")
        to_spec = partial(_spec, underlying=listing.underlying, observed_at=observed_at)
        read = reading.read_rows(
            document, _Row, "name", _KNOWN, to_spec, listing=listing, source=self.name, volatile=self.volatile
        )
        if read.rejected and not read.symbols and all(_ELSEWHERE in row.reason for row in read.rejected):
            return msgspec.structs.replace(read, foreign=f"none of its options is on {listing.underlying}")
        return read


_ELSEWHERE = "its underlying is"


def _listing(underlying: str) -> Listing:
    base, _, quote = underlying.partition("_")
    if not base or not quote or "_" in quote:
        raise InvalidSymbol(f"underlying {shown(underlying)} is not BASE_QUOTE", field="underlying")
    return Listing(_OPTION, quote, underlying)


def _spec(row: _Row, notes: Notes, underlying: str, observed_at: datetime) -> SymbolSpec:
    if row.underlying != underlying:
        raise BrokenRow(f"{_ELSEWHERE} {shown(row.underlying)}, not {underlying}")
    base, quote = map(values.code, underlying.split("_"))
    # By expiration_time, not by the name: the documents' own example has another date in it.
    expires_at = values.moment("expiration_time", row.expiration_time)
    if expires_at is None:
        raise BrokenRow("expiration_time is missing")
    strike = values.required("strike_price", values.number("strike_price", row.strike_price))
    option_type = _type(row)
    status = SymbolStatus.TRADING
    if expires_at <= observed_at:
        status = SymbolStatus.EXPIRED
    elif values.flag("is_active", row.is_active) is False:
        status = SymbolStatus.HALTED
    return SymbolSpec(
        native_symbol=row.name,
        symbol=f"{base}/{quote}:{quote}-{expires_at:%y%m%d}-{strike:f}-{_LETTERS[option_type]}",
        base=base,
        quote=quote,
        settle=quote,
        kind=_OPTION,
        direction=ContractDirection.LINEAR,
        contract_size=values.required("multiplier", values.number("multiplier", row.multiplier)),
        strike=strike,
        option_type=option_type,
        price_tick=values.required("order_price_round", values.number("order_price_round", row.order_price_round)),
        quantity_step=_ONE_CONTRACT,
        min_quantity=values.number("order_size_min", row.order_size_min),
        max_quantity=values.maximum("order_size_max", row.order_size_max),
        max_open_orders=values.count("orders_limit", row.orders_limit),
        list_maker_fee=values.number("maker_fee_rate", row.maker_fee_rate),
        list_taker_fee=values.number("taker_fee_rate", row.taker_fee_rate),
        status=status,
        sides=SidesAllowed.NONE if status is SymbolStatus.EXPIRED else SidesAllowed.ALL,
        expires_at=expires_at,
    )


def _type(row: _Row) -> OptionType:
    """Return call or put, which must be what the name says, too."""
    is_call = values.flag("is_call", row.is_call)
    if is_call is None:
        raise BrokenRow("is_call is missing")
    option_type = OptionType.CALL if is_call else OptionType.PUT
    letter = row.name.rpartition("-")[2]
    if letter in _LETTERS.values() and letter != _LETTERS[option_type]:
        raise BrokenRow(f"is_call says {option_type}, but its name ends in {letter}")
    return option_type
