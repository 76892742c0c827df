"""Which exchanges there are and under which rules one may trade them: typed, exact, from PostgreSQL."""

from exchanges_db.database import Database, Transaction
from exchanges_db.default_database import DatabaseOrConnection, close_default_database, default_database
from exchanges_db.enums import ChangeOperation, ExchangeEnum, MarketType
from exchanges_db.errors import (
    AccessDenied,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    DatabaseError,
    DatabaseUnavailable,
    DuplicateExchange,
    ExchangeNotFound,
    ExchangesDBError,
    InvalidExchange,
    InvalidOrder,
    MigrationError,
    MigrationLocked,
    OutcomeUnknown,
    PoolTimeout,
    QueryCancelled,
    SchemaMismatch,
)
from exchanges_db.exchanges import (
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
from exchanges_db.history import get_exchange_as_of, get_exchange_history
from exchanges_db.models import Exchange, ExchangeChange, ExchangeStats
from exchanges_db.order_rules import OrderRule, OrderRules, Rounding, Side, Violation
from exchanges_db.populate import ensure_exchanges_populated
from exchanges_db.settings import Settings
from exchanges_db.stats import get_exchange_stats
from exchanges_db.symbol_enums import ContractDirection, SidesAllowed, SymbolKind, SymbolStatus
from exchanges_db.symbol_models import SymbolSpec
from exchanges_db.validation import CheckResult, Latency, ValidationReport, validate_exchanges

__version__ = "0.1.0"

__all__ = [
    "AccessDenied",
    "ChangeOperation",
    "CheckResult",
    "ConfigurationError",
    "Conflict",
    "ConstraintViolated",
    "ContractDirection",
    "Database",
    "DatabaseError",
    "DatabaseOrConnection",
    "DatabaseUnavailable",
    "DuplicateExchange",
    "Exchange",
    "ExchangeChange",
    "ExchangeEnum",
    "ExchangeNotFound",
    "ExchangeStats",
    "ExchangesDBError",
    "InvalidExchange",
    "InvalidOrder",
    "Latency",
    "MarketType",
    "MigrationError",
    "MigrationLocked",
    "OrderRule",
    "OrderRules",
    "OutcomeUnknown",
    "PoolTimeout",
    "QueryCancelled",
    "Rounding",
    "SchemaMismatch",
    "Settings",
    "Side",
    "SidesAllowed",
    "SymbolKind",
    "SymbolSpec",
    "SymbolStatus",
    "Transaction",
    "ValidationReport",
    "Violation",
    "activate_exchange",
    "close_default_database",
    "deactivate_exchange",
    "default_database",
    "ensure_exchanges_populated",
    "get_all_active_exchanges",
    "get_all_exchanges",
    "get_exchange_as_of",
    "get_exchange_by_enum",
    "get_exchange_by_id",
    "get_exchange_history",
    "get_exchange_stats",
    "get_exchanges_by_market_type",
    "insert_exchange",
    "update_exchange",
    "validate_exchanges",
]
