"""What a migration file makes, read from its text."""

from pathlib import Path

import pytest

from exchanges_db.schema.migration_files import Part, Run, read_files


def made(folder: Path, *texts: str) -> list[set[str]]:
    """Return what each of these up parts makes, in files 1, 2, ..."""
    for number, text in enumerate(texts, 1):
        (folder / f"{number}_file.sql").write_text(
            f"-- CREATE TABLE head (\n-- migrate:up\n{text}\n-- migrate:down\nCREATE TABLE down (id int);\n"
        )
    return [set(read_files(folder)[str(number)].makes) for number in range(1, len(texts) + 1)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CREATE TABLE IF NOT EXISTS public.a (id int, CONSTRAINT a_pkey PRIMARY KEY (id))", {"a", "a_pkey"}),
        ("create table a (constraint a_check check (id > 0))", {"a", "a_check"}),
        ("ALTER TABLE public.a ADD CONSTRAINT x CHECK (id > 0),\n    ADD CONSTRAINT y UNIQUE (id)", {"x", "y"}),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON public.a (id); CREATE INDEX ON a (id)", {"i"}),
        ("CREATE OR REPLACE FUNCTION public.f() RETURNS trigger AS $$ CREATE TABLE no (id int); $$", {"f"}),
        ("CREATE VIEW public.v AS SELECT 1; CREATE MATERIALIZED VIEW m AS SELECT 'CREATE TABLE no ('", {"v", "m"}),
        ("CREATE CONSTRAINT TRIGGER t AFTER INSERT ON a; CREATE TRIGGER u BEFORE UPDATE ON a", {"t", "u"}),
        ("-- CREATE TABLE no (\n/* CREATE TABLE no ( */ CREATE TABLE other.no (id int)", set()),
        ("ALTER TABLE a DROP CONSTRAINT x; ALTER TABLE a VALIDATE CONSTRAINT y; SELECT 1", set()),
    ],
)
def test_what_is_made_is_named(tmp_path: Path, text: str, names: set[str]) -> None:
    """Tables, views, indexes, functions, triggers, constraints; nothing out of bodies, texts or comments."""
    assert made(tmp_path, text) == [names]


def test_what_a_later_file_drops_is_no_mark(tmp_path: Path) -> None:
    """Else every database would seem to lack what a later migration of ours took away."""
    first = "CREATE TABLE a (CONSTRAINT x CHECK (true), CONSTRAINT y CHECK (true)); CREATE INDEX i ON a (id)"
    second = "ALTER TABLE a DROP CONSTRAINT x; DROP INDEX IF EXISTS public.i; CREATE TABLE b (id int)"
    assert made(tmp_path, first, second) == [{"a", "y"}, {"b"}]


def test_what_is_renamed_counts_by_its_new_name(tmp_path: Path) -> None:
    """A table that is prepared beside another one, and then takes its place, is not looked for by its first name."""
    first = (
        "CREATE TABLE a (id int); CREATE TABLE b (id int, CONSTRAINT b_check CHECK (true)); CREATE INDEX i ON b (id)"
    )
    second = (
        "ALTER TABLE public.b RENAME CONSTRAINT b_check TO c_check; ALTER INDEX public.i RENAME TO j; "
        "ALTER TABLE b RENAME TO c"
    )
    assert made(tmp_path, first, second) == [{"a"}, {"c_check", "j", "c"}]


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("CREATE INDEX CONCURRENTLY i ON a (id);", Part(Run.FREE, "i")),
        ("-- why\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS public.i ON a (id)", Part(Run.FREE, "i")),
        ("DROP INDEX CONCURRENTLY i;", Part(Run.FREE)),
        ("REINDEX INDEX CONCURRENTLY i;", Part(Run.FREE)),
        ("VACUUM a;", Part(Run.FREE)),
        ("CALL f();", Part(Run.FREE, commits=True)),
        ("-- exchanges_db: may be run again, and so on.\nCALL f();", Part(Run.FREE, None, True, True)),
        ("SELECT 1; DO $$ BEGIN COMMIT; END $$;", Part(Run.FREE, commits=True)),
        ("UPDATE a SET id = 1; COMMIT; UPDATE a SET id = 2;", Part(Run.FREE, commits=True)),
        ("begin; SELECT 1; end;", Part(Run.FREE, commits=True)),
        ("SELECT 1; SELECT 'COMMIT; CALL'; -- ; COMMIT", Part(Run.ONE_MESSAGE)),
        ("ALTER TYPE t ADD VALUE 'x';", Part(Run.ONE_MESSAGE)),
        ("CREATE FUNCTION f() RETURNS void AS $$ BEGIN COMMIT; END $$ LANGUAGE plpgsql;", Part(Run.ONE_MESSAGE)),
    ],
)
def test_what_may_end_half_done_is_told_from_what_is_one_transaction(tmp_path: Path, sql: str, part: Part) -> None:
    """PostgreSQL makes one transaction of a message, unless something in it ends transactions, or may not be in one."""
    head = "-- migrate:up transaction:false"
    (tmp_path / "1_file.sql").write_text(f"{head}\n{sql}\n-- migrate:down\nSELECT 1;\n")
    file = read_files(tmp_path)["1"]
    assert (file.up, file.down) == (part, Part(Run.TRANSACTION))
    assert file.as_one_transaction() == file.content.replace(b"transaction:false", b"")


def test_the_indexes_of_a_table_that_is_dropped_go_with_it(tmp_path: Path) -> None:
    """A file that made them has made nothing of that any more; those of the table in its place are there."""
    (tmp_path / "001_first.sql").write_text(
        "-- migrate:up\nCREATE TABLE kept (id int);\n"
        "CREATE TABLE old (id int);\nCREATE INDEX old_idx ON public.old (id);\n"
    )
    (tmp_path / "002_second.sql").write_text(
        "-- migrate:up\nDROP TABLE public.old;\nCREATE TABLE old (id int);\nCREATE INDEX new_idx ON public.old (id);\n"
    )
    files = read_files(tmp_path)
    assert files["001"].makes == {"kept"}
    assert "new_idx" in files["002"].makes
