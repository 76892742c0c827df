"""Where the SQL of record lies: in an installed wheel beside this module, in a checkout under db/."""

from __future__ import annotations

import re
from pathlib import Path

# What pg_dump writes for one version of psql or of the server: others stop at it, and the schema does not need it.
_OF_ONE_VERSION = re.compile(r"^(\\(un)?restrict .*|SET transaction_timeout = 0;)\n", re.MULTILINE)


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


def schema_sql() -> str:
    """Return db/schema.sql as any psql, any supported server and sqlc can read it."""
    return _OF_ONE_VERSION.sub("", (_db_directory() / "schema.sql").read_text())
