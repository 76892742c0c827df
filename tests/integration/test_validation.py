"""Validation on a real server: passes where all is well, names what is not, and leaves nothing behind."""

import asyncio
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from exchanges_db import (
    ConfigurationError,
    Database,
    ExchangeEnum,
    Settings,
    Transaction,
    deactivate_exchange,
    get_all_exchanges,
    get_exchange_by_id,
    get_exchange_stats,
    insert_exchange,
    update_exchange,
)
from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.ledger import parse_ledger
from exchanges_db.schema.sql_files import migrations_directory
from exchanges_db.validation import checks, probes, rows
from exchanges_db.validation.latency import Latency, latency_of
from exchanges_db.validation.validate import CHECKS, SLOW, CheckResult, ValidationReport, validate_exchanges
from tests.factories import an_exchange, connected
from tests.fix_server import run_dbmate
from tests.servers import until

NOT_ABOUT_TABLES = {
    "connection encrypted",
    "clocks agree",
    "pooler as set",
    "no long transactions",
    "notifications read",
    "connections left",
    "nothing in between",
    "settings",
    "vacuum",
}
WRITING = {"constraints refuse bad rows", "CRUD round trip", "symbol round trip"}


async def validated(database: Database, **arguments: Any) -> ValidationReport:
    """Return the report of a short validation."""
    return await validate_exchanges(db=database, **{"lookups": 5, "target_ms": 1000.0, **arguments})


def failed(report: ValidationReport) -> dict[str, str]:
    """Return what was found by each failed check."""
    return {check.name: check.detail for check in report.checks if not check.passed}


def detail(report: ValidationReport, name: str) -> str:
    """Return what the check found."""
    return next(check.detail for check in report.checks if check.name == name)


async def execute(dsn: Dsn, *statements: str) -> None:
    """Run statements on the database, each by itself."""
    async with connected(dsn) as connection:
        for statement in statements:
            await connection.execute(statement)


@asynccontextmanager
async def as_role(dsn: Dsn, *grants: str) -> AsyncIterator[Database]:
    """A Database that has only these rights; `trader` stands for its role."""
    role = f"{dsn.database}_role"
    await execute(dsn, f"CREATE ROLE {role}", *(grant.replace("trader", role) for grant in grants))
    try:
        async with Database(replace(dsn, settings={"role": role}), Settings()) as database:
            yield database
    finally:
        await execute(dsn, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


# What is tried is recorded and noted in the log of changes: of a sequence of BIGINT there is no end.
_EXCEPT = ["exchange_history_id_seq", "registry_changes_id_seq"]


async def traces(connection: asyncpg.Connection) -> tuple[Any, ...]:
    """Return everything that a validation could leave in the tables, and how far the ids are."""
    return (
        await connection.fetch("SELECT * FROM exchanges ORDER BY id"),
        await connection.fetch("SELECT * FROM exchange_history ORDER BY id"),
        await connection.fetch(
            "SELECT sequencename, last_value FROM pg_sequences WHERE sequencename <> ALL ($1) ORDER BY 1", _EXCEPT
        ),
        *[
            await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")
            for (table,) in await connection.fetch(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            )
        ],
    )


async def test_a_fresh_database_passes(database: Database) -> None:
    """Every check is made, passes, and is reported in order as soon as it is known."""
    heard: list[CheckResult] = []
    report = await validated(database, on_check=heard.append, lookups=100)
    assert failed(report) == {}
    assert report.passed
    assert [check.name for check in report.checks] == list(CHECKS)
    assert tuple(heard) == report.checks
    assert report.latency is not None
    assert (report.latency.lookups, len(report.latency.samples_ms)) == (100, 100)
    assert report.schema_version == sorted(migrations_directory().glob("*.sql"))[-1].name[:3]
    assert str(report.server_version) in detail(report, "table reachable")


@pytest.mark.usefixtures("default_url")
async def test_without_db_the_default_database_is_validated(dsn: Dsn) -> None:
    """Like every public function, it finds the database of DATABASE_URL."""
    report = await validate_exchanges(lookups=5, target_ms=1000)
    assert report.passed
    assert report.database_name == dsn.database


async def test_nothing_is_left_behind_and_no_id_is_used(database: Database, dsn: Dsn) -> None:
    """Rows, history and the sequence of ids are as before; the next exchange gets the next id."""
    async with connected(dsn) as connection:
        before = await traces(connection)
        assert (await validated(database)).passed
        assert await traces(connection) == before
    assert await insert_exchange(an_exchange(), db=database) == len(ExchangeEnum) + 1


async def test_validations_at_the_same_time_do_not_disturb_each_other(database: Database, dsn: Dsn) -> None:
    """Several at once take turns where they write, and all pass."""
    async with Database(dsn, Settings()) as other:
        reports = await asyncio.gather(*(validated(db) for db in (database, other, database, other)))
    assert [failed(report) for report in reports] == [{}] * 4


async def test_rows_with_negative_ids_are_left_alone(database: Database, dsn: Dsn) -> None:
    """Where somebody has used the ids that validation would take, it takes others."""
    await execute(
        dsn,
        "INSERT INTO exchanges (id, name, enum_value, display_name, market_type) OVERRIDING SYSTEM VALUE "
        "VALUES (-1, 'X', 'X', 'X', 'SPOT')",
    )
    assert failed(await validated(database)) == {}
    assert await get_exchange_by_id(-1, db=database) is not None


async def test_a_missing_enum_row_fails(database: Database, dsn: Dsn) -> None:
    """The member without a row is named, with the command that mends it; nothing else fails."""
    await execute(dsn, "DELETE FROM exchanges WHERE enum_value = 'GATEIO_SPOT'")
    wrong = failed(await validated(database))
    assert wrong == {"every enum value present": "no row for GATEIO_SPOT: run `exchanges-db populate`"}


async def test_an_empty_table_fails_only_for_its_missing_rows(database: Database, dsn: Dsn) -> None:
    """Without any row all the other checks can still be made."""
    await execute(dsn, "DELETE FROM exchanges")
    assert failed(await validated(database)).keys() == {"every enum value present"}


async def test_an_inactive_exchange_is_named_but_no_failure(database: Database) -> None:
    """Taking an exchange out of trading is a decision, not a defect."""
    await deactivate_exchange(1, db=database)
    report = await validated(database)
    assert report.passed
    assert detail(report, "every enum value present") == "3 of 3; inactive: MEXC_SPOT"


SYMBOLS = "symbol round trip"
SCHEMA, INDEXES, RULES, CRUD = "schema as recorded", "indexes used", "constraints refuse bad rows", "CRUD round trip"
DEFECTS = [
    ("DROP INDEX idx_exchanges_active", {SCHEMA, INDEXES}),
    ("DROP INDEX idx_exchanges_market_type", {SCHEMA, INDEXES}),
    ("DROP INDEX idx_symbols_symbol", {SCHEMA, INDEXES}),
    ("DROP INDEX idx_symbols_native_symbol", {SCHEMA, INDEXES}),
    ("ALTER TABLE exchanges DROP CONSTRAINT exchanges_pkey CASCADE", {SCHEMA, INDEXES, RULES, SYMBOLS}),
    ("ALTER TABLE exchanges DROP CONSTRAINT exchanges_enum_value_key", {SCHEMA, INDEXES, RULES}),
    ("ALTER TABLE exchanges DROP CONSTRAINT exchanges_name_key", {SCHEMA, RULES}),
    *(
        (f"ALTER TABLE exchanges DROP CONSTRAINT {bad.constraint}", {SCHEMA, RULES})
        for bad in probes.BAD_VALUES
        if bad.constraint
    ),
    ("ALTER TABLE exchanges ALTER is_active DROP NOT NULL", {SCHEMA, RULES}),
    ("ALTER TABLE exchanges DISABLE TRIGGER exchanges_stamp", {SCHEMA, CRUD}),
    ("ALTER TABLE exchanges DISABLE TRIGGER exchanges_record_change", {SCHEMA, CRUD}),
    ("ALTER TABLE exchanges ALTER id DROP IDENTITY", {SCHEMA, "ids left"}),
    ("ALTER SEQUENCE exchanges_id_seq RESTART 31500; SELECT nextval('exchanges_id_seq')", {"ids left"}),
]


@pytest.mark.parametrize(("change", "expected"), DEFECTS, ids=[change for change, _ in DEFECTS])
async def test_a_defect_fails_the_checks_that_are_about_it(
    database: Database, dsn: Dsn, change: str, expected: set[str]
) -> None:
    """Whatever is missing or switched off fails its checks and no other."""
    await execute(dsn, change)
    assert failed(await validated(database)).keys() == expected


async def test_a_rule_of_another_name_in_the_way_is_told_apart(database: Database, dsn: Dsn) -> None:
    """A constraint counts as effective only when it is the one that refused."""
    await execute(
        dsn,
        "ALTER TABLE exchanges DROP CONSTRAINT exchanges_precision_default_range",
        "ALTER TABLE exchanges ADD CONSTRAINT other CHECK (precision_default BETWEEN 0 AND 18)",
    )
    wrong = failed(await validated(database))
    assert wrong[RULES] == "precision_default = 19 was refused by other, not by exchanges_precision_default_range"


async def test_every_constraint_that_a_write_can_break_is_tried(conn: asyncpg.Connection) -> None:
    """All of exchanges' constraints, but the one that its trigger never lets a write reach."""
    names = await conn.fetch(
        "SELECT conname FROM pg_constraint WHERE conrelid = 'exchanges'::regclass AND contype IN ('c', 'u', 'p')"
    )
    tried = {bad.constraint for bad in probes.BAD_VALUES if bad.constraint} | set(probes.DUPLICATES.values())
    assert {name for (name,) in names} - tried == {"exchanges_version_positive"}


async def test_slow_look_ups_fail(database: Database) -> None:
    """A mean above the target is a failure, and the figures are in the report all the same."""
    report = await validated(database, target_ms=0.0001)
    assert failed(report).keys() == {"look-ups in time"}
    assert report.latency is not None
    assert f"mean {report.latency.mean_ms:.3f} ms" in detail(report, "look-ups in time")


async def test_a_busy_moment_does_not_fail_the_look_ups(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a deployment would stop at another program's work; the figures are those of the quickest round."""
    rounds = [latency_of([mean], target_ms=1) for mean in (3.0, 0.5)]

    async def time_lookups(*_: Any, **__: Any) -> Latency:
        return rounds.pop(0)

    monkeypatch.setattr(checks, "time_lookups", time_lookups)
    report = await validated(database)
    assert not failed(report)
    assert report.latency is not None
    assert (report.latency.mean_ms, rounds) == (0.5, [])


async def test_an_unmigrated_database_fails_with_what_to_do(empty_dsn: Dsn) -> None:
    """Every check that needs the table says so; nothing crashes."""
    async with Database(empty_dsn, Settings()) as database:
        report = await validated(database)
    wrong = failed(report)
    # What is set for server, database and roles needs no table.
    assert wrong.keys() == set(CHECKS) - NOT_ABOUT_TABLES
    assert wrong.pop(SCHEMA).startswith("missing: function account_fees_refuse()")
    assert all("run `exchanges-db migrate`" in found for found in wrong.values())
    assert report.latency is None
    assert report.schema_version is None


async def test_many_differences_are_cut_short(database: Database, dsn: Dsn) -> None:
    """Eight differences are named, and the others counted."""
    await execute(dsn, *(f"ALTER TABLE exchanges ADD COLUMN extra{number} text" for number in range(11)))
    assert failed(await validated(database))[SCHEMA].endswith("; and 3 more")


async def test_an_unreachable_server_is_asked_once(unused_tcp_port: int) -> None:
    """The first check says why; the others are reported as not made, without waiting each."""
    database = Database(parse_dsn(f"postgresql://somebody@localhost:{unused_tcp_port}/nowhere"), Settings())
    report = await validated(database)
    first, *others = report.checks
    assert "cannot connect" in first.detail
    assert {check.detail for check in others} == {"not made: no server that can be asked"}
    assert not report.passed
    assert report.server_version is None


async def test_a_role_that_may_only_read_fails_where_writing_is_tried(dsn: Dsn) -> None:
    """The checks that write fail with the error's text; the others pass."""
    async with as_role(dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO trader") as database:
        wrong = failed(await validated(database))
    assert wrong.keys() == WRITING
    assert all("lacks the right" in found for found in wrong.values())


async def test_a_quick_validation_writes_nothing_and_takes_under_a_second(stocked_dsn: Dsn) -> None:
    """As a role that may only read, where nothing can be written; it times nothing and counts no symbols."""
    async with as_role(stocked_dsn, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO trader") as database:
        settings = {**database._dsn.settings, "default_transaction_read_only": "on"}
        async with Database(replace(database._dsn, settings=settings), Settings()) as reading:
            report = await validated(reading, quick=True)
            again = [await validated(reading, quick=True) for _ in range(2)]
    assert failed(report) == {}
    assert [check.name for check in report.checks] == [name for name in CHECKS if name not in SLOW]
    assert (report.latency, report.symbols) == (None, None)
    # Measured 0.06 to 0.1 s; a machine may be held up by something else, but not three times.
    assert min(sum(check.seconds for check in one.checks) for one in (report, *again)) < 1


@pytest.fixture
def standby() -> Iterator[Dsn]:
    """A standby of a migrated server of its own, made by PostgreSQL's programs of the same version."""
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_standby_"))
    folder.chmod(0o755)  # as root, the servers run as a user who must come in
    primary = parse_dsn(embedded.start(folder / "primary"))
    assert run_dbmate(primary, "migrate").returncode == 0
    (host, port), *_ = primary.hosts
    owner = pwd.getpwuid(Path(host).stat().st_uid)
    other: dict[str, Any] = (
        {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    )
    place = folder / "standby"
    place.mkdir()
    os.chown(place, owner.pw_uid, owner.pw_gid)

    def call(program: str, *arguments: str) -> None:
        subprocess.run([str(binaries() / program), *arguments], check=True, capture_output=True, cwd=place, **other)

    connection = ["--host", host, "--port", str(port), "--username", str(primary.user)]
    call("pg_basebackup", "--pgdata", str(place / "data"), "--checkpoint=fast", "--write-recovery-conf", *connection)
    options = f"-c unix_socket_directories={place} -c listen_addresses="
    call("pg_ctl", "-D", str(place / "data"), "-o", options, "-l", str(place / "log"), "-w", "start")
    yield replace(primary, hosts=((str(place), port),))
    call("pg_ctl", "-D", str(place / "data"), "-m", "immediate", "-w", "stop")
    embedded.stop(folder / "primary")
    shutil.rmtree(folder, ignore_errors=True)


async def test_a_quick_validation_passes_on_a_standby(standby: Dsn) -> None:
    """A real one, which replays what the primary wrote."""
    async with Database(standby, Settings()) as database:
        report = await validated(database, quick=True)
    assert failed(report) == {}
    assert ", a standby;" in detail(report, "table reachable")


async def test_a_server_that_is_read_only_fails_where_writing_is_tried(dsn: Dsn) -> None:
    """On a standby the checks that write say so; the others pass."""
    async with Database(replace(dsn, settings={"default_transaction_read_only": "on"}), Settings()) as database:
        wrong = failed(await validated(database))
    assert wrong.keys() == WRITING
    assert all("read-only" in found for found in wrong.values())


async def test_a_row_that_no_exchange_can_be_is_reported(database: Database, dsn: Dsn) -> None:
    """Where a constraint was dropped and a bad row came in, the checks that read it fail; nothing crashes."""
    await execute(
        dsn,
        "ALTER TABLE exchanges DROP CONSTRAINT exchanges_market_type_known",
        "UPDATE exchanges SET market_type = 'spot' WHERE id = 1",
    )
    wrong = failed(await validated(database))
    assert {SCHEMA, "table reachable"} <= wrong.keys()
    assert "market_type" in wrong["table reachable"]


async def test_where_hardly_any_row_is_active_their_index_will_do(database: Database, dsn: Dsn) -> None:
    """The planner may then rightly prefer it for other look-ups; that is no defect."""
    await execute(
        dsn,
        "INSERT INTO exchanges (name, enum_value, display_name, market_type, is_active) "
        "SELECT n, n, n, (ARRAY['SPOT', 'FUTURES', 'OPTIONS'])[1 + n % 3], false FROM generate_series(1, 3000) AS n",
        "UPDATE exchanges SET is_active = false WHERE id > 1",
        "ANALYZE exchanges",
    )
    assert failed(await validated(database)) == {}


async def test_text_that_is_not_stored_as_given_is_noticed(database: Database, dsn: Dsn) -> None:
    """A value that the database changes on its way in fails."""
    await execute(
        dsn,
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.display_name := upper(NEW.display_name); RETURN NEW; END'",
        "CREATE TRIGGER shout BEFORE UPDATE ON exchanges FOR EACH ROW EXECUTE FUNCTION shout()",
    )
    wrong = failed(await validated(database))
    assert wrong.keys() == {SCHEMA, CRUD}
    assert wrong[CRUD] == "an update was not stored as it is"


async def test_a_row_that_cannot_be_read_back_is_noticed(database: Database, dsn: Dsn) -> None:
    """An insert whose row is not there afterwards fails."""
    await execute(
        dsn,
        "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN DELETE FROM public.exchanges WHERE id = NEW.id; RETURN NULL; END'",
        "CREATE TRIGGER lose AFTER INSERT ON exchanges FOR EACH ROW EXECUTE FUNCTION lose()",
    )
    assert failed(await validated(database))[CRUD] == "a row that was inserted is not found"


async def test_a_row_left_behind_is_noticed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the transaction were committed, the check would say so."""
    monkeypatch.setattr(Transaction, "discard", lambda _: None)
    with pytest.raises(checks.CheckFailed, match="the row was not rolled back"):
        await probes.check_crud(checks.Context(database, 1, 1.0, parse_ledger(None)))
    assert any(exchange.id == -1 for exchange in await get_all_exchanges(db=database))


@pytest.mark.parametrize(
    ("function", "hostile", "complaint"),
    [
        ("get_exchange_by_enum", probes.HOSTILE_VALUE, "looking up SQL finds an exchange"),
        ("update_exchange", {probes.HOSTILE_FIELD: "x"}, "SQL was accepted as the name of a field"),
    ],
)
async def test_an_answer_to_hostile_text_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch, function: str, hostile: Any, complaint: str
) -> None:
    """If a function took such text for more than a value, the check would fail."""
    genuine = getattr(probes, function)

    async def gullible(*arguments: Any, **keywords: Any) -> Any:
        return True if hostile in arguments else await genuine(*arguments, **keywords)

    monkeypatch.setattr(probes, function, gullible)
    assert failed(await validated(database)) == {CRUD: complaint}


async def test_an_update_that_overwrites_a_newer_version_is_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If if_version were ignored, the check would say so."""
    update = update_exchange

    async def careless(exchange_id: int, updates: Any, *, if_version: int | None = None, db: Any) -> bool:
        return await update(exchange_id, updates, db=db)

    monkeypatch.setattr(probes, "update_exchange", careless)
    assert failed(await validated(database))[CRUD] == "an update with an old if_version was not refused"


async def test_figures_that_do_not_fit_the_rows_are_noticed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the statistics miscounted, the check would name the figure."""
    figures = await get_exchange_stats(db=database)

    async def miscounted(**_: Any) -> Any:
        return {**figures, "spot_exchanges": 17}

    monkeypatch.setattr(checks, "get_exchange_stats", miscounted)
    assert failed(await validated(database)) == {"stats fit the rows": "spot_exchanges differ from the rows"}


@pytest.mark.parametrize("arguments", [{"lookups": 0}, {"lookups": True}, {"lookups": 1.5}, {"target_ms": 0.0}])
async def test_unusable_arguments_are_refused(database: Database, arguments: dict[str, Any]) -> None:
    """No look-ups, or a target that none can meet, are a mistake of the caller."""
    with pytest.raises(ConfigurationError, match="positive"):
        await validate_exchanges(db=database, **arguments)


@pytest.mark.parametrize(
    ("check", "table"),
    [
        (rows.check_rows_as_written, "exchange_history"),
        (rows.check_histories, "exchanges"),
        (rows.check_rows_fit, "symbols"),
    ],
    ids=["rows as written", "histories", "rows fit"],
)
async def test_a_table_that_is_rewritten_meanwhile_is_not_taken_for_rows_gone_past_the_triggers(
    stocked_dsn: Dsn, check: Callable[[checks.Context], Awaitable[str]], table: str
) -> None:
    """To whoever took its snapshot before ALTER TABLE was committed, and reads after, the table has no rows."""
    async with Database(stocked_dsn) as database, connected(stocked_dsn) as owner:
        context = checks.Context(database, lookups=1, target_ms=1000.0, ledger=parse_ledger(None))
        expected = await check(context)
        async with owner.transaction():
            await owner.execute(f"ALTER TABLE {table} ADD COLUMN mine UUID DEFAULT gen_random_uuid()")
            checking = asyncio.ensure_future(check(context))

            async def waits() -> bool:
                return bool(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

            await until(waits, what="the check waits for the table")
        assert await checking == expected
