"""Writes db/schema.sql and db/schema.json from a freshly migrated database of the embedded server, for `make schema`.

Both files are records of the schema, for review and for checks; neither is ever edited by hand.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from exchanges_db import Database
from exchanges_db.database import embedded
from exchanges_db.database.dsn import parse_dsn
from exchanges_db.database.embedded_binaries import binaries
from exchanges_db.schema.comparison import describe_schema_json
from exchanges_db.schema.dbmate import dbmate_program

ROOT = Path(__file__).resolve().parents[1]


def write_schema(url: str, folder: Path) -> None:
    """Migrate the empty database of `url` with plain dbmate and write schema.sql and schema.json into `folder`."""
    dsn = parse_dsn(url)
    environment = {**os.environ, "DATABASE_URL": dsn.dbmate_url(), "PATH": f"{binaries()}:{os.environ['PATH']}"}
    subprocess.run(
        [
            dbmate_program(),
            *("--migrations-dir", str(ROOT / "db/migrations"), "--schema-file", str(folder / "schema.sql")),
            "up",
        ],
        env=environment,
        stdout=sys.stderr,
        check=True,
    )

    async def describe() -> bytes:
        async with Database(dsn) as database:
            return await describe_schema_json(db=database)

    (folder / "schema.json").write_bytes(asyncio.run(describe()))


def main() -> None:
    """Write both files into db/."""
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_schema_"))
    try:
        write_schema(embedded.start(folder), ROOT / "db")
        embedded.stop(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
