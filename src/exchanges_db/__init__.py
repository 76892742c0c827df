"""Which exchanges there are and under which rules one may trade them: typed, exact, from PostgreSQL.

The one door: everything a user needs is imported from here. The module of a name is loaded when the name is first used
(PEP 562), so that a program that only needs order rules loads no database driver.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from exchanges_db._version import __version__ as __version__

if TYPE_CHECKING:
    from exchanges_db.database import embedded
    from exchanges_db.database.counters import DatabaseStats
    from exchanges_db.database.default import DatabaseOrConnection, close_default_database, default_database
    from exchanges_db.database.dsn import Dsn
    from exchanges_db.database.pool import Database, Isolation
    from exchanges_db.database.secret import Secret
    from exchanges_db.database.settings import Seconds, Settings
    from exchanges_db.database.transactions import Transaction
    from exchanges_db.errors import (
        AccessDenied,
        AdoptionRefused,
        AmbiguousSymbol,
        ConfigurationError,
        Conflict,
        ConstraintViolated,
        DatabaseError,
        DatabaseUnavailable,
        DownloadFailed,
        DuplicateExchange,
        ExchangeNotFound,
        ExchangesDBError,
        FeesUnknown,
        HistoryPruned,
        ImportBusy,
        InvalidArgument,
        InvalidExchange,
        InvalidOrder,
        InvalidSymbol,
        MigrationError,
        MigrationLocked,
        NotFound,
        OutcomeUnknown,
        PayloadError,
        PoolTimeout,
        QueryCancelled,
        RegistryStale,
        SchemaMismatch,
        SnapshotNotSaved,
        SnapshotRefused,
        SymbolNotFound,
    )
    from exchanges_db.exchanges.enums import ChangeOperation, ExchangeEnum, MarketType
    from exchanges_db.exchanges.history import get_exchange_as_of, get_exchange_history
    from exchanges_db.exchanges.look_ups import (
        activate_exchange,
        deactivate_exchange,
        get_all_active_exchanges,
        get_all_exchanges,
        get_exchange_by_enum,
        get_exchange_by_id,
        get_exchanges_by_market_type,
        insert_exchange,
        update_exchange,
    )
    from exchanges_db.exchanges.models import Exchange, ExchangeChange, ExchangeStats, StoredExchange
    from exchanges_db.exchanges.populate import ensure_exchanges_populated
    from exchanges_db.exchanges.stats import get_exchange_stats
    from exchanges_db.orders.band import Band
    from exchanges_db.orders.display import float_view
    from exchanges_db.orders.limits import OrderRule
    from exchanges_db.orders.numbers import Number
    from exchanges_db.orders.pairs import CommonSymbol, CommonSymbols, SharedName, common_symbols
    from exchanges_db.orders.rules import OrderRules, Rounded, Violation
    from exchanges_db.registry.changes import (
        AmbiguityChanged,
        DoubtChanged,
        ExchangeChanged,
        FeesChanged,
        Gap,
        HoldChanged,
        ListChanged,
        RegistryChange,
        RegistryChangeKind,
        StateChanged,
        SymbolChanged,
    )
    from exchanges_db.registry.followers import Follower
    from exchanges_db.registry.models import ListState, Position, RegistrySymbol
    from exchanges_db.registry.moves import Ambiguity
    from exchanges_db.registry.places import Place
    from exchanges_db.registry.registry import Registry
    from exchanges_db.registry.settings import RegistrySettings
    from exchanges_db.registry.snapshot import LogEntry, News, Snapshot
    from exchanges_db.registry.state import RegistryState, RegistryStats
    from exchanges_db.registry.streams import ChangeStream
    from exchanges_db.registry.threaded import BlockingChangeStream, ThreadedRegistry
    from exchanges_db.registry.views import Ids, View
    from exchanges_db.symbols.absence import Absence
    from exchanges_db.symbols.adopt import AdoptionReport, adopt_symbols
    from exchanges_db.symbols.adoption import AdoptedExchange, ExchangeStep
    from exchanges_db.symbols.allowances import Allowance, Brake
    from exchanges_db.symbols.brakes import BrakeHit, HeldBack
    from exchanges_db.symbols.changes import ChangeKind, FieldChange, FieldValue, SymbolChange
    from exchanges_db.symbols.download_settings import DownloadSettings
    from exchanges_db.symbols.enums import (
        AssetClass,
        ContractDirection,
        OptionType,
        OrderType,
        PriceReference,
        Rounding,
        Side,
        SidesAllowed,
        SymbolKind,
        SymbolStatus,
    )
    from exchanges_db.symbols.fees import (
        AccountFeeChange,
        AccountFees,
        Fees,
        FeeSource,
        forget_account_fees,
        get_account_fee_history,
        get_fees,
        list_account_fees,
        set_account_fees,
    )
    from exchanges_db.symbols.freshness import ListFreshness, get_freshness
    from exchanges_db.symbols.history import (
        SymbolDiff,
        diff_symbols,
        get_symbol_as_of,
        get_symbol_history,
        list_symbols_as_of,
    )
    from exchanges_db.symbols.holds import (
        HoldEnd,
        HoldRecord,
        get_hold_history,
        hold_exchange,
        hold_symbol,
        list_holds,
        release_exchange,
        release_symbol,
    )
    from exchanges_db.symbols.import_limits import ImportLimits
    from exchanges_db.symbols.import_records import ImportOutcome, ImportRecord, get_import, list_imports
    from exchanges_db.symbols.importing import import_specs, import_symbols
    from exchanges_db.symbols.judge import Hold, Obstacle, TradeAnswer
    from exchanges_db.symbols.keep_synced import SyncRound, keep_synced
    from exchanges_db.symbols.listing import Listing
    from exchanges_db.symbols.lists import SymbolList, list_symbol_lists
    from exchanges_db.symbols.look_ups import (
        get_symbol,
        get_symbol_by_id,
        get_symbol_by_native,
        get_symbol_raw,
        get_symbol_stats,
        get_symbols,
        get_symbols_by_ids,
        list_symbols,
        search_symbols,
    )
    from exchanges_db.symbols.models import NamedSymbol, Symbol, SymbolRaw, SymbolSpec, SymbolStats, SymbolVersion
    from exchanges_db.symbols.payloads import values
    from exchanges_db.symbols.payloads.document import Document
    from exchanges_db.symbols.payloads.kit import Finding, check_reader
    from exchanges_db.symbols.payloads.reader import CompanionReader, Reader, Request, SavedListReader, TellingReader
    from exchanges_db.symbols.payloads.readers import register_reader
    from exchanges_db.symbols.payloads.reading import Notes, Payload, ReadSymbol, RejectedRow, UnknownValue, read_rows
    from exchanges_db.symbols.payloads.values import BrokenRow
    from exchanges_db.symbols.pruning import HistoryPrune, PruneReport, list_prunes, prune_history
    from exchanges_db.symbols.report import ImportRefused, ImportReport
    from exchanges_db.symbols.saved_lists import SavedList
    from exchanges_db.symbols.sync import sync_symbols
    from exchanges_db.symbols.sync_outcomes import ListOutcome, SyncOutcome
    from exchanges_db.symbols.trading import can_trade
    from exchanges_db.validation.validate import CheckResult, Latency, ValidationReport, validate_exchanges

__all__ = [
    "Absence",
    "AccessDenied",
    "AccountFeeChange",
    "AccountFees",
    "AdoptedExchange",
    "AdoptionRefused",
    "AdoptionReport",
    "Allowance",
    "Ambiguity",
    "AmbiguityChanged",
    "AmbiguousSymbol",
    "AssetClass",
    "Band",
    "BlockingChangeStream",
    "Brake",
    "BrakeHit",
    "BrokenRow",
    "ChangeKind",
    "ChangeOperation",
    "ChangeStream",
    "CheckResult",
    "CommonSymbol",
    "CommonSymbols",
    "CompanionReader",
    "ConfigurationError",
    "Conflict",
    "ConstraintViolated",
    "ContractDirection",
    "Database",
    "DatabaseError",
    "DatabaseOrConnection",
    "DatabaseStats",
    "DatabaseUnavailable",
    "Document",
    "DoubtChanged",
    "DownloadFailed",
    "DownloadSettings",
    "Dsn",
    "DuplicateExchange",
    "Exchange",
    "ExchangeChange",
    "ExchangeChanged",
    "ExchangeEnum",
    "ExchangeNotFound",
    "ExchangeStats",
    "ExchangeStep",
    "ExchangesDBError",
    "FeeSource",
    "Fees",
    "FeesChanged",
    "FeesUnknown",
    "FieldChange",
    "FieldValue",
    "Finding",
    "Follower",
    "Gap",
    "HeldBack",
    "HistoryPrune",
    "HistoryPruned",
    "Hold",
    "HoldChanged",
    "HoldEnd",
    "HoldRecord",
    "Ids",
    "ImportBusy",
    "ImportLimits",
    "ImportOutcome",
    "ImportRecord",
    "ImportRefused",
    "ImportReport",
    "InvalidArgument",
    "InvalidExchange",
    "InvalidOrder",
    "InvalidSymbol",
    "Isolation",
    "Latency",
    "ListChanged",
    "ListFreshness",
    "ListOutcome",
    "ListState",
    "Listing",
    "LogEntry",
    "MarketType",
    "MigrationError",
    "MigrationLocked",
    "NamedSymbol",
    "News",
    "NotFound",
    "Notes",
    "Number",
    "Obstacle",
    "OptionType",
    "OrderRule",
    "OrderRules",
    "OrderType",
    "OutcomeUnknown",
    "Payload",
    "PayloadError",
    "Place",
    "PoolTimeout",
    "Position",
    "PriceReference",
    "PruneReport",
    "QueryCancelled",
    "ReadSymbol",
    "Reader",
    "Registry",
    "RegistryChange",
    "RegistryChangeKind",
    "RegistrySettings",
    "RegistryStale",
    "RegistryState",
    "RegistryStats",
    "RegistrySymbol",
    "RejectedRow",
    "Request",
    "Rounded",
    "Rounding",
    "SavedList",
    "SavedListReader",
    "SchemaMismatch",
    "Seconds",
    "Secret",
    "Settings",
    "SharedName",
    "Side",
    "SidesAllowed",
    "Snapshot",
    "SnapshotNotSaved",
    "SnapshotRefused",
    "StateChanged",
    "StoredExchange",
    "Symbol",
    "SymbolChange",
    "SymbolChanged",
    "SymbolDiff",
    "SymbolKind",
    "SymbolList",
    "SymbolNotFound",
    "SymbolRaw",
    "SymbolSpec",
    "SymbolStats",
    "SymbolStatus",
    "SymbolVersion",
    "SyncOutcome",
    "SyncRound",
    "TellingReader",
    "ThreadedRegistry",
    "TradeAnswer",
    "Transaction",
    "UnknownValue",
    "ValidationReport",
    "View",
    "Violation",
    "activate_exchange",
    "adopt_symbols",
    "can_trade",
    "check_reader",
    "close_default_database",
    "common_symbols",
    "deactivate_exchange",
    "default_database",
    "diff_symbols",
    "embedded",
    "ensure_exchanges_populated",
    "float_view",
    "forget_account_fees",
    "get_account_fee_history",
    "get_all_active_exchanges",
    "get_all_exchanges",
    "get_exchange_as_of",
    "get_exchange_by_enum",
    "get_exchange_by_id",
    "get_exchange_history",
    "get_exchange_stats",
    "get_exchanges_by_market_type",
    "get_fees",
    "get_freshness",
    "get_hold_history",
    "get_import",
    "get_symbol",
    "get_symbol_as_of",
    "get_symbol_by_id",
    "get_symbol_by_native",
    "get_symbol_history",
    "get_symbol_raw",
    "get_symbol_stats",
    "get_symbols",
    "get_symbols_by_ids",
    "hold_exchange",
    "hold_symbol",
    "import_specs",
    "import_symbols",
    "insert_exchange",
    "keep_synced",
    "list_account_fees",
    "list_holds",
    "list_imports",
    "list_prunes",
    "list_symbol_lists",
    "list_symbols",
    "list_symbols_as_of",
    "prune_history",
    "read_rows",
    "register_reader",
    "release_exchange",
    "release_symbol",
    "search_symbols",
    "set_account_fees",
    "sync_symbols",
    "update_exchange",
    "validate_exchanges",
    "values",
]

# The module that each name is defined in; a test compares this and __all__ with the imports above.
_HOMES = {
    "database": "embedded",
    "database.counters": "DatabaseStats",
    "database.default": "DatabaseOrConnection close_default_database default_database",
    "database.dsn": "Dsn",
    "database.pool": "Database Isolation",
    "database.secret": "Secret",
    "database.settings": "Seconds Settings",
    "database.transactions": "Transaction",
    "errors": (
        "AccessDenied AdoptionRefused AmbiguousSymbol ConfigurationError Conflict ConstraintViolated "
        "DatabaseError DatabaseUnavailable DownloadFailed DuplicateExchange ExchangeNotFound ExchangesDBError "
        "FeesUnknown HistoryPruned ImportBusy InvalidArgument InvalidExchange InvalidOrder InvalidSymbol "
        "MigrationError MigrationLocked NotFound OutcomeUnknown PayloadError PoolTimeout QueryCancelled "
        "RegistryStale SchemaMismatch SnapshotNotSaved SnapshotRefused SymbolNotFound"
    ),
    "exchanges.enums": "ChangeOperation ExchangeEnum MarketType",
    "exchanges.history": "get_exchange_as_of get_exchange_history",
    "exchanges.look_ups": (
        "activate_exchange deactivate_exchange get_all_active_exchanges get_all_exchanges "
        "get_exchange_by_enum get_exchange_by_id get_exchanges_by_market_type insert_exchange update_exchange"
    ),
    "exchanges.models": "Exchange ExchangeChange ExchangeStats StoredExchange",
    "exchanges.populate": "ensure_exchanges_populated",
    "exchanges.stats": "get_exchange_stats",
    "orders.band": "Band",
    "orders.display": "float_view",
    "orders.limits": "OrderRule",
    "orders.numbers": "Number",
    "orders.pairs": "CommonSymbol CommonSymbols SharedName common_symbols",
    "orders.rules": "OrderRules Rounded Violation",
    "registry.changes": (
        "AmbiguityChanged DoubtChanged ExchangeChanged FeesChanged Gap HoldChanged ListChanged RegistryChange "
        "RegistryChangeKind StateChanged SymbolChanged"
    ),
    "registry.followers": "Follower",
    "registry.models": "ListState Position RegistrySymbol",
    "registry.moves": "Ambiguity",
    "registry.places": "Place",
    "registry.registry": "Registry",
    "registry.settings": "RegistrySettings",
    "registry.snapshot": "LogEntry News Snapshot",
    "registry.state": "RegistryState RegistryStats",
    "registry.streams": "ChangeStream",
    "registry.threaded": "BlockingChangeStream ThreadedRegistry",
    "registry.views": "Ids View",
    "symbols.absence": "Absence",
    "symbols.adopt": "AdoptionReport adopt_symbols",
    "symbols.adoption": "AdoptedExchange ExchangeStep",
    "symbols.allowances": "Allowance Brake",
    "symbols.brakes": "BrakeHit HeldBack",
    "symbols.changes": "ChangeKind FieldChange FieldValue SymbolChange",
    "symbols.download_settings": "DownloadSettings",
    "symbols.enums": (
        "AssetClass ContractDirection OptionType OrderType PriceReference Rounding Side SidesAllowed "
        "SymbolKind SymbolStatus"
    ),
    "symbols.fees": (
        "AccountFeeChange AccountFees FeeSource Fees forget_account_fees get_account_fee_history get_fees "
        "list_account_fees set_account_fees"
    ),
    "symbols.freshness": "ListFreshness get_freshness",
    "symbols.history": "SymbolDiff diff_symbols get_symbol_as_of get_symbol_history list_symbols_as_of",
    "symbols.holds": (
        "HoldEnd HoldRecord get_hold_history hold_exchange hold_symbol list_holds release_exchange release_symbol"
    ),
    "symbols.import_limits": "ImportLimits",
    "symbols.import_records": "ImportOutcome ImportRecord get_import list_imports",
    "symbols.importing": "import_specs import_symbols",
    "symbols.judge": "Hold Obstacle TradeAnswer",
    "symbols.keep_synced": "SyncRound keep_synced",
    "symbols.listing": "Listing",
    "symbols.lists": "SymbolList list_symbol_lists",
    "symbols.look_ups": (
        "get_symbol get_symbol_by_id get_symbol_by_native get_symbol_raw get_symbol_stats get_symbols "
        "get_symbols_by_ids list_symbols search_symbols"
    ),
    "symbols.models": "NamedSymbol Symbol SymbolRaw SymbolSpec SymbolStats SymbolVersion",
    "symbols.payloads": "values",
    "symbols.payloads.document": "Document",
    "symbols.payloads.kit": "Finding check_reader",
    "symbols.payloads.reader": "CompanionReader Reader Request SavedListReader TellingReader",
    "symbols.payloads.readers": "register_reader",
    "symbols.payloads.reading": "Notes Payload ReadSymbol RejectedRow UnknownValue read_rows",
    "symbols.payloads.values": "BrokenRow",
    "symbols.pruning": "HistoryPrune PruneReport list_prunes prune_history",
    "symbols.report": "ImportRefused ImportReport",
    "symbols.saved_lists": "SavedList",
    "symbols.sync": "sync_symbols",
    "symbols.sync_outcomes": "ListOutcome SyncOutcome",
    "symbols.trading": "can_trade",
    "validation.validate": "CheckResult Latency ValidationReport validate_exchanges",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"exchanges_db.{home}")
    # `embedded` is itself a module, not a name in one.
    value = getattr(module, name) if hasattr(module, name) else import_module(f"exchanges_db.{home}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
