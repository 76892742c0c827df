"""Which exchanges there are and under which rules one may trade them: typed, exact, from PostgreSQL."""

from exchanges_db.database import embedded
from exchanges_db.database.default import DatabaseOrConnection, close_default_database, default_database
from exchanges_db.database.pool import Database, Transaction
from exchanges_db.database.settings import Settings
from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DatabaseUnavailable,
    DownloadFailed,
    DuplicateExchange,
    ExchangeNotFound,
    ExchangesDBError,
    ImportRefused,
    InvalidExchange,
    InvalidOrder,
    InvalidSymbol,
    MigrationError,
    MigrationLocked,
    OutcomeUnknown,
    PayloadError,
    PoolTimeout,
    QueryCancelled,
    SchemaMismatch,
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
from exchanges_db.exchanges.models import Exchange, ExchangeChange, ExchangeStats
from exchanges_db.exchanges.populate import ensure_exchanges_populated
from exchanges_db.exchanges.stats import get_exchange_stats
from exchanges_db.orders.pairs import CommonSymbol, common_symbols
from exchanges_db.orders.rules import OrderRule, OrderRules, Rounding, Side, Violation
from exchanges_db.symbols.changes import Brake, BrakeHit, ChangeKind, FieldChange, SymbolChange
from exchanges_db.symbols.enums import ContractDirection, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbols.history import diff_symbols, get_symbol_as_of, get_symbol_history, list_symbols_as_of
from exchanges_db.symbols.importing import ImportReport, import_symbols
from exchanges_db.symbols.judge import Obstacle, TradeAnswer, can_trade
from exchanges_db.symbols.look_ups import get_symbol, get_symbol_by_native, get_symbol_stats, list_symbols, search
from exchanges_db.symbols.models import Symbol, SymbolSpec, SymbolStats, SymbolVersion
from exchanges_db.symbols.sync import sync_symbols
from exchanges_db.validation.validate import CheckResult, Latency, ValidationReport, validate_exchanges

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "Brake",
    "BrakeHit",
    "ChangeKind",
    "ChangeOperation",
    "CheckResult",
    "CommonSymbol",
    "ConfigurationError",
    "Conflict",
    "ConstraintViolated",
    "ContractDirection",
    "Database",
    "DatabaseError",
    "DatabaseOrConnection",
    "DatabaseUnavailable",
    "DownloadFailed",
    "DuplicateExchange",
    "Exchange",
    "ExchangeChange",
    "ExchangeEnum",
    "ExchangeNotFound",
    "ExchangeStats",
    "ExchangesDBError",
    "FieldChange",
    "ImportRefused",
    "ImportReport",
    "InvalidExchange",
    "InvalidOrder",
    "InvalidSymbol",
    "Latency",
    "MarketType",
    "MigrationError",
    "MigrationLocked",
    "Obstacle",
    "OrderRule",
    "OrderRules",
    "OutcomeUnknown",
    "PayloadError",
    "PoolTimeout",
    "QueryCancelled",
    "Rounding",
    "SchemaMismatch",
    "Settings",
    "Side",
    "SidesAllowed",
    "Symbol",
    "SymbolChange",
    "SymbolKind",
    "SymbolNotFound",
    "SymbolSpec",
    "SymbolStats",
    "SymbolStatus",
    "SymbolVersion",
    "TradeAnswer",
    "Transaction",
    "ValidationReport",
    "Violation",
    "activate_exchange",
    "can_trade",
    "close_default_database",
    "common_symbols",
    "deactivate_exchange",
    "default_database",
    "diff_symbols",
    "embedded",
    "ensure_exchanges_populated",
    "get_all_active_exchanges",
    "get_all_exchanges",
    "get_exchange_as_of",
    "get_exchange_by_enum",
    "get_exchange_by_id",
    "get_exchange_history",
    "get_exchange_stats",
    "get_exchanges_by_market_type",
    "get_symbol",
    "get_symbol_as_of",
    "get_symbol_by_native",
    "get_symbol_history",
    "get_symbol_stats",
    "import_symbols",
    "insert_exchange",
    "list_symbols",
    "list_symbols_as_of",
    "search",
    "sync_symbols",
    "update_exchange",
    "validate_exchanges",
]
