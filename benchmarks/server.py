"""The server of a run: that of DATABASE_URL, which is only read, else an embedded one that ends with the run.

Sets DATABASE_URL for the run, because that is where the default database looks. Client and embedded server get a
processor each: left to itself, the system lets some connections share the client's, by chance and for the whole
run, and such a connection answers in less than half the time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exchanges_db.database import embedded
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.settings import database_url
from exchanges_db.schema.dbmate import dbmate_program

MIGRATIONS = Path(__file__).resolve().parents[1] / "db/migrations"


@contextmanager
def running_server() -> Iterator[Dsn]:
    """Give the database to measure on; every contender gets the first host of its URL."""
    url = database_url()
    if url is not None:
        yield parse_dsn(url).one_host(0)
        return
    with own_server() as (url, data):
        os.environ["DATABASE_URL"] = url
        dsn = parse_dsn(url)
        try:
            migrate(dsn)
            separate(data)
            yield dsn
        finally:
            os.environ.pop("DATABASE_URL", None)


@contextmanager
def own_server() -> Iterator[tuple[str, Path]]:
    """Give the URL and the data folder of an embedded server, without our tables; both end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="exchanges_db_benchmark_"))
    try:
        yield embedded.start(folder), folder
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def postmaster_of(data: Path) -> int:
    """Return the process of the server whose data folder this is."""
    return int((data / "postmaster.pid").read_text().split()[0])


def separate(data: Path) -> None:
    """Give this process one processor, and the server whose data folder it is another, where there are two."""
    processors = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
    if len(processors) > 1:
        # What the postmaster starts from now on, the connections' processes, inherits its processor.
        os.sched_setaffinity(postmaster_of(data), processors[1:2])
        os.sched_setaffinity(0, processors[:1])


def migrate(dsn: Dsn, files: Path = MIGRATIONS, **settings: str) -> None:
    """Make our tables on the database of `dsn`, which is made as well; or what other files make.

    settings: variables of dbmate.
    """
    subprocess.run(  # noqa: S603  # dbmate, on a database of our own
        [dbmate_program(), "--env-file", os.devnull, "--no-dump-schema", "--migrations-dir", str(files), "up"],
        env={**os.environ, "DATABASE_URL": dsn.dbmate_url(), **settings},
        stdout=subprocess.DEVNULL,
        check=True,
    )
