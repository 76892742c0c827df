"""docs/operations.md is tried as it stands: its SQL and its commands are run, and what they leave is looked at.

The blocks are taken out of the document; only the names of roles and of databases are others.
"""

import asyncio
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from exchanges_db import Registry, RegistryState, SchemaMismatch
from exchanges_db.database.dsn import Dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.comparison import recorded_schema
from exchanges_db.schema.dbmate import dbmate_program
from exchanges_db.schema.rights import WRITES, Duty
from exchanges_db.validation.validate import CHECKS, SLOW
from tests.factories import connected
from tests.fix_server import ROOT, run_dbmate, url_of
from tests.integration.test_damage import PAST
from tests.registry_history import contents, loaded
from tests.role_logins import drop_roles, new_names, roles_on

TEXT = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
STATE = {
    # A validation records its probes, and rolls that back: two move on.
    "sequences": """
        SELECT sequencename, last_value FROM pg_sequences
        WHERE sequencename NOT IN ('exchange_history_id_seq', 'registry_changes_id_seq') ORDER BY 1
    """,
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2
    """,
    "foreign keys": """
        SELECT tgrelid::regclass::text, tgfoid::regproc::text, tgenabled, count(*)
        FROM pg_trigger WHERE tgisinternal GROUP BY 1, 2, 3 ORDER BY 1, 2
    """,
    "rights": """
        SELECT c.name, pg_get_userbyid(c.owner), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.acl) AS a)
        FROM (
            SELECT oid::regclass::text, relowner, relacl
            FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v', 'S')
            UNION ALL
            SELECT oid::regprocedure::text, proowner, proacl
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT 'what is created: ' || defaclobjtype::text, defaclrole, defaclacl FROM pg_default_acl
        ) AS c (name, owner, acl)
        ORDER BY 1, 2, 3
    """,
}


# The log of changes belongs to its database; where rows were put past the triggers, it is told that all has changed.
LOG = {"registry_changes", "registry_commit_order"}


def section(title: str) -> str:
    """Return the text below a heading, up to the next one of its rank."""
    return re.split(r"^## ", TEXT.split(f"\n## {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the rows of a table, without its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:2] == "| "][1:]


def shell(commands: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a block of commands as a deploy would, with PostgreSQL's programs, dbmate and ours in PATH."""
    path = os.pathsep.join(
        [str(binaries()), str(Path(sys.executable).parent), str(Path(dbmate_program()).parent), os.environ["PATH"]]
    )
    return subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def remember_a_past(dsn: Dsn) -> None:
    """Give a database rows in every table."""
    async with connected(dsn) as owner:
        for statement in PAST.strip().rstrip(";").split(";"):
            await owner.execute(statement)
        await owner.execute(
            "INSERT INTO symbol_doubts (symbol_id, brake, reason, since) VALUES (1, 'JUMP', 'w', now())"
        )
        await owner.execute(
            "INSERT INTO symbol_imports (exchange_id, exchange, outcome, began_at) VALUES (2, 'X', 'REFUSED', now())"
        )


async def content(dsn: Dsn) -> dict[str, list[str]]:
    """Return all rows of all tables, and how far the sequences are; which triggers fire when, and who may do what."""
    async with connected(dsn) as connection:
        tables = await connection.fetch(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        found = {
            table: [row[0] for row in await connection.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")]
            for (table,) in tables
        }
        assert found.keys() >= {item.object_name for item in recorded_schema() if item.kind == "table"}
        for what, query in STATE.items():
            found[what] = [str(tuple(row)) for row in await connection.fetch(query)]
    return found


async def change_and_see_it_recorded(dsn: Dsn) -> None:
    """Fail unless the triggers fire, also where a session says that it only replays changes."""
    async with connected(dsn) as owner:
        await owner.execute("SET session_replication_role = replica; UPDATE symbols SET min_quantity = 9 WHERE id = 1")
        assert await owner.fetchval("SELECT max(spec_version) FROM symbol_history WHERE symbol_id = 1") == 4


async def test_a_whole_backup_comes_back(server: Dsn, stocked_dsn: Dsn, tmp_path: Path) -> None:
    """Rows, histories, triggers, owners and rights, although a migration has built on what there was."""
    dump_and_restore, *_ = blocks(section("Backup and restore"), "sh")
    name = str(stocked_dsn.database)
    dump, restore = re.sub(r"\bexchanges(?=_before|_failed| RENAME|')", name, dump_and_restore).split("\n", 1)
    restore = restore.replace("exchanges-db validate", "exchanges-db validate --target-ms 1000")
    urls = {
        "DATABASE_URL": url_of(stocked_dsn),
        "ADMIN_DATABASE_URL": url_of(server),
        "BEFORE_DATABASE_URL": url_of(replace(stocked_dsn, database=f"{name}_before")),
    }
    await remember_a_past(stocked_dsn)
    async with roles_on(stocked_dsn):
        before = await content(stocked_dsn)
        assert {table for table in before if not before[table]} == {"registry_commit_order"}  # which has no columns
        result = shell(dump, tmp_path, **urls)
        assert result.returncode == 0, result.stderr
        async with connected(stocked_dsn) as owner:
            await owner.execute(
                "DELETE FROM symbols; DROP TABLE symbol_imports; UPDATE exchanges SET is_active = false;"
                "CREATE VIEW later_rows AS SELECT * FROM symbol_rows; CREATE TABLE later (id int)"
            )
        try:
            result = shell(restore, tmp_path, **urls)
            assert result.returncode == 0, result.stdout + result.stderr
            assert await content(stocked_dsn) == before
            await change_and_see_it_recorded(stocked_dsn)
        finally:
            async with connected(server) as superuser:
                for other in ("before", "failed"):
                    await superuser.execute(f"DROP DATABASE IF EXISTS {name}_{other} WITH (FORCE)")


async def test_a_backup_is_proven_by_a_restore_beside_it(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """The commands find it equal, and so it is; a value, trigger, right or sequence that differs is shown."""
    dump_and_restore, proof, _ = blocks(section("Backup and restore"), "sh")
    dump = dump_and_restore.split("\n", 1)[0]
    scratch = replace(stocked_dsn, database=f"{stocked_dsn.database}_scratch")
    urls = {"DATABASE_URL": url_of(stocked_dsn), "SCRATCH_DATABASE_URL": url_of(scratch)}
    proof = proof.replace("exchanges_scratch", str(scratch.database)).replace("validate", "validate --target-ms 1000")
    *proof_lines, drop = proof.splitlines()
    (dump_again,) = (line for line in proof_lines if line.startswith("pg_dump "))
    (diff,) = (line for line in proof_lines if line.startswith("diff "))
    await remember_a_past(stocked_dsn)
    async with roles_on(stocked_dsn) as logins:
        before = await content(stocked_dsn)
        try:
            result = shell("\n".join((dump, *proof_lines)), tmp_path, **urls)
            assert result.returncode == 0, result.stdout + result.stderr
            assert await content(scratch) == before
            changes = {
                "UPDATE exchanges SET display_name = 'not the same' WHERE id = 3": "not the same",
                "ALTER TABLE symbols ENABLE TRIGGER symbols_stamp": "ENABLE ALWAYS TRIGGER symbols_stamp",
                f"GRANT DELETE ON symbols TO {logins['app'].user}": f"TO {logins['app'].user}",
                "SELECT setval('symbol_imports_id_seq', 12345)": "12345",
            }
            async with connected(scratch) as superuser:
                await superuser.execute("; ".join(changes))
            result = shell(f"{dump_again}\n{diff}", tmp_path, **urls)
            assert result.returncode == 1
            assert [shown for shown in changes.values() if shown not in result.stdout] == []
        finally:
            assert shell(drop, tmp_path, **urls).returncode == 0


async def test_a_registry_takes_nothing_of_a_restore_that_goes_on(
    server: Dsn, stocked_dsn: Dsn, tmp_path: Path
) -> None:
    """The log comes before the symbols, and nobody is told of rows that come later."""
    held = Registry(stocked_dsn)
    async with held, connected(stocked_dsn) as owner:
        before = await loaded(stocked_dsn)
        await held.save(tmp_path / "saved")
        await owner.execute("UPDATE symbols SET min_quantity = 7 WHERE id = 1")
    there = replace(stocked_dsn, database=f"{stocked_dsn.database}_there")
    urls = {"DATABASE_URL": url_of(stocked_dsn), "THERE": url_of(there)}
    restore = "pg_restore --exit-on-error --dbname=$THERE"
    log = "--table=registry_changes --table=exchanges"
    async with connected(server) as superuser:
        await superuser.execute(f"CREATE DATABASE {there.database} TEMPLATE template0")
        try:
            result = shell(
                f"pg_dump --format=custom --file=dump $DATABASE_URL; {restore} --section=pre-data dump;"
                f"{restore} --data-only {log} dump",
                tmp_path, **urls,
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
            with pytest.raises(SchemaMismatch, match="a restore goes on"):
                await Registry(there).open()
            async with Registry.load_file(tmp_path / "saved", there) as registry:
                while registry.stats().losses < 2:
                    await asyncio.sleep(0.01)
                assert registry.state is RegistryState.STALE
                assert registry.snapshot == before
            result = shell(
                f"pg_restore --list dump | grep -v 'TABLE DATA public \\(registry_changes\\|exchanges\\) ' > rest;"
                f"{restore} --section=data --use-list=rest dump; {restore} --section=post-data dump",
                tmp_path, **urls,
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
            async with Registry.load_file(tmp_path / "saved", there) as registry:
                await registry.refresh()
                assert registry.stats().loads == 1  # its triggers are others than those under which the file was saved
                assert contents(registry.snapshot) == contents(await loaded(stocked_dsn)) != contents(before)
        finally:
            await superuser.execute(f"DROP DATABASE {there.database} WITH (FORCE)")


async def test_data_alone_comes_into_a_migrated_database(stocked_dsn: Dsn, dsn: Dsn, tmp_path: Path) -> None:
    """By the statements of the document, which leave no trigger out: validate passes, and changes are recorded."""
    text = section("Backup and restore")
    *_, commands = blocks(text, "sh")
    for block in blocks(text, "sql"):
        name = re.match(r"-- (\w+\.sql)\n", block)
        assert name is not None
        (tmp_path / name[1]).write_text(block)
    await remember_a_past(stocked_dsn)
    before = await content(stocked_dsn)
    result = shell(
        commands.replace("validate", "validate --target-ms 1000"),
        tmp_path,
        DATABASE_URL=url_of(stocked_dsn),
        NEW_DATABASE_URL=url_of(dsn),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    after = await content(dsn)
    # The migrated database has a ledger of its own, in which each migration was applied at another time.
    differing = {name for name in before if before[name] != after[name] and not name.endswith("_checksums")}
    assert differing == {"registry_changes", "sequences"}
    assert _without_the_log(before["sequences"]) == _without_the_log(after["sequences"])
    assert "EVERYTHING" in after["registry_changes"][-1]
    async with connected(dsn) as owner:
        assert await owner.fetchval("SELECT count(*) FROM registry_changes WHERE epoch IS NULL") == 0
    await change_and_see_it_recorded(dsn)


def _without_the_log(sequences: list[str]) -> list[str]:
    return [one for one in sequences if not one.startswith("('registry_")]


def test_the_statements_are_about_every_trigger_and_table() -> None:
    """A trigger or table that a migration adds fails here until the document has it."""
    before, after = blocks(section("Backup and restore"), "sql")
    recorded = recorded_schema()
    triggers = {(item.table_name, item.object_name) for item in recorded if item.kind == "trigger"}
    assert set(re.findall(r"^ALTER TABLE public\.(\w+) ENABLE ALWAYS TRIGGER (\w+);$", after, re.MULTILINE)) == triggers
    assert set(re.findall(r"public\.(\w+) DISABLE TRIGGER USER", before)) == {table for table, _ in triggers} - LOG
    emptied = re.search(r"TRUNCATE ([^;]*);", before)
    assert emptied is not None
    assert set(re.findall(r"public\.(\w+)", emptied[1])) == {i.object_name for i in recorded if i.kind == "table"} - LOG


LOST = rows(section("Rollback"))


async def test_each_rollback_loses_what_the_document_says(stocked_dsn: Dsn) -> None:
    """One after the other, on a database with rows in every table, down to nothing; and all can be applied again."""
    await remember_a_past(stocked_dsn)
    versions = sorted((file.name[:3] for file in (ROOT / "db/migrations").glob("*.sql")), reverse=True)
    assert [row[0] for row in LOST] == versions
    for version, what, gone in LOST:
        assert what
        names = re.findall(r"`(\w+)(?:\.(\w+))?`", gone)
        async with connected(stocked_dsn) as owner:
            assert [name for name in names if not await _is_there(owner, *name)] == []
        result = run_dbmate(stocked_dsn, "rollback")
        assert (result.returncode, f"Rolled back: {version}" in result.stdout) == (0, True), (
            result.stdout + result.stderr
        )
        async with connected(stocked_dsn) as owner:
            assert [name for name in names if await _is_there(owner, *name)] == []
    assert run_dbmate(stocked_dsn, "migrate").returncode == 0


async def _is_there(connection: asyncpg.Connection, table: str, column: str) -> bool:
    if not column:
        return bool(await connection.fetchval("SELECT to_regclass($1::text) IS NOT NULL", f"public.{table}"))
    found = "SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND attname = $2 AND attnum > 0"
    return bool(await connection.fetchval(found, f"public.{table}", column))


async def test_prune_does_what_the_document_says(stocked_dsn: Dsn, tmp_path: Path) -> None:
    """The commands of its section, with a time that has something before it."""
    await remember_a_past(stocked_dsn)
    (commands,) = blocks(section("Prune"), "sh")
    assert commands.count("2026-01-01T00:00:00Z") == 2
    async with connected(stocked_dsn) as owner:
        now = await owner.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    result = shell(commands.replace("2026-01-01T00:00:00Z", now), tmp_path, DATABASE_URL=url_of(stocked_dsn))
    assert result.returncode == 0, result.stderr
    would, did, *recorded = result.stdout.splitlines()
    assert would.removeprefix("would delete ") == did.removeprefix("deleted ") != ""
    assert any(line.startswith("symbol_history\t") for line in recorded)


async def test_the_roles_are_made_as_the_document_says(empty_dsn: Dsn, tmp_path: Path) -> None:
    """Its commands, on an empty database: printed, run, migrated by the deployer, run again, and checked as the app."""
    (commands,) = blocks(section("Roles"), "sh")
    names = new_names()
    shown = {
        "owner": "md_owner",
        "app": "md_app",
        "readonly": "md_reader",
        "deployer": "md_deployer",
    }
    for kind, name in shown.items():
        assert f"--{kind} {name}" in commands
        commands = commands.replace(name, names[kind])
    commands = commands.replace("--database md ", f"--database {empty_dsn.database} ")
    urls = {
        f"{kind.upper()}_DATABASE_URL": url_of(replace(empty_dsn, user=names[kind])) for kind in ("deployer", "app")
    }
    try:
        result = await asyncio.to_thread(shell, commands, tmp_path, ADMIN_DATABASE_URL=url_of(empty_dsn), **urls)
        assert result.returncode == 0, result.stdout + result.stderr
    finally:
        await drop_roles(empty_dsn, names)


def test_the_tables_of_roles_are_what_the_command_prints() -> None:
    """Each option, and each right that any of them has beside reading."""
    options, given = section("Roles").split("Beside that it may do")
    assert [row[0].strip("`-") for row in rows(options)] == [
        "owner", "deployer", "app", "importer", "keeper", "trader", "readonly",
    ]  # fmt: skip
    duties = (Duty.IMPORT, Duty.KEEP, Duty.TRADE)
    assert rows(given) == [
        [f"`{table}`", *(", ".join(decided.get(duty, ())) for duty in duties)]
        for table, decided in sorted(WRITES.items())
        if decided
    ]


def test_every_check_is_in_the_document() -> None:
    """With whether a quick validation makes it."""
    listed = {row[0]: row[2] == "yes" for row in rows(section("What validate looks at"))}
    assert listed == {name: name not in SLOW for name in CHECKS}


def test_the_ledger_can_be_split_with_all_our_versions() -> None:
    """A migration that is added is in the list of those to move."""
    moved = re.search(r"WHERE version IN \(([^)]*)\)", section("Deploy"))
    assert moved is not None
    versions = sorted(file.name[:3] for file in (ROOT / "db/migrations").glob("*.sql"))
    assert re.findall(r"'(\d+)'", moved[1]) == versions
    assert f"ours are {versions[0]} to {versions[-1]}." in section("Deploy")
