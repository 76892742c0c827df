"""The embedded server on real folders with real processes: no stranger is harmed and nothing stays."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from exchanges_db import ConfigurationError
from exchanges_db.database import embedded, embedded_folders, embedded_server
from exchanges_db.database.dsn import parse_dsn
from exchanges_db.database.embedded_binaries import binaries

CLIENT = Path(__file__).with_name("embedded_client.py")
SECONDS = 30


class Client:
    """A process that uses the server of a folder."""

    def __init__(self, folder: Path, *flags: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, CLIENT, folder, *flags],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        """Return the DATABASE_URL, or why there is none."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        """End in good order."""
        self.process.communicate(timeout=SECONDS)

    def kill(self, number: signal.Signals) -> None:
        """End without a chance to clean up."""
        self.process.send_signal(number)
        assert self.process.wait(SECONDS) == -number
        self.leave()


def make_room() -> Path:
    """Return a new folder that every user may enter: as root, the server is another user's."""
    room = Path(tempfile.mkdtemp(prefix="exchanges_db_embedded_"))
    room.chmod(0o755)
    return room


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A data folder for all tests that leave it intact."""
    room = make_room()
    embedded.start(room / "data")
    embedded.stop(room / "data")
    with (room / "data/postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\n")  # no test is about a loss of power
    yield room / "data"
    shutil.rmtree(room)


@pytest.fixture
def room() -> Iterator[Path]:
    """A new folder for data folders; afterwards no process knows of it."""
    room = make_room()
    yield room
    alive = strays(room)
    shutil.rmtree(room)
    assert not alive


@pytest.fixture
def folder(shared: Path) -> Iterator[Path]:
    """An initialised data folder, to be left intact; afterwards no process knows of it."""
    yield shared
    assert not strays(shared)


@pytest.fixture
def own_folder(room: Path, shared: Path) -> Path:
    """An initialised data folder of one's own."""
    shutil.copytree(shared, room / "data")
    owner = shared.stat()
    for path in (room / "data", *(room / "data").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    return room / "data"


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Starts clients; those that a failed test left are ended."""
    clients: list[Client] = []

    def start(*arguments: str | Path, **environment: str) -> Client:
        clients.append(Client(*arguments, **environment))  # type: ignore[arg-type]
        return clients[-1]

    yield start
    for one in clients:
        one.leave()


def command_line(process: psutil.Process) -> list[str]:
    """Return the arguments of a process; none of one that is gone."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def strays(folder: Path) -> list[psutil.Process]:
    """Return the processes that still know of a folder, after time to end; end them."""
    known = [process for process in psutil.process_iter() if str(folder) in " ".join(command_line(process))]
    _, alive = psutil.wait_procs(known, SECONDS)
    for process in alive:
        process.kill()
    return alive


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process runs no more; an orphan may wait for the system to notice."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def setting(url: str, name: str) -> str:
    """Return a setting of the server at `url`."""
    connection = await asyncpg.connect(**parse_dsn(url).asyncpg_arguments())
    try:
        return str(await connection.fetchval("SELECT current_setting($1)", name))
    finally:
        await connection.close()


def running(folder: Path) -> psutil.Process:
    """Return the process of the server of `folder`."""
    server = embedded_server.find(folder)
    assert server is not None
    return server.process


def keeper(folder: Path) -> psutil.Process:
    """Return the process that watches over the server of `folder`."""
    parent = running(folder).parent()
    assert parent is not None
    return parent


NAMES = {
    "quotes": 'it\'s "mine"',
    "substitution": "$(touch evaluated) `touch evaluated` ${HOME}",
    "signs_of_a_url": "100%41%s#b?c=d&e,f;g@h",
    "option": "-D\\ |",
    "non_ascii": "тест数据é",
    "not_utf8": os.fsdecode(b"\xff\xfe"),
    "very_long": "/".join(["n" * 200] * 3),
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
async def test_any_folder_name_works(room: Path, folder: Path, name: str) -> None:
    """Neither a shell nor a URL nor the length of a socket's name gets in the way."""
    named = room / name
    named.parent.mkdir(parents=True, exist_ok=True)
    os.rename(folder, named)  # noqa: PTH104  # in no time
    try:
        url = embedded.start(named)
        assert os.fsencode(named) == os.fsencode(running(named).cwd())
        assert await setting(url, "listen_addresses") == ""
    finally:
        embedded.stop(named)
        named.rename(folder)
    assert not was_evaluated(room)


def was_evaluated(room: Path) -> bool:
    """Say whether a shell ran what a folder's name says."""
    return bool(list(room.rglob("evaluated"))) or any(Path(place, "evaluated").exists() for place in ("/", "."))


async def test_the_first_start_in_an_oddly_named_folder_ignores_the_environment(
    room: Path, client: Callable[..., Client]
) -> None:
    """The caller's PG* variables are for other servers; language and time zone would last as long as the data."""
    folder = room / "$(touch evaluated) 'a' %s" / "new"
    one = client(
        folder, PGHOST="nowhere", PGPORT="1", PGDATA="/nowhere", PGOPTIONS="-c nonsense=1", PGDATABASE="x", PGUSER="y",
        LC_ALL="tr_TR.UTF-8", TZ="Asia/Tokyo",
    )  # fmt: skip
    url = one.answer()
    assert await setting(url, "TimeZone") == "UTC"
    assert await setting(url, "server_encoding") == "UTF8"
    assert await setting(url, "lc_messages") == "C"
    assert await setting(url, "port") == "5432"
    one.leave()
    assert not was_evaluated(room)


@pytest.mark.parametrize(
    ("name", "why"), [("a\nb", "line break"), ("/".join(["n" * 200] * 5), "longer than")], ids=["line_break", "length"]
)
def test_a_name_that_postgresql_cannot_have_is_refused(room: Path, name: str, why: str) -> None:
    """In one line, and nothing is made."""
    with pytest.raises(ConfigurationError, match=why) as caught:
        embedded.start(room / name)
    assert "\n" not in str(caught.value)
    assert not list(room.iterdir())


def test_only_its_user_enters_the_sockets_folder(folder: Path) -> None:
    """Anyone who reaches the socket is let in as the superuser."""
    socket_folder = Path(parse_dsn(embedded.start(folder)).hosts[0][0])
    status = socket_folder.parent.stat()
    embedded.stop(folder)
    assert status.st_mode & 0o777 == 0o700
    assert status.st_uid == folder.stat().st_uid
    assert not socket_folder.exists()


def test_the_server_is_its_folders_owners_and_the_folders_above_stay_closed(
    folder: Path,
) -> None:
    """PostgreSQL does not run as root; for root it is another user, for whom no other folder is opened."""
    above = folder.parent
    above.chmod(0o711)
    embedded.start(folder)
    assert running(folder).uids().real == folder.stat().st_uid != 0
    embedded.stop(folder)
    assert above.stat().st_mode & 0o777 == 0o711
    assert above.stat().st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="all other tests here are this one where the user is not root")
async def test_an_ordinary_user_runs_it_too(room: Path, client: Callable[..., Client]) -> None:
    """Under that user's own name."""
    uid = embedded_folders._user_for_root().pw_uid
    os.chown(room, uid, -1)
    one = client(room / "data", str(uid))
    await setting(one.answer(), "port")
    assert {process.uids().real for process in (running(room / "data"), keeper(room / "data"))} == {uid}
    one.leave()


def stranger(folder: Path) -> subprocess.Popen[bytes]:
    """Start a program of the server's own user, the one that PostgreSQL itself takes for a server."""
    owner = folder.stat().st_uid
    return subprocess.Popen(["sleep", "600"], **({"user": owner} if os.geteuid() == 0 else {}))  # type: ignore[call-overload,no-any-return]


def pid_file(folder: Path) -> str:
    """Return postmaster.pid as a running server writes it."""
    embedded.start(folder)
    text = (folder / "postmaster.pid").read_text()
    embedded.stop(folder)
    return text


async def test_a_stale_number_that_is_another_programs_now_harms_neither(folder: Path) -> None:
    """After a crash the number in postmaster.pid is given away again."""
    lines = pid_file(folder).split("\n")
    program = stranger(folder)
    (folder / "postmaster.pid").write_text("\n".join([str(program.pid), *lines[1:]]))
    url = embedded.start(folder)
    await setting(url, "port")
    embedded.stop(folder)
    assert program.poll() is None
    program.kill()
    program.wait()


async def test_a_stale_number_that_is_another_server_now_harms_neither(folder: Path, own_folder: Path) -> None:
    """A PostgreSQL, but of another folder."""
    lines = pid_file(folder).split("\n")
    other = own_folder
    other_url = embedded.start(other)
    (folder / "postmaster.pid").write_text("\n".join([str(running(other).pid), *lines[1:]]))
    url = embedded.start(folder)
    assert running(folder).pid != running(other).pid
    assert url != other_url
    embedded.stop(folder)
    await setting(other_url, "port")
    embedded.stop(other)


def test_without_a_look_at_its_folder_the_command_line_tells(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container, root may not see where another user's process lives."""

    def denied(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "cwd", denied)
    embedded.start(folder)
    server = running(folder)
    embedded.stop(folder)
    assert has_ended(server)


@pytest.mark.parametrize(
    ("killed", "number"), [(0, signal.SIGKILL), (1, signal.SIGTERM)], ids=["the_starter", "the_other"]
)
async def test_the_last_client_stops_it_though_another_was_killed(
    folder: Path, client: Callable[..., Client], number: signal.Signals, killed: int
) -> None:
    """Until then it serves."""
    clients = [client(folder)]
    url = clients[0].answer()
    clients.append(client(folder))
    assert clients[1].answer() == url
    server = running(folder)
    clients.pop(killed).kill(number)
    await setting(url, "port")
    clients[0].leave()
    assert has_ended(server)
    assert not (folder / "postmaster.pid").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_server_of_a_killed_client_ends_and_starts_again(
    folder: Path, client: Callable[..., Client], number: signal.Signals
) -> None:
    """The keeper notices the end of the last one."""
    one = client(folder)
    one.answer()
    server = running(folder)
    one.kill(number)
    psutil.wait_procs([server], SECONDS)
    assert has_ended(server)
    await setting(embedded.start(folder), "port")
    embedded.stop(folder)


async def test_a_server_that_lost_client_and_keeper_is_joined_and_then_stopped(
    folder: Path, client: Callable[..., Client]
) -> None:
    """Nobody was left to stop it."""
    one = client(folder)
    url = one.answer()
    server = running(folder)
    keeper(folder).kill()
    one.kill(signal.SIGKILL)
    assert embedded.start(folder) == url
    await setting(url, "port")
    embedded.stop(folder)
    assert has_ended(server)


async def test_after_a_crash_the_same_process_starts_it_again(folder: Path) -> None:
    """Of the server and its keeper both."""
    embedded.start(folder)
    watcher, servers = keeper(folder), [running(folder), *running(folder).children()]
    for process in (watcher, *servers):
        process.kill()
    psutil.wait_procs(servers, SECONDS)
    await setting(embedded.start(folder), "port")
    embedded.stop(folder)


async def test_two_that_start_at_once_share_one_server(room: Path, client: Callable[..., Client]) -> None:
    """Though the folder has no data yet."""
    clients = [client(room / "data") for _ in range(2)]
    urls = {one.answer() for one in clients}
    assert len(urls) == 1
    await setting(urls.pop(), "port")
    for one in clients:
        one.leave()


async def test_a_start_killed_during_initdb_is_made_good(room: Path, client: Callable[..., Client]) -> None:
    """The next one waits for the orphaned initdb, and begins anew."""
    folder = room / "data"
    one = client(folder)
    while not (folder / embedded_folders.INITIALISING / "PG_VERSION").exists():
        assert one.process.poll() is None
    one.kill(signal.SIGKILL)
    await setting(embedded.start(folder), "port")
    embedded.stop(folder)


def test_a_start_killed_after_initdb_is_completed(folder: Path) -> None:
    """PG_VERSION comes last; what is already in its place stays there."""
    made = folder / embedded_folders.INITIALISED
    made.mkdir()
    for name in ("PG_VERSION", "base", "global"):
        (folder / name).rename(made / name)
    embedded.start(folder)
    embedded.stop(folder)
    assert not made.exists()


def test_a_forked_child_does_not_take_the_server_away(folder: Path) -> None:
    """It inherits the lock, and at its end runs the same clean-up."""
    code = (
        "import os, sys; from pathlib import Path; from exchanges_db.database import embedded, embedded_server\n"
        "folder = Path(sys.argv[1]); embedded.start(folder)\n"
        "if not (child := os.fork()): sys.exit()\n"
        "os.waitpid(child, 0); print(embedded_server.find(folder) is not None)"
    )
    result = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert result.stdout == "True\n"


async def test_a_server_told_to_keep_running_outlives_its_clients(folder: Path, client: Callable[..., Client]) -> None:
    """Until stop()."""
    one = client(folder, "keep")
    url = one.answer()
    one.leave()
    two = client(folder)
    assert two.answer() == url
    two.kill(signal.SIGKILL)
    await setting(url, "port")
    server = running(folder)
    embedded.stop(folder)
    assert has_ended(server)


def not_empty(folder: Path) -> None:
    """Put somebody's file where data should be."""
    (folder / "PG_VERSION").unlink()


def another_version(folder: Path) -> None:
    """Make it data of PostgreSQL 16."""
    (folder / "PG_VERSION").write_text("16\n")


def damaged(folder: Path) -> None:
    """Lose a file that PostgreSQL cannot do without."""
    (folder / "global/pg_control").unlink()


def wrong_setting(folder: Path) -> None:
    """Ask for what is impossible."""
    (folder / "postgresql.auto.conf").write_text("max_wal_senders = 9\nwal_level = minimal\n")


def unreachable(folder: Path) -> None:
    """Close the folder above to the server's user."""
    folder.parent.chmod(0o600 if os.geteuid() else 0o700)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (not_empty, "the folder is not empty and holds no PostgreSQL data"),
        (another_version, "database files are incompatible with server: .* version 16"),
        (damaged, "could not find the database system|could not open file .*pg_control"),
        (wrong_setting, "WAL streaming"),
        (unreachable, "Permission denied"),
    ],
)
def test_a_failure_is_one_line_with_the_logs_reason(
    room: Path, own_folder: Path, spoil: Callable[[Path], None], why: str
) -> None:
    """Not a stack of programs' output, and nothing of it runs on."""
    folder = own_folder
    spoil(folder)
    before = {path.name for path in folder.iterdir()} if spoil is not_empty else set()
    try:
        with pytest.raises(ConfigurationError, match=f"data does not start: .*({why})") as caught:
            embedded.start(folder)
    finally:
        room.chmod(0o755)
    assert "\n" not in str(caught.value)
    assert not before or before == {path.name for path in folder.iterdir()}


def test_a_full_disk_is_one_line_and_no_obstacle_afterwards(room: Path, client: Callable[..., Client]) -> None:
    """A write that fails: here at a limit for the size of a file, as a disk cannot be filled safely."""
    full = client(room / "data", "full")
    assert "does not start: could not write to file" in full.answer()
    full.leave()
    assert list((room / "data").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_line() -> None:
    """With the system's reason."""
    with pytest.raises(ConfigurationError, match=r"/proc/exchanges_db/data does not start: .*/proc"):
        embedded.start(Path("/proc/exchanges_db/data"))


def test_the_programs_are_the_wheels() -> None:
    """None of the system's, whatever PATH says."""
    assert (binaries() / "postgres").is_file()
    assert "site-packages" in str(binaries())
