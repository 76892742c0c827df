"""A password shows up nowhere: in no error with the local variables of its frames, no log, no repr, no command line."""

import asyncio
import codecs
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from functools import partial
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import pytest
import rich.console
import rich.traceback

from exchanges_db import (
    AccessDenied,
    Database,
    ExchangesDBError,
    InvalidArgument,
    Registry,
    Settings,
    default_database,
    get_all_exchanges,
)
from exchanges_db.cli import session as cli_session
from exchanges_db.database.dsn import Dsn, parse_dsn
from exchanges_db.database.hosts import connect
from exchanges_db.database.secret import Secret
from exchanges_db.database.settings import load_dsn, load_settings
from exchanges_db.registry.file import read_snapshot, write_snapshot
from exchanges_db.schema.migrations import migrate
from tests.certificates import Certificates
from tests.snapshots import NOW, a_snapshot
from tests.stub_server import Stub, serving

# Not to be read in this source, whose lines tracebacks show, too.
CANARY = codecs.decode("xnanev", "rot13")
PASSWORD = f"{CANARY}@/#?:%[ '\"\\+&{CANARY}"
QUOTED = quote(PASSWORD, safe="")
LIMITS = Settings(connect_timeout=0.3, acquire_timeout=0.6, command_timeout=1, pool_min=0, pool_max=1)


def rendered_by_rich(exc: BaseException) -> str:
    out = StringIO()
    trace = rich.traceback.Traceback.from_exception(
        type(exc), exc, exc.__traceback__, show_locals=True, locals_max_length=1000, locals_max_string=10_000,
        locals_hide_dunder=False,
    )  # fmt: skip
    rich.console.Console(file=out, width=300).print(trace)
    return out.getvalue()


def rendered_by_traceback(exc: BaseException) -> str:
    return "".join(traceback.TracebackException.from_exception(exc, capture_locals=True).format())


def chain(exc: BaseException) -> Iterator[BaseException]:
    left: list[BaseException | None] = [exc]
    seen: list[BaseException] = []
    while left:
        one = left.pop()
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def walked_by_hand(exc: BaseException) -> str:
    """As cgitb and Sentry do: every local of every frame of every error, and the attributes of those."""
    shown = []
    for one in chain(exc):
        shown += [str(one), repr(one), repr(one.args), repr(vars(one))]
        trace: TracebackType | None = one.__traceback__
        while trace is not None:
            for name, value in trace.tb_frame.f_locals.items():
                shown.append(f"{name}={value!r}")
                shown += [f"{name}.{attribute}={held!r}" for attribute, held in getattr(value, "__dict__", {}).items()]
            trace = trace.tb_next
    return "\n".join(shown)


def leaks(exc: BaseException, *, by_rich: bool = True) -> list[str]:
    """Which of the ways to print an error show the password; rich takes its time."""
    ways: list[Callable[[BaseException], str]] = [rendered_by_traceback, walked_by_hand]
    ways += [rendered_by_rich] if by_rich else []
    return [way.__name__ for way in ways if CANARY in way(exc)]


async def failure(attempt: Callable[..., Awaitable[object]], *arguments: Any) -> ExchangesDBError:
    """The error of an attempt, whose traceback begins here: a test's own frame holds what it has set up."""
    try:
        await attempt(*arguments)
    except ExchangesDBError as exc:
        return exc
    raise AssertionError("it succeeded")


def failure_of(attempt: Callable[..., object], *arguments: Any) -> ExchangesDBError:
    """The same for what is not awaited."""
    try:
        attempt(*arguments)
    except ExchangesDBError as exc:
        return exc
    raise AssertionError("it succeeded")


BY_RICH = ("wrong-password", "untrusted", "raw-password")  # it takes half a second for each


class Places:
    """Where each way to fail leads to; looked up, so that no test's own frame holds a URL."""

    urls: dict[str, str] = {}  # noqa: RUF012 - filled by the fixture


WAYS = ("wrong-password", "refused-port", "unknown-host", "silent", "untrusted", "no-tls", "breaks-off",
        "bad-parameter", "no-such-database", "missing-file", "dropped-demand", "raw-password", "bad-port",
        "bytes-that-are-no-text", "no-service")  # fmt: skip


@pytest.fixture
async def places(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, unused_tcp_port: int
) -> Any:
    """Servers that refuse in each way."""
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    stubs = {
        "wrong-password": Stub(password=True, refuse="28P01"), "silent": Stub(silent=True),
        "untrusted": Stub(tls=made.shown("self-signed")), "no-tls": Stub(), "breaks-off": Stub(closes=True),
        "bad-parameter": Stub(password=True, refuse="42704"),
        "no-such-database": Stub(refuse="3D000"),
    }  # fmt: skip
    login = f"postgresql://bob:{QUOTED}@"
    async with serving(*stubs.values()):
        verified = f"d?sslmode=verify-full&sslrootcert={made.authority}"
        urls = {name: f"{login}127.0.0.1:{stub.port}/d?sslmode=disable" for name, stub in stubs.items()}
        urls |= {name: f"{login}localhost:{stubs[name].port}/{verified}" for name in ("untrusted", "no-tls")}
        urls["bad-parameter"] += "&no_such_parameter=1"
        urls |= {
            "refused-port": f"{login}127.0.0.1:{unused_tcp_port}/d",
            "unknown-host": f"{login}nobody.invalid/d",
            "missing-file": f"{login}h/d?sslrootcert=/absent.crt&sslpassword={QUOTED}",
            "dropped-demand": f"{login}h/d?require_auth={QUOTED}",
            "raw-password": f"postgresql://bob:{PASSWORD}@h/d",
            "bad-port": f"{login}h:99999/d",
            "bytes-that-are-no-text": f"{login}h/d%ff",
            "no-service": f"{login}h/d?service=absent",
        }
        assert set(urls) == set(WAYS)
        monkeypatch.setattr(Places, "urls", urls)
        yield


async def open_url(way: str) -> None:
    async with Database(Places.urls[way], LIMITS):
        raise AssertionError("it opened")


async def ask_url(way: str) -> None:
    database = Database(Places.urls[way], LIMITS)
    try:
        await get_all_exchanges(db=database)
    finally:
        await database.close()


async def open_by_keywords(way: str) -> None:
    """The password raw, as a program has it that makes a Dsn."""
    dsn = parse_dsn(Places.urls[way])
    await Database(replace(dsn, password=Secret(PASSWORD)), LIMITS).open()


async def migrate_there(way: str) -> None:
    await migrate(parse_dsn(Places.urls[way]))


@pytest.mark.parametrize("attempt", [open_url, ask_url, open_by_keywords, migrate_there])
async def test_no_error_of_a_connection_shows_the_password(
    attempt: Callable[[str], Awaitable[None]], places: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor does any log, be it at DEBUG."""
    asyncio.get_running_loop().set_debug(True)
    found: dict[str, list[str]] = {}
    with caplog.at_level(logging.DEBUG):
        for way in WAYS:
            if attempt is migrate_there and way == "silent":
                continue  # its time limit is longer
            shown = leaks(await failure(attempt, way), by_rich=attempt is open_url and way in BY_RICH)
            if shown:
                found[way] = shown
    assert found == {}
    assert CANARY not in caplog.text


# The others have nothing to do with where the password stands.
@pytest.mark.parametrize("way", ["wrong-password", "refused-port", "untrusted", "dropped-demand", "raw-password"])
async def test_a_password_of_the_environment_is_kept_too(
    way: str, places: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """DATABASE_URL, PGPASSWORD and the password file; the whole environment is no local variable of ours."""
    monkeypatch.setenv("DATABASE_URL", Places.urls[way])
    monkeypatch.setenv("EXCHANGES_DB_CONNECT_TIMEOUT", "0.3")
    monkeypatch.setenv("EXCHANGES_DB_ACQUIRE_TIMEOUT", "0.6")
    assert leaks(await failure(default_and_ask), by_rich=False) == []
    if QUOTED in Places.urls[way]:
        monkeypatch.setenv("DATABASE_URL", Places.urls[way].replace(f":{QUOTED}@", "@"))
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        assert leaks(await failure(default_and_ask), by_rich=False) == []
        monkeypatch.delenv("PGPASSWORD")
        file = tmp_path / "pass"
        file.touch(0o600)
        file.write_text("*:*:*:bob:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:"))
        monkeypatch.setenv("PGPASSFILE", str(file))
        assert leaks(await failure(default_and_ask), by_rich=False) == []


async def default_and_ask() -> None:
    await (await default_database()).open()


def test_no_error_about_the_environment_shows_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each variable of ours that is unusable, beside a DATABASE_URL that is fine; and a .env file that is not."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://bob:{QUOTED}@h/d")
    monkeypatch.setenv("EXCHANGES_DB_POOL_MAX", "0")
    assert leaks(failure_of(load_settings)) == []
    assert leaks(failure_of(make_from_environment)) == []
    monkeypatch.delenv("DATABASE_URL")
    for line in (
        f"DATABASE_URL=postgresql://bob:{QUOTED}$X@h/d",
        f"PGPASSWORD='{CANARY}'\nexport DATABASE_URL {CANARY}",
    ):
        (tmp_path / ".env").write_text(line)
        assert leaks(failure_of(read_file, tmp_path / ".env")) == []


def make_from_environment() -> None:
    Database(load_dsn())


def read_file(path: Path) -> None:
    cli_session.begin()
    cli_session.choose(env_file=path)
    try:
        cli_session.read_env_file()
    finally:
        cli_session.begin()


async def test_a_database_that_could_not_be_made_has_a_repr() -> None:
    """A traceback with locals prints it."""
    unusable: list[tuple[Any, Any]] = [
        (f"postgresql://bob:{PASSWORD}@h", None), (QUOTED.encode(), None), (f"postgresql://bob:{QUOTED}@h", 5)
    ]  # fmt: skip
    for url, limits in unusable:
        error = failure_of(Database, url, limits)
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]  # the first is the test's
        made = [value for frame in frames for value in frame.f_locals.values() if isinstance(value, Database)]
        assert made
        assert all(repr(one).startswith("<Database ") for one in made)
        assert CANARY not in "".join(repr(frame.f_locals) for frame in frames)
    assert "<Database " in repr(Database.__new__(Database))
    database = Database(f"postgresql://bob:{QUOTED}@h", LIMITS)
    assert CANARY not in repr(database) + str(vars(database))


def test_a_registry_that_could_not_be_made_shows_nothing(tmp_path: Path) -> None:
    """Whichever way it is made, and whatever is wrong: its address, that of `listen`, the settings, the file."""
    whole = f"postgresql://bob:{QUOTED}@h/d"
    wrong = f"postgresql://bob:{QUOTED}@h:99999999/d"
    nowhere = tmp_path / "no.snapshot"
    makers: list[Callable[..., object]] = [
        Registry, Registry.in_thread, partial(Registry.load_file, nowhere), partial(Registry.in_thread, file=nowhere)
    ]  # fmt: skip
    for make in makers:
        for url, ear, settings in ((wrong, None, None), (whole, wrong, None), (whole, whole, 5), (whole, whole, None)):
            if make in makers[2:] or (ear, settings) != (whole, None):  # which alone is right, but for the file
                error = failure_of(partial(make, url, listen=ear, settings=settings))
                assert error.__traceback__ is not None
                assert leaks(error.with_traceback(error.__traceback__.tb_next), by_rich=False) == []  # no frame of ours


def beyond_the_test(exc: ExchangesDBError) -> BaseException:
    """The same without the frame of `failure` or `failure_of`, which was told all."""
    assert exc.__traceback__ is not None
    return exc.with_traceback(exc.__traceback__.tb_next)


@pytest.mark.parametrize("kind", [str.encode, lambda url: bytearray(url.encode()), lambda url: [url]], ids=range(3))
def test_an_address_that_is_no_text_is_shown_by_no_registry(tmp_path: Path, kind: Callable[[str], Any]) -> None:
    """As bytes from a file of secrets."""
    write_snapshot(tmp_path / "file", a_snapshot(), NOW)
    whole, wrong = f"postgresql://bob:{QUOTED}@h/d", kind(f"postgresql://bob:{QUOTED}@h/d")
    for make in (
        Registry, Registry.in_thread,
        partial(Registry.load_file, tmp_path / "file"), partial(Registry.in_thread, file=tmp_path / "file"),
    ):  # fmt: skip
        for url, ear in ((wrong, None), (whole, wrong)):
            error = failure_of(partial(make, url, listen=ear))
            assert type(wrong).__name__ in str(error)
            assert leaks(beyond_the_test(error), by_rich=False) == []


@pytest.mark.parametrize(
    "form",
    [str, Path, str.encode, " {}".format, "'{}'".format, lambda url: url.replace("postgresql", "POSTGRES+asyncpg"),
     lambda url: Path(url.replace("postgresql", "postgres"))],
    ids=range(7),
)  # fmt: skip
async def test_an_address_in_the_place_of_a_path_is_shown_nowhere(tmp_path: Path, form: Callable[[str], Any]) -> None:
    """An argument too many or too few, and what was meant for a database is taken for a file."""
    write_snapshot(tmp_path / "file", a_snapshot(), NOW)
    path, whole = form(f"postgresql://bob:{QUOTED}@h/d"), "postgresql://h/d"
    begun, threaded = Registry.load_file(tmp_path / "file", whole), Registry.in_thread(whole, file=tmp_path / "file")
    errors = [
        failure_of(read_snapshot, path),
        failure_of(partial(write_snapshot, snapshot=begun.snapshot, saved_at=NOW), path),
        failure_of(partial(Registry.load_file, db=whole), path),
        failure_of(Registry.load_file, path, partial),  # where the address is wrong, too
        failure_of(partial(Registry.in_thread, whole, file=path)),
        await failure(begun.save, path),
        failure_of(threaded.save, path),
        await failure(Registry(whole).save, path),
    ]
    for error in errors:
        assert leaks(beyond_the_test(error), by_rich=False) == []
    assert [type(error) for error in errors].count(InvalidArgument) == 6
    assert {error.field for error in errors if isinstance(error, InvalidArgument)} == {"path"}


async def test_a_cancelled_connect_shows_nothing() -> None:
    """Neither does the time limit of a caller, whose cause is that cancel."""
    async with serving(Stub(silent=True)) as hosts:
        with pytest.raises(TimeoutError) as info:
            await within(hosts, 0.1)
    assert leaks(info.value) == []


async def within(hosts: str, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await connect(parse_dsn(f"postgresql://bob:{QUOTED}@{hosts}/d?sslmode=disable"), LIMITS, limit=5)


async def test_a_statement_that_fails_shows_nothing(server: Dsn) -> None:
    """Whatever the driver's frames hold by then."""
    async with Database(replace(server, password=Secret(PASSWORD)), LIMITS) as database:
        assert leaks(await failure(partial(get_all_exchanges, db=database))) == []


def command_lines() -> str:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return "\n".join(found)


@pytest.mark.parametrize("file", ["SELECT 1/0;", "-- migrate:up\nSELECT 1/0;\n", None])
async def test_a_migration_that_fails_shows_nothing(
    file: str | None, empty_dsn: Dsn, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The password is in dbmate's environment, which only its own user can read, and on no command line."""
    if file is not None:
        (tmp_path / "001_first.sql").write_text(file)
    seen: list[str] = []
    lines: list[str] = []

    def note(line: str) -> None:
        lines.append(line)
        seen.append(command_lines())

    dsn = replace(empty_dsn, password=Secret(PASSWORD))
    with caplog.at_level(logging.DEBUG):
        if file is None:
            await migrate(dsn, on_line=note)
        else:
            assert leaks(await failure(partial(migrate, dsn, directory=tmp_path, on_line=note))) == []
    assert any("dbmate" in one for one in seen) or file is not None
    assert CANARY not in "\n".join([*seen, *lines, caplog.text])


async def test_the_check_itself_sees_a_password() -> None:
    """It would be worth nothing if it did not."""
    assert set(leaks(failure_of(fail_with, PASSWORD))) == {
        "rendered_by_rich",
        "rendered_by_traceback",
        "walked_by_hand",
    }


def fail_with(password: str) -> None:
    raise AccessDenied(f"{len(password)}")
