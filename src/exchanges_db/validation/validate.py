"""Runs all checks on a database and returns a report; leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from time import perf_counter

import msgspec

from exchanges_db._version import __version__
from exchanges_db.database.default import default_database
from exchanges_db.database.pool import Database
from exchanges_db.errors import ConfigurationError, DatabaseError, DatabaseUnavailable, ExchangesDBError, PoolTimeout
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.symbols.freshness import check_max_age
from exchanges_db.symbols.look_ups import get_symbol_stats
from exchanges_db.symbols.models import SymbolStats
from exchanges_db.validation import catalog, change_log, checks, freshness, probes, rows, sessions, symbol_probes, wire
from exchanges_db.validation.checks import CheckFailed, Context
from exchanges_db.validation.latency import Latency

__all__ = ["CheckResult", "Latency", "ValidationReport", "validate_exchanges"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found; `seconds` is how long it took."""

    name: str
    passed: bool
    detail: str
    seconds: float


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a validation.

    Attributes:
        latency: None when the look-ups could not be timed, or were not because the validation was quick.
        server_version, database_name: None when the server did not answer.
        schema_version: our newest applied migration; None where there is none or this role cannot see it.
        symbols: how many there are per exchange, kind and status; None when they could not be counted, or were not
            because the validation was quick.
    """

    started_at: datetime
    package_version: str
    server_version: str | None
    database_name: str | None
    schema_version: str | None
    checks: tuple[CheckResult, ...]
    latency: Latency | None
    symbols: tuple[SymbolStats, ...] | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)


Check = Callable[[Context], Awaitable[str]]

CHECKS: dict[str, Check] = {
    "table reachable": checks.check_reachable,
    "connection encrypted": wire.check_encryption,
    "clocks agree": wire.check_clocks,
    "pooler as set": wire.check_pooler,
    "no long transactions": sessions.check_transactions,
    "notifications read": sessions.check_notifications,
    "connections left": sessions.check_connections,
    "migrations are ours": checks.check_migrations,
    "schema as recorded": checks.check_recorded_schema,
    "owners and rights": catalog.check_owners_and_rights,
    "nothing in between": catalog.check_surroundings,
    "settings": catalog.check_settings,
    "vacuum": catalog.check_vacuum,
    "every enum value present": checks.check_enum_values,
    "enum round trip": checks.check_enum_round_trip,
    "constraints refuse bad rows": probes.check_constraints,
    "indexes used": checks.check_indexes_used,
    "look-ups in time": checks.check_latency,
    "stats fit the rows": checks.check_stats,
    "changes logged": change_log.check_change_log,
    "ids left": catalog.check_ids_left,
    "rows as written": rows.check_rows_as_written,
    "histories whole": rows.check_histories,
    "rows readable": rows.check_readable,
    "rows fit": rows.check_rows_fit,
    "CRUD round trip": probes.check_crud,
    "symbol round trip": symbol_probes.check_symbol_round_trip,
    "lists fresh": freshness.check_freshness,
}
# What a quick validation leaves out: checks that write, time something, or read whole tables.
SLOW = frozenset(
    (
        "constraints refuse bad rows",
        "look-ups in time",
        "rows as written",
        "histories whole",
        "rows readable",
        "rows fit",
        "CRUD round trip",
        "symbol round trip",
    )
)


async def validate_exchanges(
    *,
    db: Database | None = None,
    lookups: int = 1000,
    target_ms: float = 1.0,
    max_age: timedelta | None = None,
    migrations_table: str | None = None,
    quick: bool = False,
    on_check: Callable[[CheckResult], None] | None = None,
) -> ValidationReport:
    """Check tables, rows, rules and speed, and return what was found; nothing stays behind, no id is used up.

    Each write is rolled back. After a check that fails, or cannot be made, the others are still made.

    lookups: how many look-ups to time.
    target_ms: the most milliseconds that their mean may be.
    max_age: how long ago the exchanges may have confirmed their lists; None for any time.
    migrations_table: dbmate's ledger, TABLE or SCHEMA.TABLE; None means DBMATE_MIGRATIONS_TABLE.
    quick: make only checks that write nothing, time nothing and read no whole table: for a deploy or a health check, by
        a role that may only read, and on a standby.
    on_check: called with each result as soon as it is known.

    Raises:
        ConfigurationError: an argument, DATABASE_URL or DBMATE_MIGRATIONS_TABLE is unusable.
        InvalidArgument: `max_age` is no positive timedelta.
        PoolTimeout: every connection of `db` was in use.
    """
    if type(lookups) is not int or lookups < 1 or not target_ms > 0:
        raise ConfigurationError("lookups must be a positive integer and target_ms positive")
    if db is None:
        db = await default_database()
    if not isinstance(db, Database):
        raise ConfigurationError(f"db must be a Database to be validated, not {type(db).__name__}")
    context = Context(db, lookups, target_ms, parse_ledger(migrations_table), check_max_age(max_age))
    started_at = datetime.now(UTC)
    results: list[CheckResult] = []
    unreachable = False
    wanted = {name: check for name, check in CHECKS.items() if not (quick and name in SLOW)}
    for name, check in wanted.items():
        # Without a server, or with one that is too old, every further check would fail in the same way.
        result, error = _not_made(name) if unreachable else await _make(name, check, context)
        unreachable = unreachable or (not results and isinstance(error, DatabaseUnavailable | ConfigurationError))
        results.append(result)
        if on_check is not None:
            on_check(result)
    return ValidationReport(
        started_at=started_at,
        package_version=__version__,
        server_version=context.server_version,
        database_name=context.database_name,
        schema_version=context.schema_version,
        checks=tuple(results),
        latency=context.latency,
        symbols=None if unreachable or quick else await _count_symbols(context.database),
    )


def _not_made(name: str) -> tuple[CheckResult, None]:
    return CheckResult(name=name, passed=False, detail="not made: no server that can be asked", seconds=0.0), None


async def _make(name: str, check: Check, context: Context) -> tuple[CheckResult, Exception | None]:
    began = perf_counter()
    error: Exception | None = None
    try:
        detail = await check(context)
    except PoolTimeout:
        raise  # it says nothing of the database: this process has lent all its connections
    except (CheckFailed, ExchangesDBError) as exc:
        error, detail = exc, str(exc)
    return CheckResult(name=name, passed=error is None, detail=detail, seconds=perf_counter() - began), error


async def _count_symbols(database: Database) -> tuple[SymbolStats, ...] | None:
    try:
        return tuple(await get_symbol_stats(db=database))
    except DatabaseError:
        # The table is missing, or this role may not read it; a check says which.
        return None
