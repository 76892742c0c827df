"""The habits of the SQL in db/: names, qualified tables, explicit columns, migrations that go both ways."""

import keyword
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.sqlc_json import queries_of_sql

DB = Path(__file__).resolve().parents[2] / "db"
QUERIES = sorted((DB / "queries").glob("*.sql"))
MIGRATIONS = sorted((DB / "migrations").glob("*.sql"))
# Its tables live wherever search_path leads first; its header says so, and so it is with bookkeeping.sql, which
# makes them.
UNQUALIFIED = frozenset({"migration_ledger.sql"})
VERBS = "Check|Count|Delete|Find|Forget|Get|Insert|List|Lock|Pin|Plan|Record|Release|Send|Set|Try|Update|Wait"
# What a statement trigger calls the rows it changed has no schema.
TRANSITION_TABLES = {
    name.lower() for file in MIGRATIONS for name in re.findall(r"\b(?:OLD|NEW) TABLE AS (\w+)", file.read_text())
}
SCHEMAS = ("public.", "pg_catalog.", "information_schema.")

Lint = Callable[[str], list[str]]


def code(sql: str) -> str:
    """Return `sql` without comments, with empty texts, and with single spaces."""
    # In one pass: a quote in a comment opens no text, and two dashes in a text open no comment.
    parts = re.compile(r"('(?:[^']|'')*')|--[^\n]*|/\*.*?\*/", re.DOTALL)
    return re.sub(r"\s+", " ", parts.sub(lambda match: "''" if match[1] else " ", sql))


def not_ascii(sql: str) -> list[str]:
    """Name the letters outside ASCII."""
    return re.findall(r"[^\x00-\x7f]", sql)


def star_columns(sql: str) -> list[str]:
    """Name the places where a statement returns whatever columns there are."""
    return re.findall(r"(?:\bSELECT|\bDISTINCT|\bALL|\bRETURNING|,) ?(?:\w+\.)*\*", code(sql), re.IGNORECASE)


def loose_stars(sql: str) -> list[str]:
    """Name the stars that are not the whole row of one table or view, at the end of what is selected."""
    return star_columns(re.sub(r"(\b(?:SELECT|RETURNING)|,) \w+\.\*(?= FROM|;)", r"\1 row", code(sql)))


def unanswered(sql: str) -> list[str]:
    """Name the queries under whose name no sentence says what they answer."""
    return re.findall(r"^-- name: (\w+) :\w+\n(?!-- [A-Z].*[.?]$)(?!-- [A-Z].*\n-- )", sql, re.MULTILINE)


def unqualified_tables(sql: str) -> list[str]:
    """Name the tables without public. before them, or the system's schema; functions and CTEs are no tables."""
    text = code(sql)
    known = {name.lower() for name in re.findall(r"(\w+) AS (?:NOT )?(?:MATERIALIZED )?\(", text)}
    named = re.findall(
        r"(?:\b(?<!DISTINCT )FROM|\bJOIN) (?:ONLY |LATERAL )?+([\w.]+)\b(?! ?\()"
        r"|\b(?:INTO|(?<!DO )(?<!FOR )(?<!KEY )UPDATE|TABLE)(?: IF(?: NOT)? EXISTS)?(?: ONLY)? ([\w.]+)",
        _without_plpgsql_into(text),
        re.IGNORECASE,
    )
    known |= TRANSITION_TABLES
    words = {"public", "set", "on", "or", "of", "as"}
    tables = [one or other for one, other in named]
    return [table for table in tables if not table.startswith(SCHEMAS) and table.lower() not in known | words]


def _without_plpgsql_into(text: str) -> str:
    return re.sub(r"(?<!INSERT)(?<!MERGE) INTO \w+", "", text, flags=re.IGNORECASE)


def what_the_plugin_lacks(sql: str) -> list[str]:
    """Name the features that sqlc has and the Python plugin has not."""
    return re.findall(r"sqlc\.embed|:copyfrom|:batch\w+", sql)


def query_names(sql: str) -> list[str]:
    """Name the queries that are not called a verb and a noun in CamelCase."""
    names = re.findall(r"^\s*--\s*name:\s*(\S+)", sql, re.MULTILINE)
    good = re.compile(rf"(?:{VERBS})(?:[A-Z][a-z0-9]*)+")
    return [name for name in names if not good.fullmatch(name)]


def unnamed_constraints(sql: str) -> list[str]:
    """Name the constraints and indexes that PostgreSQL would have to find a name for."""
    text = code(re.sub(r"\$(\w*)\$.*?\$\1\$", "", sql, flags=re.DOTALL))
    text = re.sub(
        r"CONSTRAINT \w+ (?:FOREIGN KEY ?\([^)]*\) REFERENCES|PRIMARY KEY|UNIQUE|CHECK|EXCLUDE|REFERENCES)", "", text
    )
    text = re.sub(r"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(?!ON )\w+", "", text)
    return re.findall(r"PRIMARY KEY|UNIQUE|\bCHECK\b|EXCLUDE|REFERENCES|CREATE INDEX", text)


def missing_directions(sql: str) -> list[str]:
    """Name the direction, up or down, that a migration lacks or leaves empty."""
    parts = re.split(r"^-- migrate:(up|down)\b(.*)$", sql, flags=re.MULTILINE)
    if parts[1::3] != ["up", "down"]:
        return [f"sections: {parts[1::3]}"]
    # A file that commits in between has to be one statement: its down part may be without one.
    whole = [
        direction for direction, options in zip(parts[1::3], parts[2::3], strict=True) if "transaction:false" in options
    ]
    may_be_empty = {"down"} if whole == ["up", "down"] else set()
    found = dict(zip(parts[1::3], parts[3::3], strict=True))
    return [one for one, body in found.items() if one not in may_be_empty and not code(body).strip()]


QUERY_LINTS: tuple[Lint, ...] = (
    not_ascii,
    loose_stars,
    unanswered,
    unqualified_tables,
    what_the_plugin_lacks,
    query_names,
)
MIGRATION_LINTS: tuple[Lint, ...] = (
    not_ascii,
    star_columns,
    unqualified_tables,
    unnamed_constraints,
    missing_directions,
)


def _name(value: object) -> str:
    return value.name if isinstance(value, Path) else getattr(value, "__name__", str(value))


@pytest.mark.parametrize("path", QUERIES, ids=_name)
@pytest.mark.parametrize("lint", QUERY_LINTS, ids=_name)
def test_queries_keep_the_habits(path: Path, lint: Lint) -> None:
    """A query file has nothing that a lint names."""
    if lint is unqualified_tables and path.name in UNQUALIFIED:
        return
    assert not lint(path.read_text())


@pytest.mark.parametrize("path", MIGRATIONS, ids=_name)
@pytest.mark.parametrize("lint", MIGRATION_LINTS, ids=_name)
def test_migrations_keep_the_habits(path: Path, lint: Lint) -> None:
    """A migration has nothing that a lint names."""
    assert not lint(path.read_text())


def test_what_is_sent_names_each_column() -> None:
    """Sqlc writes out the stars of the query files, so that a column that is added later changes no answer."""
    queries = queries_of_sql(DB.parent)
    assert queries
    assert not [query.name for query in queries if star_columns(query.text)]


def test_query_files_are_python_modules() -> None:
    """A query file's name becomes a module beside models.py: lower_snake, no keyword, not `models`."""
    assert QUERIES
    for path in QUERIES:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", path.stem)
        assert not keyword.iskeyword(path.stem)
        assert path.stem != "models"


def test_migration_files_are_numbered() -> None:
    """A migration's name is its number, which nothing else has, and lower_snake."""
    assert MIGRATIONS
    assert all(re.fullmatch(r"[0-9]{3}_[a-z0-9_]+", path.stem) for path in MIGRATIONS)
    assert len({path.stem[:3] for path in MIGRATIONS}) == len(MIGRATIONS)


def test_what_may_be_unqualified_says_why() -> None:
    """The query file that need not write `public.` gives its reason before its first query."""
    header = (DB / "queries/migration_ledger.sql").read_text().partition("-- name:")[0]
    assert "Unqualified on purpose" in header
    assert "search_path" in header


def test_bookkeeping_is_ascii_and_has_a_header() -> None:
    """The file beside the migrations is ASCII, too, and begins by saying what it is for."""
    text = (DB / "bookkeeping.sql").read_text()
    assert text.startswith("-- ")
    assert not not_ascii(text)


@pytest.mark.parametrize(
    ("lint", "sql"),
    [
        (not_ascii, "-- na\u00efve"),
        (star_columns, "SELECT * FROM public.a"),
        (star_columns, "SELECT a.id,\n  b.* FROM public.a"),
        (star_columns, "DELETE FROM public.a RETURNING *"),
        (loose_stars, "SELECT * FROM public.a"),
        (loose_stars, "SELECT a.*, b.id FROM public.a"),
        (loose_stars, "SELECT a.*, a.id FROM public.a"),
        (loose_stars, "SELECT DISTINCT a.* FROM public.a"),
        (unanswered, "-- name: GetOne :one\nSELECT 1;"),
        (unanswered, "-- name: GetOne :one\n-- one\nSELECT 1;"),
        (unanswered, "-- name: GetOne :one\n\n-- Which is one?\nSELECT 1;"),
        (unqualified_tables, "SELECT id FROM exchanges"),
        (unqualified_tables, "SELECT id FROM public.a JOIN\nb ON true"),
        (unqualified_tables, "INSERT INTO exchanges (id) VALUES (1)"),
        (unqualified_tables, "UPDATE exchanges SET id = 1"),
        (unqualified_tables, "DELETE FROM other.exchanges"),
        (unqualified_tables, "CREATE TABLE IF NOT EXISTS exchanges (id INT)"),
        (what_the_plugin_lacks, "SELECT sqlc.embed(a) FROM public.a"),
        (what_the_plugin_lacks, "-- name: InsertAll :copyfrom"),
        (query_names, "-- name: get_exchange :one"),
        (query_names, "-- name: ExchangeById :one"),
        (query_names, "-- name: Get :one"),
        (unnamed_constraints, "CREATE TABLE public.a (id INT PRIMARY KEY)"),
        (unnamed_constraints, "CREATE TABLE public.a (id INT, UNIQUE (id))"),
        (unnamed_constraints, "ALTER TABLE public.a ADD CHECK (id > 0)"),
        (unnamed_constraints, "CREATE TABLE public.a (id INT REFERENCES public.b)"),
        (unnamed_constraints, "CREATE INDEX ON public.a (id)"),
        (unnamed_constraints, "CREATE UNIQUE INDEX ON public.a (id)"),
        (missing_directions, "-- migrate:up\nSELECT 1;\n"),
        (missing_directions, "-- migrate:up\nSELECT 1;\n-- migrate:down\n-- nothing\n"),
        (missing_directions, "-- migrate:up\n-- migrate:down\nSELECT 1;\n"),
        (missing_directions, "-- migrate:up transaction:false\nSELECT 1;\n-- migrate:down\n-- nothing\n"),
        (missing_directions, "-- migrate:up transaction:false\n-- migrate:down transaction:false\nSELECT 1;\n"),
    ],
)
def test_a_lint_can_fail(lint: Lint, sql: str) -> None:
    """Each lint names what is wrong in a bad sample."""
    assert lint(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "-- name: GetA :one\n-- Which a is there?\nSELECT a.* FROM public.a; DELETE FROM public.a RETURNING a.*;",
        "SELECT count(*), 2 * 3 FROM public.a WHERE a IS DISTINCT FROM b",
        "WITH x AS (SELECT 1) SELECT one FROM x JOIN LATERAL unnest(array[1]) AS one ON true FOR UPDATE",
        "SELECT '-- FROM a', 'it''s * FROM b' FROM (SELECT 1) AS c -- FROM d, it's",
        "INSERT INTO public.a (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 2",
        "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON public.a; REVOKE ALL ON FUNCTION public.f() FROM PUBLIC",
        "CREATE TABLE public.a (id INT, CONSTRAINT a_fkey FOREIGN KEY (id) REFERENCES public.b (id))",
    ],
)
def test_good_sql_passes(sql: str) -> None:
    """No lint takes a text, a comment, a function or a CTE for a table, or a product for columns."""
    assert not [lint(sql) for lint in (loose_stars, unanswered, unqualified_tables, unnamed_constraints) if lint(sql)]
