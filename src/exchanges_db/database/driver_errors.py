"""Turns each error of a driver into one of ours, by SQLSTATE and constraint name, never by message text.

Our messages hold no values of parameters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import sqlalchemy.exc

from exchanges_db.database.class_verdicts import BY_ANSWER, by_class
from exchanges_db.database.verdicts import CHANGED_PLAN, REFUSED_SETTING, Decision, by_sqlstate
from exchanges_db.database.verdicts import Consequence as Consequence
from exchanges_db.errors import (
    AccessDenied,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DatabaseUnavailable,
    DuplicateExchange,
    ExchangesDBError,
    OutcomeUnknown,
    QueryCancelled,
    SchemaMismatch,
)

# Every constraint of the migrations, with its field and rule. A test reads pg_constraint and looks each up here.
CONSTRAINTS: dict[str, tuple[str, str]] = {
    "exchanges_pkey": ("id", "is taken"),
    "exchanges_id_immutable": ("id", "cannot be changed"),
    "exchanges_name_key": ("name", "is taken by another exchange"),
    "exchanges_enum_value_key": ("enum_value", "is taken by another exchange"),
    "exchanges_name_printable": ("name", "must not be blank or hold control characters"),
    "exchanges_enum_value_printable": ("enum_value", "must not be blank or hold control characters"),
    "exchanges_display_name_printable": ("display_name", "must not be blank or hold control characters"),
    "exchanges_market_type_known": ("market_type", "must be SPOT, FUTURES or OPTIONS"),
    "exchanges_base_url_scheme": ("base_url", "must be an http:// or https:// URL without blanks"),
    "exchanges_websocket_url_scheme": ("websocket_url", "must be a ws:// or wss:// URL without blanks"),
    "exchanges_rate_limit_positive": ("rate_limit_requests_per_second", "must be positive"),
    "exchanges_precision_default_range": ("precision_default", "must be between 0 and 18"),
    "exchanges_version_positive": ("version", "must be positive"),
    "exchange_history_pkey": ("id", "is taken"),
    "exchange_history_operation_known": ("operation", "must be a ChangeOperation"),
    "exchange_history_rows_fit_operation": ("old_row, new_row", "must each be there if the operation has it"),
    "registry_changes_pkey": ("id", "is taken"),
    "registry_changes_changed_known": ("changed", "must be one of the six words of the log of changes"),
    "registry_changes_all_or_ids": ("ids", "must be there unless everything changed"),
    "registry_changes_versions_of_ids": ("versions", "must be as many as ids, or not there"),
    "registry_changes_stamped_whole": ("epoch, token, committed_at", "must be there all or none"),
    "symbols_pkey": ("id", "is taken"),
    "symbols_identity_immutable": ("id, exchange_id, native_symbol", "cannot be changed"),
    "symbols_exchange_id_fkey": ("exchange_id", "names no exchange, or one that cannot go because it has symbols"),
    "symbols_native_symbol_printable": (
        "native_symbol",
        "must be 1 to 100 characters, no control characters, no outer blanks",
    ),
    "symbols_symbol_printable": ("symbol", "must be 1 to 200 characters, no control characters, no outer blanks"),
    "symbols_base_printable": ("base", "must be 1 to 50 characters, no control characters, no outer blanks"),
    "symbols_quote_printable": ("quote", "must be 1 to 50 characters, no control characters, no outer blanks"),
    "symbols_settle_printable": ("settle", "must be 1 to 50 characters, no control characters, no outer blanks"),
    "symbols_kind_known": ("kind", "must be a SymbolKind"),
    "symbols_direction_known": ("direction", "must be a ContractDirection"),
    "symbols_status_known": ("status", "must be a SymbolStatus"),
    "symbols_sides_known": ("sides", "must be a SidesAllowed"),
    "symbols_contract_terms_fit_kind": ("settle, direction, contract_size", "must be there for contracts, not else"),
    "symbols_direction_fits_settle": ("settle", "must be quote if LINEAR, base if INVERSE, neither if QUANTO"),
    "symbols_expiry_fits_kind": ("expires_at", "must be there for futures and options, not else"),
    "symbols_delisted_has_time": ("delisted_at", "must be there when the status is DELISTED"),
    "symbols_times_are_dates": (
        "buy_opens_at, sell_opens_at, delisting_at, delisted_at, expires_at, exchange_changed_at",
        "must be from 1970 to 9999-12-30; not infinity: NULL means not known",
    ),
    "symbols_contract_size_positive": ("contract_size", "must be positive and finite"),
    "symbols_price_tick_positive": ("price_tick", "must be positive and finite"),
    "symbols_quantity_step_positive": ("quantity_step", "must be positive and finite"),
    "symbols_quantity_limits": ("min_quantity, max_quantity", "must be finite, not negative and in order"),
    "symbols_notional_limits": ("min_notional, max_notional", "must be finite, not negative and in order"),
    "symbols_fees_are_fractions": (
        "list_maker_fee, list_taker_fee",
        "must be fractions between -0.05 and 0.05, not percent",
    ),
    "symbols_option_type_known": ("option_type", "must be an OptionType"),
    "symbols_option_terms_fit_kind": ("strike, option_type", "must be there for options, not else"),
    "symbols_strike_positive": ("strike", "must be positive and finite"),
    "symbols_market_quantity_limits": (
        "market_min_quantity, market_max_quantity",
        "must be finite, not negative and in order",
    ),
    "symbols_market_notional_limits": (
        "market_min_notional, market_max_notional",
        "must be finite, not negative and in order",
    ),
    "symbols_ratios_not_negative": (
        "price_band_up, price_band_down, market_slip_ratio, funding_cap",
        "must be finite fractions of zero or more",
    ),
    "symbols_price_band_of_known": ("price_band_of", "must be a PriceReference"),
    "symbols_order_types_known": ("order_types", "must each be an OrderType"),
    "symbols_leverage_limits": ("leverage_min, leverage_max", "must be positive, finite and in order"),
    "symbols_margin_rates_are_fractions": (
        "initial_margin_rate, maintenance_margin_rate",
        "must be fractions from 0 to 1",
    ),
    "symbols_counts_positive": ("funding_interval, max_open_orders", "must be positive"),
    "symbols_full_name_printable": ("full_name", "must be 1 to 200 characters, no control characters, no outer blanks"),
    "symbols_contract_address_printable": (
        "contract_address",
        "must be 1 to 200 characters, no control characters, no outer blanks",
    ),
    "symbols_asset_class_known": ("asset_class", "must be an AssetClass"),
    "symbols_source_printable": ("source", "must be 1 to 100 characters, no control characters, no outer blanks"),
    "symbols_rules_whole": (
        "symbol, kind, price_tick, quantity_step, status",
        "must all be there, or all be NULL: known by name only",
    ),
    "symbols_named_is_closed": ("sides, api_tradable", "must be NONE and false where a symbol is known by name only"),
    "symbols_rules_stay": ("status", "cannot become NULL: a symbol that has rules is not known by name only"),
    "symbol_lists_pkey": ("id", "is taken"),
    "symbol_lists_exchange_id_fkey": ("exchange_id", "names no exchange"),
    "symbol_lists_list_key": ("kind, settle, underlying", "are those of another list of that exchange"),
    "symbol_lists_confirmations_not_negative": ("confirmations", "must not be negative"),
    "symbol_lists_times_are_dates": ("observed_at, changed_at, imported_at", "must lie in the years 1970 to 9999"),
    "symbol_imports_pkey": ("id", "is taken"),
    "symbol_imports_outcome_known": ("outcome", "must be an ImportOutcome"),
    "symbol_imports_kind_known": ("kind", "must be a SymbolKind"),
    "symbol_imports_moment_fits_outcome": ("moment", "must be there if the import was applied, not else"),
    "symbol_imports_error_fits_outcome": ("error", "must be there if the import failed, not else"),
    "symbol_imports_sha256_is_hex": ("payload_sha256", "must be 64 hexadecimal digits"),
    "symbol_imports_counts_not_negative": (
        "payload_size, listed_rows, rejected_rows, unchanged_rows",
        "must not be negative",
    ),
    "symbol_imports_times_are_dates": ("observed_at, began_at, moment", "must lie in the years 1970 to 9999"),
    "symbol_doubts_open_key": ("symbol_id", "is in doubt already"),
    "symbol_doubts_pkey": ("id", "is taken"),
    "symbol_doubts_times_are_dates": ("since, ended_at", "must lie in the years 1970 to 9999"),
    "symbol_doubts_ends_after_since": ("ended_at", "must not lie before since"),
    "history_prunes_pkey": ("id", "is taken"),
    "symbol_lists_no_overlap": ("kind, settle, underlying", "must not overlap those of another list of that exchange"),
    "symbol_lists_kind_known": ("kind", "must be a SymbolKind"),
    "symbol_lists_settle_printable": ("settle", "must be 1 to 50 characters, no control characters, no outer blanks"),
    "symbol_lists_underlying_printable": (
        "underlying",
        "must be 1 to 101 characters, no control characters, no outer blanks",
    ),
    "symbol_lists_source_printable": ("source", "must be 1 to 100 characters, no control characters, no outer blanks"),
    "symbol_lists_parts_fit_kind": (
        "settle, underlying",
        "must not be there for spot, nor an underlying but for options",
    ),
    "symbol_raw_pkey": ("symbol_id", "is taken"),
    "symbols_spec_version_positive": ("spec_version", "must be positive"),
    "symbols_live_native_symbol_key": ("native_symbol", "is taken by another live symbol of that exchange"),
    "symbol_history_pkey": ("symbol_id, spec_version", "is taken"),
    "symbol_history_operation_known": ("operation", "must be a ChangeOperation"),
    "symbol_history_valid_closed": ("valid", "must have a beginning and an end"),
    "symbol_history_no_overlap": ("valid", "must not overlap another range of that symbol"),
    "symbol_history_times_are_dates": ("valid", "must lie in the years 1970 to 9999"),
    "account_fees_pkey": ("id", "is taken"),
    "account_fees_one_at_a_time": ("set_at", "is the time of another row of that exchange, account and symbol"),
    "account_fees_account_printable": (
        "account",
        "must be 1 to 100 characters, no control characters, no outer blanks",
    ),
    "account_fees_both_or_neither": ("maker, taker", "must both be there, or both be NULL: forgotten"),
    "account_fees_are_fractions": ("maker, taker", "must be fractions between -0.05 and 0.05, not percent"),
    "account_fees_exchange_known": ("exchange_id", "names no exchange"),
    "account_fees_symbol_known": ("symbol_id", "names no symbol of that exchange"),
    "holds_exchange_id_fkey": ("exchange_id", "names no exchange"),
    "holds_held_key": ("exchange_id, native_symbol", "is held already"),
    "holds_identity_immutable": ("exchange_id, native_symbol", "cannot be changed: release it, and hold the other"),
    "holds_native_symbol_printable": (
        "native_symbol",
        "must be 1 to 100 characters, no control characters, no outer blanks",
    ),
    "holds_reason_printable": ("reason", "must be 1 to 500 characters, no control characters, no outer blanks"),
    "holds_sides_known": ("sides", "must be ALL, BUY or SELL"),
    "holds_until_at_is_date": ("until_at", "must lie in the years 1970 to 9999"),
    "hold_history_pkey": ("id", "is taken"),
    "hold_history_operation_known": ("operation", "must be UPDATE, DELETE or TRUNCATE"),
    "hold_history_ends_after_held": ("ended_at", "must lie after held_at"),
    "migration_checksums_pkey": ("ledger, version", "is taken"),
    "migration_checksums_sha256_hex": ("sha256", "must be 64 hexadecimal digits"),
}


class UnreadableAnswer(Exception):
    """The driver could not read an answer; `__cause__` says why. Raised round a call of it, to be told from our own."""


# asyncpg's errors have three base classes; the fourth is made of what it lets through.
ASYNCPG_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, UnreadableAnswer)
_MAYBE_DONE = (Consequence.LOST, Consequence.DOUBTFUL)
# The function of the server that refuses a plan older than its table; absent where a driver does not tell.
_REVALIDATION = ("RevalidateCachedQuery", None)
_ENDS_SESSION = ("FATAL", "PANIC")

# A TimeoutError is an OSError.
DRIVER_ERRORS: tuple[type[BaseException], ...] = (
    *ASYNCPG_ERRORS,
    OSError,
    asyncio.IncompleteReadError,
    sqlalchemy.exc.SQLAlchemyError,
)

# What asyncpg lets through when it cannot read an answer. They are caught round a call of the driver alone, after
# DRIVER_ERRORS, and raised as UnreadableAnswer: a ValueError of our own or of a caller's is one of them too.
ANSWER_ERRORS: tuple[type[BaseException], ...] = tuple(BY_ANSWER)


@contextmanager
def answered_without_rows() -> Iterator[None]:
    """Hold a statement such as BEGIN, whose answer has no value in it: where that cannot be read, it is damaged."""
    try:
        yield
    except DRIVER_ERRORS:
        raise
    except ANSWER_ERRORS as exc:
        raise asyncpg.ProtocolError("the answer cannot be read") from exc


def translate(exc: BaseException, *, unknown_if_lost: bool = False, still_open: bool | None = None) -> ExchangesDBError:
    """Return our error for one of DRIVER_ERRORS or ANSWER_ERRORS; the caller raises it `from exc`.

    unknown_if_lost: the failed statement was COMMIT, or a write outside of a transaction, so that a connection lost
        after it was sent, a time limit, or an answer that cannot be read means OutcomeUnknown.
    still_open: whether the connection is open, asked at once when the error came; None where nobody knows.
    """
    exc = _innermost(exc)
    decision = _decide(exc, None if still_open is None else not still_open)
    sqlstate = _sqlstate(exc)
    kind, words = decision.kind, decision.words
    if unknown_if_lost and (decision.answered or decision.consequence in _MAYBE_DONE):
        kind, words = OutcomeUnknown, f"{words}, and the write may have been done: read before repeating"
    constraint: str | None = getattr(exc, "constraint_name", None)
    if kind is ConstraintViolated and constraint in CONSTRAINTS:
        field, rule = CONSTRAINTS[constraint]
        taken = sqlstate == "23505" and constraint.startswith("exchanges_")
        kind = DuplicateExchange if taken else ConstraintViolated
        return kind(f"{field} {rule}", sqlstate=sqlstate, constraint=constraint)
    words = f"{words} (SQLSTATE {sqlstate})" if sqlstate else f"{words} ({type(exc).__name__})"
    if issubclass(kind, DatabaseError):
        return kind(words, sqlstate=sqlstate, constraint=constraint)
    return kind(words)


def consequence(exc: BaseException, *, closed: bool, connecting: bool = False) -> Consequence:
    """Return what one of DRIVER_ERRORS or ANSWER_ERRORS says about the connection that it came from.

    closed: whether that connection is closed, asked at once when the error came.
    connecting: it came while a connection was being made, so that there is none yet: REFUSED_FOR_NOW or FINAL.
    """
    decision = _decide(_innermost(exc), closed)
    if not connecting or decision.consequence is Consequence.FINAL:
        return decision.consequence
    passing = issubclass(decision.kind, DatabaseUnavailable | QueryCancelled | Conflict)
    return Consequence.REFUSED_FOR_NOW if passing else Consequence.FINAL


def _innermost(exc: BaseException) -> BaseException:
    """Return the driver's error: SQLAlchemy wraps it twice, we wrap it once."""
    if isinstance(exc, UnreadableAnswer) and exc.__cause__ is not None:
        return exc.__cause__
    if isinstance(exc, sqlalchemy.exc.DBAPIError) and exc.orig is not None:
        inner = exc.orig.__cause__ or exc.orig
        return inner if isinstance(inner, DRIVER_ERRORS) or _sqlstate(inner) else exc
    return exc


def _sqlstate(exc: BaseException) -> str | None:
    """Return the SQLSTATE of the error, or of what the server said before it ended the connection."""
    if isinstance(exc, asyncpg.ConnectionDoesNotExistError) and isinstance(exc.__cause__, asyncpg.PostgresError):
        exc = exc.__cause__
    sqlstate = getattr(exc, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) and sqlstate else None


def _decide(exc: BaseException, closed: bool | None) -> Decision:
    sqlstate = _sqlstate(exc)
    if sqlstate is None:
        return by_class(exc, closed=closed)
    decision = by_sqlstate(sqlstate)
    if isinstance(exc, asyncpg.ConnectionDoesNotExistError):
        if decision.consequence is not Consequence.UNSENT:
            decision = decision._replace(consequence=Consequence.LOST)
        # What the server said before it hung up was about the session, whatever it would mean for a statement.
        kept = issubclass(decision.kind, DatabaseUnavailable | QueryCancelled)
        return decision if kept else by_sqlstate("08003")
    if sqlstate == "0A000" and getattr(exc, "server_source_function", None) in _REVALIDATION:
        return CHANGED_PLAN
    if getattr(exc, "severity_en", None) not in _ENDS_SESSION:
        return decision
    if decision.kind in (DatabaseError, SchemaMismatch):
        return REFUSED_SETTING
    if decision.kind is AccessDenied:
        return decision._replace(consequence=Consequence.FINAL)
    return (
        decision if decision.consequence is not Consequence.NOTHING else decision._replace(consequence=Consequence.LOST)
    )
