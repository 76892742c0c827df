"""Where the SQL files are: in an installed wheel inside the package, in a checkout in db/."""

from __future__ import annotations

import re
from pathlib import Path

# Lines of pg_dump that only some versions of psql or of the server know; the schema does not need them.
_OF_ONE_VERSION = re.compile(r"^(\\(un)?restrict .*|SET transaction_timeout = 0;)\n", re.MULTILINE)


def _db_directory() -> Path:
    package = Path(__file__).resolve().parents[1]
    installed = package / "db"
    return installed if installed.is_dir() else package.parents[1] / "db"


def migrations_directory() -> Path:
    """Return the folder of the migration files."""
    return _db_directory() / "migrations"


def bookkeeping_file() -> Path:
    """Return the file that makes the table of checksums, which is no part of the schema."""
    return _db_directory() / "bookkeeping.sql"


def schema_objects_file() -> Path:
    """Return the file with the schema of record, object by object."""
    return _db_directory() / "schema.json"


def schema_sql() -> str:
    """Return db/schema.sql in a form that any psql, any supported server and sqlc can read."""
    return _OF_ONE_VERSION.sub("", (_db_directory() / "schema.sql").read_text())
