"""Where the SQL of record lies: in an installed wheel beside this module, in a checkout under db/."""

from __future__ import annotations

from pathlib import Path


def _db_directory() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "db"
    return installed if installed.is_dir() else package.parents[1] / "db"


def migrations_directory() -> Path:
    """Return the folder of the migration files."""
    return _db_directory() / "migrations"


def bookkeeping_file() -> Path:
    """Return the file that makes the tables our tools keep beside the schema."""
    return _db_directory() / "bookkeeping.sql"


def schema_objects_file() -> Path:
    """Return the schema of record, object by object."""
    return _db_directory() / "schema.json"
