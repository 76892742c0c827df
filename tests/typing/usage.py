"""Typed use of every public name, checked by mypy --strict and never run; `test_types.py` holds it to the door."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, assert_type

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db import (
    Absence,
    AccessDenied,
    AccountFeeChange,
    AccountFees,
    AdoptedExchange,
    AdoptionRefused,
    AdoptionReport,
    Allowance,
    Ambiguity,
    AmbiguityChanged,
    AmbiguousSymbol,
    AssetClass,
    Band,
    BlockingChangeStream,
    Brake,
    BrakeHit,
    BrokenRow,
    ChangeKind,
    ChangeOperation,
    ChangeStream,
    CheckResult,
    CommonSymbol,
    CommonSymbols,
    CompanionReader,
    ConfigurationError,
    Conflict,
    ConstraintViolated,
    ContractDirection,
    Database,
    DatabaseError,
    DatabaseOrConnection,
    DatabaseStats,
    DatabaseUnavailable,
    Document,
    DoubtChanged,
    DownloadFailed,
    DownloadSettings,
    Dsn,
    DuplicateExchange,
    Exchange,
    ExchangeChange,
    ExchangeChanged,
    ExchangeEnum,
    ExchangeNotFound,
    ExchangesDBError,
    ExchangeStats,
    ExchangeStep,
    Fees,
    FeesChanged,
    FeeSource,
    FeesUnknown,
    FieldChange,
    FieldValue,
    Finding,
    Follower,
    Gap,
    HeldBack,
    HistoryPrune,
    HistoryPruned,
    Hold,
    HoldChanged,
    HoldEnd,
    HoldRecord,
    Ids,
    ImportBusy,
    ImportLimits,
    ImportOutcome,
    ImportRecord,
    ImportRefused,
    ImportReport,
    InvalidArgument,
    InvalidExchange,
    InvalidOrder,
    InvalidSymbol,
    Isolation,
    Latency,
    ListChanged,
    ListFreshness,
    Listing,
    ListOutcome,
    ListState,
    LogEntry,
    MarketType,
    MigrationError,
    MigrationLocked,
    NamedSymbol,
    News,
    Notes,
    NotFound,
    Number,
    Obstacle,
    OptionType,
    OrderRule,
    OrderRules,
    OrderType,
    OutcomeUnknown,
    Payload,
    PayloadError,
    Place,
    PoolTimeout,
    Position,
    PriceReference,
    PruneReport,
    QueryCancelled,
    Reader,
    ReadSymbol,
    Registry,
    RegistryChange,
    RegistryChangeKind,
    RegistrySettings,
    RegistryStale,
    RegistryState,
    RegistryStats,
    RegistrySymbol,
    RejectedRow,
    Request,
    Rounded,
    Rounding,
    SavedList,
    SavedListReader,
    SchemaMismatch,
    Seconds,
    Secret,
    Settings,
    SharedName,
    Side,
    SidesAllowed,
    Snapshot,
    SnapshotNotSaved,
    SnapshotRefused,
    StateChanged,
    StoredExchange,
    Symbol,
    SymbolChange,
    SymbolChanged,
    SymbolDiff,
    SymbolKind,
    SymbolList,
    SymbolNotFound,
    SymbolRaw,
    SymbolSpec,
    SymbolStats,
    SymbolStatus,
    SymbolVersion,
    SyncOutcome,
    SyncRound,
    TellingReader,
    ThreadedRegistry,
    TradeAnswer,
    Transaction,
    UnknownValue,
    ValidationReport,
    View,
    Violation,
    activate_exchange,
    adopt_symbols,
    can_trade,
    check_reader,
    close_default_database,
    common_symbols,
    deactivate_exchange,
    default_database,
    diff_symbols,
    embedded,
    ensure_exchanges_populated,
    float_view,
    forget_account_fees,
    get_account_fee_history,
    get_all_active_exchanges,
    get_all_exchanges,
    get_exchange_as_of,
    get_exchange_by_enum,
    get_exchange_by_id,
    get_exchange_history,
    get_exchange_stats,
    get_exchanges_by_market_type,
    get_fees,
    get_freshness,
    get_hold_history,
    get_import,
    get_symbol,
    get_symbol_as_of,
    get_symbol_by_id,
    get_symbol_by_native,
    get_symbol_history,
    get_symbol_raw,
    get_symbol_stats,
    get_symbols,
    get_symbols_by_ids,
    hold_exchange,
    hold_symbol,
    import_specs,
    import_symbols,
    insert_exchange,
    keep_synced,
    list_account_fees,
    list_holds,
    list_imports,
    list_prunes,
    list_symbol_lists,
    list_symbols,
    list_symbols_as_of,
    prune_history,
    read_rows,
    register_reader,
    release_exchange,
    release_symbol,
    search_symbols,
    set_account_fees,
    sync_symbols,
    update_exchange,
    validate_exchanges,
    values,
)


class Venue(Enum):
    """An Enum of a user's own."""

    HERE = "MEXC_SPOT"


async def reads(db: DatabaseOrConnection, venue: Enum, at: datetime) -> None:
    """What each look-up gives."""
    assert_type(await get_exchange_by_enum(ExchangeEnum.MEXC, db=db), StoredExchange | None)
    assert_type(await get_exchange_by_enum(venue), StoredExchange | None)
    assert_type(await get_exchange_by_enum("MEXC_SPOT"), StoredExchange | None)
    assert_type(await get_exchange_by_id(1), StoredExchange | None)
    assert_type(await get_all_active_exchanges(), list[StoredExchange])
    assert_type(await get_all_exchanges(), list[StoredExchange])
    assert_type(await get_exchanges_by_market_type(MarketType.SPOT), list[StoredExchange])
    assert_type(await get_exchanges_by_market_type("spot"), list[StoredExchange])
    assert_type(await get_exchange_stats(), ExchangeStats)
    assert_type((await get_exchange_stats())["exchange_list"], list[str])
    assert_type(await get_exchange_history(1), list[ExchangeChange])
    assert_type(await get_exchange_history(venue), list[ExchangeChange])
    assert_type(await get_exchange_as_of(1, at), StoredExchange | None)
    assert_type(await get_exchange_as_of("MEXC_SPOT", at), StoredExchange | None)
    await get_exchange_as_of(1, "2026-01-01")  # type: ignore[arg-type]  # text is no moment
    await get_exchange_by_id("1")  # type: ignore[arg-type]  # text is no id
    await get_exchange_by_id(1, db="postgresql://h/d")  # type: ignore[arg-type]  # a URL is no Database yet


def parts(report: ImportReport, secret: Secret, seconds: Seconds) -> None:
    """What reports and settings are made of."""
    assert_type(report.rejected, tuple[RejectedRow, ...])
    assert_type(report.held_back, tuple[HeldBack, ...])
    assert_type(Allowance.parse("jump=BTC_USDT"), Allowance)
    assert_type(ImportLimits(left_percent=25).skew, timedelta)
    assert_type(report.unsatisfiable, tuple[str, ...])
    assert_type(report.unknown_values, tuple[UnknownValue, ...])
    isolation: Isolation = "serializable"
    Database(Dsn(password=secret), Settings(connect_timeout=seconds)).transaction(isolation=isolation)


async def writes(exchange: StoredExchange) -> None:
    """What each change gives."""
    assert_type(await insert_exchange(Exchange.from_exchange_enum(ExchangeEnum.MEXC)), int)
    assert_type(await update_exchange(exchange.id, {"display_name": "x"}, if_version=exchange.version), bool)
    assert_type(await activate_exchange(1), bool)
    assert_type(await deactivate_exchange(1), bool)
    assert_type(await ensure_exchanges_populated(), list[StoredExchange])
    assert_type(
        await ensure_exchanges_populated(Venue, defaults={Venue.HERE: {"display_name": "x"}}), list[StoredExchange]
    )
    await ensure_exchanges_populated(Venue.HERE)  # type: ignore[arg-type]  # a member is no Enum
    exchange.name = "x"  # type: ignore[misc]  # frozen


async def connections(
    raw: asyncpg.Connection, pooled: "PoolConnectionProxy[asyncpg.Record]", alchemy: AsyncConnection
) -> None:
    """What is taken for `db=`, and what a Database gives."""
    async with Database("postgresql://h/d", Settings(pool_max=2)) as database:
        assert_type(database, Database)
        assert_type(database.stats(), DatabaseStats)
        assert_type(database.settings, Settings)
        async with database.transaction(isolation="serializable", readonly=True) as transaction:
            assert_type(transaction, Transaction)
            await get_exchange_by_id(1, db=transaction)
    for db in (raw, pooled, alchemy, database, None):
        await get_exchange_by_id(1, db=db)
    assert_type(await default_database(), Database)
    assert_type(await close_default_database(), None)
    assert_type(embedded.start(), str)
    Database(Dsn(hosts=(("h", 5432),), user="u", database="d"))
    database.transaction(isolation="chaos")  # type: ignore[arg-type]  # PostgreSQL has three


def fields(exchange: StoredExchange, draft: Exchange, error: InvalidExchange) -> None:
    """What the values are made of: a row has what the database sets, a draft may not have it."""
    assert_type((exchange.id, exchange.version), tuple[int, int])
    assert_type((exchange.created_at, exchange.updated_at), tuple[datetime, datetime])
    assert_type((draft.id, draft.version), tuple[int | None, int | None])
    assert_type((draft.created_at, draft.updated_at), tuple[datetime | None, datetime | None])
    assert_type(exchange.market_type, MarketType)
    assert_type(exchange.to_exchange_enum(), ExchangeEnum)
    assert_type(exchange.to_exchange_enum(Venue), Venue)
    assert_type(exchange.get_rate_limit_delay(), float)
    assert_type(Exchange.from_exchange_enum(ExchangeEnum.MEXC, is_active=False), Exchange)
    assert_type(error.field, str | None)


async def symbols(db: DatabaseOrConnection, venue: Enum, at: datetime) -> None:
    """What each look-up of symbols gives."""
    assert_type(await get_symbol(ExchangeEnum.GATEIO, "BTC/USDT", db=db), Symbol | None)
    assert_type(await get_symbol(venue, "BTC/USDT"), Symbol | None)
    assert_type(await get_symbol_by_native("GATEIO_SPOT", "BTC_USDT"), Symbol | None)
    assert_type(await get_symbol_by_id(1), Symbol | NamedSymbol | None)
    assert_type(await get_symbols_by_ids([1, 2]), dict[int, Symbol | NamedSymbol])
    assert_type(await get_symbols(venue, ["BTC/USDT"]), dict[str, Symbol])
    assert_type(await list_symbols(venue, base="BTC", kind=SymbolKind.SPOT, tradable=None), list[Symbol])
    assert_type(await list_symbols(kind="spot"), list[Symbol])
    assert_type(await list_symbols([venue, "MEXC_SPOT"]), list[Symbol])
    assert_type(await get_symbol_raw(venue, "BTC/USDT"), SymbolRaw | None)
    assert_type((await list_symbol_lists(venue))[0], SymbolList)
    assert_type(await search_symbols("btc", limit=5), list[Symbol])
    assert_type(await get_symbol_stats(), list[SymbolStats])
    assert_type(await get_symbol_as_of(venue, "BTC/USDT", at), Symbol | None)
    assert_type(await list_symbols_as_of(venue, at), list[Symbol])
    assert_type(await list_symbols_as_of(None, at, base="BTC", kind=SymbolKind.SPOT, tradable=None), list[Symbol])
    assert_type(await get_symbol_history(venue, "BTC/USDT"), list[SymbolVersion])
    changes = await diff_symbols(venue, at)
    assert_type(changes, SymbolDiff)
    assert_type(changes.until, datetime)
    assert_type(changes.changes[0].kind, ChangeKind)
    assert_type(changes.changes[0].spec, SymbolSpec)
    assert_type(changes.changes[0].fields, tuple[FieldChange, ...])
    assert_type(changes.changes[0].fields[0].old, FieldValue)
    common = await common_symbols(venue, "MEXC_SPOT", "GATEIO_FUTURES")
    assert_type(common, CommonSymbols)
    assert_type(common.left_out, list[SharedName])
    (pair,) = common
    assert_type(pair, CommonSymbol)
    assert_type((pair.a, pair.price_tick, pair.quantity_step), tuple[Symbol, Decimal, Decimal | None])
    await get_symbol("MEXC_SPOT", 7)  # type: ignore[arg-type]  # a number is no name
    await get_symbol_by_id("1")  # type: ignore[arg-type]  # text is no id
    await get_symbols(venue, [1])  # type: ignore[list-item]  # ids are asked for by get_symbols_by_ids
    await list_symbols_as_of(venue, "2026-01-01")  # type: ignore[arg-type]  # text is no moment


async def trading(symbol: Symbol, price: Number, how: Rounded, at: datetime) -> None:
    """What an order is checked with, and what the answers are."""
    answer = await can_trade(symbol, Side.BUY, closing=True)
    assert_type(answer, TradeAnswer)
    assert_type((answer.allowed, answer.obstacle), tuple[bool, Obstacle | None])
    assert_type(answer.obstacles, tuple[Obstacle, ...])
    assert_type(await can_trade(ExchangeEnum.GATEIO, "BTC/USDT", "BUY", at, order_type=OrderType.MARKET), TradeAnswer)
    await can_trade(ExchangeEnum.GATEIO, "BTC/USDT")  # type: ignore[call-overload]  # no side
    rules = OrderRules.from_symbol(symbol)
    assert_type(rules, OrderRules)
    assert_type(rules.check("64000.1", 1, Side.SELL, closing=True, at=at), OrderRule | Obstacle | None)
    assert_type(rules.check(price, 1, "BUY"), OrderRule | Obstacle | None)  # the text of a side is as good
    assert_type(rules.check(None, 1, reference=price), OrderRule | Obstacle | None)
    assert_type(rules.check_ticks(1, 1, Side.SELL), OrderRule | Obstacle | None)
    assert_type(rules.check_all(price, 1)[0].rule, OrderRule | Obstacle)
    assert_type((rules.ticks_of_float(0.1, "BUY"), rules.lots_of_float(0.1)), tuple[int, int])
    assert_type((rules.price_text(1), rules.quantity_text(1)), tuple[str, str])
    assert_type(rules.band(price), Band | None)
    assert_type(float_view(symbol), dict[str, float | None])
    assert_type(rules.check_all(price, Decimal(1)), list[Violation])
    assert_type(rules.round_price(price, how), Decimal)
    assert_type(rules.round_price(price, Rounding.DOWN), Decimal)
    assert_type(rules.round_price(price, "SELL"), Decimal)
    assert_type((symbol.kind, symbol.status, symbol.sides), tuple[SymbolKind, SymbolStatus, SidesAllowed])
    assert_type((symbol.direction, symbol.price_tick), tuple[ContractDirection | None, Decimal])
    assert_type((symbol.option_type, symbol.asset_class), tuple[OptionType | None, AssetClass | None])
    assert_type((symbol.price_band_of, symbol.observed_at), tuple[PriceReference | None, datetime | None])
    rules.check(0.1, 1)  # type: ignore[arg-type]  # a float is no exact number


async def prunes(at: datetime, error: HistoryPruned) -> None:
    """What a prune tells, and what a question about a time before it."""
    report = await prune_history(at, dry_run=True, on_progress=lambda done, total: None)
    assert_type(report, PruneReport)
    assert_type(report.rows, dict[str, int])
    assert_type(await list_prunes(), list[HistoryPrune])
    assert_type(error.before, datetime)


async def imports(payload: bytes) -> None:
    """What comes of an import, and what of a validation."""
    limits = ImportLimits(left_percent=5)
    report = await import_symbols(
        ExchangeEnum.MEXC, payload, allow=[Allowance.parse("jump=BTCUSDT")], limits=limits, wait=5, on_wait=print
    )
    assert_type(report, ImportReport)
    assert_type(report.held_back, tuple[HeldBack, ...])
    assert_type(await list_imports("MEXC_SPOT", outcome=ImportOutcome.REFUSED, limit=5), list[ImportRecord])
    assert_type(await get_import(1), ImportRecord | None)
    assert_type(report.brakes, tuple[BrakeHit, ...])
    assert_type(report.brakes[0].brake, Brake)
    assert_type(report.changes[0], SymbolChange)
    assert_type(await sync_symbols("MEXC_SPOT", settings=DownloadSettings(attempts=2)), list[ListOutcome])
    (outcome,) = await sync_symbols("MEXC_SPOT", save="lists")
    assert_type((outcome.outcome, outcome.saved), tuple[SyncOutcome, SavedList | None])

    def on_round(one: SyncRound) -> None:
        assert_type(one.outcomes, tuple[ListOutcome, ...])

    await keep_synced(["MEXC_SPOT"], every=timedelta(minutes=1), on_round=on_round)
    assert_type(await get_freshness("MEXC_SPOT"), list[ListFreshness])
    assert_type(await can_trade("MEXC_SPOT", "BTC/USDT", "BUY", max_age=timedelta(minutes=10)), TradeAnswer)
    await can_trade("MEXC_SPOT", "BTC/USDT", "BUY", max_age=600)  # type: ignore[call-overload]  # seconds or minutes?
    listing = Listing(SymbolKind.PERPETUAL, "USDT")
    assert_type(await import_specs("MEXC_FUTURES", listing, [report.changes[0].spec], source="own"), ImportReport)
    assert_type((report.listing, report.source), tuple[Listing, str])
    await import_symbols("MEXC_SPOT", "[]")  # type: ignore[arg-type]  # text is no payload
    validation = await validate_exchanges(lookups=10)
    assert_type(validation, ValidationReport)
    assert_type(validation.checks, tuple[CheckResult, ...])
    assert_type(validation.latency, Latency | None)


class OwnRow(msgspec.Struct):
    """What is read of a row."""

    symbol: str
    tick: Any


def own_spec(row: OwnRow, notes: Notes) -> SymbolSpec:
    """One symbol of a row."""
    if not row.symbol:
        raise BrokenRow("symbol is empty")
    notes.unknown("status", "new", "HALTED")
    return SymbolSpec(
        native_symbol=row.symbol,
        symbol=row.symbol,
        base="A",
        quote="B",
        kind=SymbolKind.SPOT,
        price_tick=values.required("tick", values.number("tick", row.tick)),
        quantity_step=values.step("decimals", 2),
        status=SymbolStatus.HALTED,
        sides=SidesAllowed.NONE,
    )


class OwnReader:
    """A reader of a user's own needs no base class."""

    name, exchange, version, volatile, index = "own", "OWN_SPOT", 1, frozenset({"last"}), None

    def lists(self, index: bytes | None = None) -> dict[Listing, Request]:
        """One list."""
        return {Listing(SymbolKind.SPOT): Request("/symbols", {"X-Exact": "1"})}

    def recognises(self, document: Document) -> bool:
        """By its keys."""
        return document.has_keys("own")

    def read(self, document: Document, *, listing: Listing, observed_at: datetime) -> Payload:
        """Its rows, by the loop that all readers share."""
        return read_rows(document, OwnRow, "symbol", ("symbol", "tick"), own_spec, listing=listing, source=self.name)


class FullReader(OwnReader):
    """A reader that does all that one can do."""

    companion, unasked = Request("/offline"), (Listing(SymbolKind.FUTURE),)

    def absences(self, companion: bytes) -> dict[str, Absence]:
        """What is gone."""
        return {row: Absence(SymbolStatus.DELISTED) for row in Document.parse(companion).top or {}}

    def listing_of(self, document: Document) -> Listing | None:
        """It does not tell."""
        return None


def readers() -> None:
    """Our own readers and a user's are alike."""
    own: Reader = OwnReader()
    register_reader(own)
    register_reader(OwnReader)  # type: ignore[arg-type]  # a class is no reader
    companion: CompanionReader = FullReader()
    telling: TellingReader = FullReader()
    saved: SavedListReader = FullReader()
    half: CompanionReader = OwnReader()  # type: ignore[assignment]  # it has no companion
    assert_type((companion.companion, telling.name), tuple[Request, str])
    assert_type(check_reader(saved, [{"symbol": "AB"}], words=["status"]), list[Finding])
    payload = own.read(Document.parse(b"[]"), listing=Listing(SymbolKind.SPOT), observed_at=datetime.now(UTC))
    assert_type(payload.symbols, tuple[ReadSymbol, ...])
    assert_type(half.lists(), Mapping[Listing, Request])


async def fees(symbol: Symbol) -> None:
    """What an account pays, and since when."""
    assert_type(await set_account_fees("MEXC_SPOT", maker="0.001", taker=Decimal("0.002"), symbol=symbol), bool)
    assert_type(await forget_account_fees("MEXC_SPOT"), bool)
    paid = await get_fees(symbol, "main", strict=True)
    assert_type(paid, Fees)
    assert_type(paid.source, FeeSource)
    assert_type(await list_account_fees(), list[AccountFees])
    assert_type(await get_account_fee_history("MEXC_SPOT"), list[AccountFeeChange])
    await set_account_fees("MEXC_SPOT", maker=0.001, taker=0)  # type: ignore[arg-type]  # a float is no exact fee


def changes_of_an_exchange(change: ExchangeChange) -> None:
    """What the audit trail is made of."""
    assert_type(change.operation, ChangeOperation)


def errors(error: ExchangesDBError) -> None:
    """What each error says beside its message, and which kinds hold others."""
    match error:
        case InvalidExchange() | InvalidSymbol() | InvalidOrder():
            argument: InvalidArgument = error
            assert_type(argument.field, str | None)
        case ExchangeNotFound() | SymbolNotFound() | FeesUnknown():
            missing: NotFound = error
            missing.add_note("as a LookupError")
        case DuplicateExchange():
            violated: ConstraintViolated = error
            assert_type(violated.constraint, str | None)
        case RegistryStale():
            assert_type(error.lag, float | None)
        case PoolTimeout():
            unavailable: DatabaseUnavailable = error
            assert_type(unavailable.sqlstate, str | None)
        case AccessDenied() | Conflict() | OutcomeUnknown() | QueryCancelled() | SchemaMismatch():
            failed: DatabaseError = error
            assert_type(failed.sqlstate, str | None)
        case MigrationLocked():
            migration: MigrationError = error
            migration.add_note("somebody else migrates")
        case DownloadFailed():
            assert_type((error.status, error.attempts), tuple[int | None, int])
        case SnapshotNotSaved() | SnapshotRefused():
            assert_type(error.path, str)
        case ImportBusy():
            pass
        case ImportRefused():
            assert_type(error.report, ImportReport)
        case AmbiguousSymbol() | ConfigurationError() | PayloadError():
            error.add_note("said in its message")


async def holds(venue: Enum, named: NamedSymbol, at: datetime, record: HoldRecord) -> None:
    """What a person's word gives, and a symbol that is known by name only."""
    assert_type(await hold_symbol(venue, "BTC/USDT", sides=SidesAllowed.BUY, reason="x", until=at), bool)
    assert_type(await hold_symbol("GATEIO_SPOT", "BTC_USDT", sides=Side.SELL, reason="x", native=True), bool)
    assert_type(await hold_exchange(venue, reason="x"), bool)
    assert_type(await release_symbol(venue, "BTC/USDT", reason="x"), bool)
    assert_type(await release_exchange(venue), bool)
    assert_type(await list_holds(), list[HoldRecord])
    assert_type(await get_hold_history(1), list[HoldRecord])
    assert_type(record.end, HoldEnd | None)
    await hold_symbol(venue, "BTC/USDT")  # type: ignore[call-arg]  # nobody is held without a reason
    assert_type(await can_trade(named, "BUY"), TradeAnswer)
    assert_type(named.native_symbol, str)
    named.price_tick  # type: ignore[attr-defined]  # noqa: B018  # a name has no rules
    await get_fees(named)  # type: ignore[arg-type]  # nor fees


async def moving_in(db: DatabaseOrConnection, refused: AdoptionRefused) -> None:
    """What an adoption says that it would do, did, or could not do."""
    report = await adopt_symbols("legacy", columns={"base": "coin"}, exchanges={"Gate.io": ExchangeEnum.GATEIO}, db=db)
    assert_type(report, AdoptionReport)
    assert_type(report.exchanges, tuple[AdoptedExchange, ...])
    assert_type(report.exchanges[0].step, ExchangeStep)
    assert_type(report.symbols[0], NamedSymbol)
    assert_type(refused.problems, tuple[str, ...])


def hot_path(view: View, ids: Ids, told: Ambiguity) -> None:
    """A view of a registry, by native name and by base and quote."""
    assert_type(view["BTC_USDT"], RegistrySymbol)
    assert_type(view["BTC", "USDT"].rules, OrderRules)
    assert_type(view["BTC", "USDT"].holds, tuple[Hold, ...])
    assert_type(view.get("BTC_USDT"), RegistrySymbol | None)
    assert_type(view.ids, Ids)
    assert_type(ids["BTC", "USDT"], int)
    assert_type(told.candidates, tuple[str, ...])


class Counting:
    """A follower of one's own."""

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """What the log says of it."""
        if news is not None:
            assert_type(news.entries, tuple[LogEntry, ...])

    def stale(self, error: RegistryStale) -> None:
        """For how long nothing was proven."""
        assert_type(error.lag, float | None)

    def fresh(self, snapshot: Snapshot) -> None:
        """Where it goes on."""
        assert_type(snapshot.position, Position)


async def in_memory(db: Database) -> None:
    """What a registry holds, and how fresh it is."""
    async with Registry(db, settings=RegistrySettings(poll_interval=0.5, max_staleness=10)) as registry:
        assert_type(registry, Registry)
        assert_type(registry.state, RegistryState)
        assert_type(registry.lag, float | None)
        assert_type(registry.stats(), RegistryStats)
        assert_type(registry.position, Position | None)
        place = registry.snapshot.places["GATEIO_SPOT"]
        assert_type(place, Place)
        assert_type(place.holds, dict[str | None, Hold])
        assert_type(place.lists, tuple[ListState, ...])
        follower: Follower = Counting()
        registry.follow(follower)
        stream = registry.changes(since=registry.position, states=True)
        assert_type(stream, ChangeStream)
        async for change in stream:
            assert_type(change, RegistryChange)
            assert_type(change.kind, RegistryChangeKind)
            changes_as_they_come(change)
        registry.changes(since=1)  # type: ignore[arg-type]  # an epoch alone does not tell timelines apart
    with Registry.in_thread(db) as threaded:
        assert_type(threaded, ThreadedRegistry)
        assert_type(threaded.changes(), BlockingChangeStream)


def changes_as_they_come(change: RegistryChange) -> None:
    """What each kind of item says beside its position."""
    assert_type((change.position, change.committed_at), tuple[Position, datetime | None])
    match change:
        case ExchangeChanged():
            assert_type(change.after, StoredExchange | None)
        case SymbolChanged():
            assert_type(change.after, RegistrySymbol | NamedSymbol | None)
            assert_type(change.fields, tuple[FieldChange, ...])
        case DoubtChanged():
            assert_type(change.since, datetime | None)
        case AmbiguityChanged():
            assert_type(change.candidates, tuple[str, ...])
        case HoldChanged():
            assert_type(change.after, Hold | None)
        case FeesChanged():
            assert_type(change.after, Fees | None)
        case ListChanged():
            assert_type(change.after, ListState | None)
        case StateChanged():
            assert_type(change.after, RegistryState)
        case Gap():
            assert_type(change.since, Position | None)
