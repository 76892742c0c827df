"""docs/integrate.md keeps its promises: every file in it runs, beside the real packages (`make integrate`)."""

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy.ext.asyncio import create_async_engine

from exchanges_db import Database, import_symbols, list_symbols
from exchanges_db.database.dsn import Dsn
from tests.fix_server import ROOT, url_of

DOCUMENT = (ROOT / "docs/integrate.md").read_text()
FILES = {
    name: (section, text)
    for section, body in re.findall(r"^## (.+?)$(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    for text, name in re.findall(r"```\w+\n((?:#|--) ([\w.]+)\n.*?)```", body, re.DOTALL)
}
SAMPLE = ROOT / "examples/sample/gateio_spot_today.json"


@pytest.fixture
async def project(dsn: Dsn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the document, and a database with the sample's symbols."""
    for name, (_, text) in FILES.items():
        (tmp_path / name).write_text(text)
    async with Database(dsn) as database:
        await import_symbols("GATEIO_SPOT", SAMPLE.read_bytes(), db=database)
    monkeypatch.setenv("DATABASE_URL", url_of(dsn))
    monkeypatch.setenv("SQLALCHEMY_URL", _sqlalchemy_url(dsn))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)
    return tmp_path


def _sqlalchemy_url(dsn: Dsn) -> str:
    """The same address as SQLAlchemy writes it; a socket's folder is `?host=`."""
    return url_of(dsn).replace("postgresql://", "postgresql+asyncpg://", 1).replace("sslmode=disable", "ssl=disable")


def run(project: Path, *command: str) -> str:
    """What a program prints in the folder of the document's files."""
    result = subprocess.run(command, cwd=project, env=os.environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_every_section_has_a_file() -> None:
    """Otherwise a way of the document would go untested."""
    sections = set(re.findall(r"^## (.+)$", DOCUMENT, re.MULTILINE))
    assert {section for section, _ in FILES.values()} == sections


def test_every_file_passes_mypy_strict(project: Path) -> None:
    """What a reader copies does not fail in their editor."""
    files = sorted(project.glob("*.py"))
    assert len(files) >= 8
    config = str(ROOT / "pyproject.toml")
    command = (sys.executable, "-m", "mypy", "--config-file", config, "--strict", "--no-error-summary")
    result = subprocess.run([*command, *map(str, files)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout + result.stderr == ""


async def test_fastapi_answers_with_our_structs(project: Path) -> None:
    """Exact numbers as text, and the fields in the OpenAPI document."""
    import app  # type: ignore[import-not-found]  # of the document

    with TestClient(app.app) as client:
        pepe = client.get("/symbols/GATEIO_SPOT/PEPE/USDT").json()
        assert Decimal(pepe["price_tick"]) == Decimal("0.0000000001")
        assert pepe["native_symbol"] == "PEPE_USDT"
        assert client.get("/symbols/GATEIO_SPOT/NO/USDT").status_code == 404
        assert len(client.get("/symbols/GATEIO_SPOT").json()) == len(await list_symbols("GATEIO_SPOT"))
        document = client.get("/openapi.json").json()
    properties = document["components"]["schemas"]["Symbol"]["properties"]
    assert {"native_symbol", "price_tick", "expires_at"} <= set(properties)
    answer = document["paths"]["/symbols/{exchange}"]["get"]["responses"]["200"]["content"]["application/json"]
    assert answer["schema"]["items"]["$ref"] == "#/components/schemas/Symbol"


async def test_frames_are_exact(project: Path) -> None:
    """No number goes through a float."""
    import frames  # type: ignore[import-not-found]  # of the document

    symbols = await list_symbols()
    assert symbols
    polars, pandas = frames.polars_frame(symbols), frames.pandas_frame(symbols)
    for number in frames.NUMBERS:
        exact = [getattr(symbol, number) for symbol in symbols]
        assert polars[number].to_list() == exact
        assert [None if value is None else Decimal(value) for value in pandas[number]] == exact
    assert "GATEIO_SPOT" in run(project, sys.executable, "frames.py")


async def test_a_session_and_our_calls_share_a_transaction(project: Path, dsn: Dsn) -> None:
    """What the document prints was seen inside and is gone after the rollback."""
    assert run(project, sys.executable, "shared_transaction.py") == "within the transaction: 7\n"
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    assert await connection.fetchval("SELECT count(*) FROM exchanges WHERE rate_limit_requests_per_second = 7") == 0
    await connection.close()


# While the user has no table yet, Alembic reads the columns of all tables; the document says so.
@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
async def test_autogenerate_leaves_our_tables_alone(project: Path, dsn: Dsn) -> None:
    """It finds the user's new table and nothing else; without the filter it would drop ours."""
    import include  # type: ignore[import-not-found]  # of the document
    import models  # type: ignore[import-not-found]  # of the document

    async def differences(**options: Any) -> list[Any]:
        def compare(connection: Any) -> list[Any]:
            found: list[Any] = compare_metadata(MigrationContext.configure(connection, opts=options), models.metadata)
            return found

        engine = create_async_engine(os.environ["SQLALCHEMY_URL"])
        async with engine.connect() as connection:
            found: list[Any] = await connection.run_sync(compare)
        await engine.dispose()
        return found

    filtered = await differences(include_name=include.not_ours, include_object=include.not_our_object)
    assert [(kind, table.name) for kind, table in filtered] == [("add_table", "positions")]
    unfiltered = {item[1].name for item in await differences() if item[0] == "remove_table"}
    assert unfiltered <= include.OURS
    connection = await asyncpg.connect(**dsn.asyncpg_arguments())
    tables = {
        row["tablename"]
        for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    await connection.close()
    assert tables <= include.OURS


def test_the_generated_queriers_run(project: Path) -> None:
    """On a genuine SQLAlchemy connection."""
    assert "GATEIO_SPOT" in run(project, sys.executable, "generated.py")


def test_a_sqlc_project_compiles_against_our_schema(project: Path) -> None:
    """And a query on a column that is not ours does not."""
    (project / "exchanges_db.sql").write_text(run(project, "exchanges-db", "schema"))
    run(project, "sqlc", "compile")
    queries = project / "queries.sql"
    queries.write_text(queries.read_text().replace("s.price_tick", "s.no_such_column"))
    result = subprocess.run(["sqlc", "compile"], cwd=project, capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "no_such_column" in result.stderr


async def test_the_printed_schema_makes_the_tables(project: Path, empty_dsn: Dsn) -> None:
    """All at one go, as a container's first start runs it."""
    connection = await asyncpg.connect(**empty_dsn.asyncpg_arguments())
    await connection.execute(run(project, "exchanges-db", "schema"))
    assert await connection.fetchval("SELECT count(*) FROM public.symbols") == 0
    await connection.close()


def test_the_pytest_fixtures_work(project: Path) -> None:
    """Two tests on one database, each rolled back."""
    assert "2 passed" in run(project, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py")
