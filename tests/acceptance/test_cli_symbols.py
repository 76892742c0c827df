"""The commands on symbols, as a user runs them."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from exchanges_db.database.dsn import parse_dsn
from tests.acceptance.command import PROGRAM, Terminal, ok, run
from tests.exchange_server import (
    BTC_PATH,
    DELIVERY_PATH,
    GATE_ERROR,
    OPTIONS_PATH,
    SPOT_PATH,
    UNDERLYINGS_PATH,
    USDT_PATH,
    exchanges,
    option,
)
from tests.factories import connected
from tests.fix_server import url_of
from tests.http_server import Server, answer, serving
from tests.payload_rows import FUTURES, MEXC, SPOT, futures, many, payload, spot

USDT = ("--list", "PERPETUAL:USDT")


@pytest.fixture
def url(dsn: Any) -> str:
    """A migrated database of one's own."""
    return url_of(dsn)


def save(folder: Path, exchange: str, rows: list[dict[str, Any]]) -> str:
    """A file with a payload of these rows."""
    file = folder / f"{exchange}.json"
    file.write_bytes(payload(exchange, rows))
    return str(file)


def test_import_shows_then_does_then_has_nothing_to_do(url: str, tmp_path: Path) -> None:
    """The same command three times."""
    file = save(tmp_path, SPOT, many(SPOT, 60))
    trial = ok("import", SPOT, file, "--dry-run", url=url)
    assert "LISTED" in trial
    assert "60 listed, 0 unchanged, not applied" in trial
    assert "60 listed, 0 unchanged, imported" in ok("import", SPOT, file, "--all", url=url)
    assert ok("import", SPOT, file, url=url) == "GATEIO_SPOT SPOT: nothing changed, 60 unchanged, imported\n"


def test_import_from_a_pipe(url: str) -> None:
    """- is stdin."""
    result = subprocess.run(
        [PROGRAM, "import", FUTURES, "-", "--list", "PERPETUAL:USDT", "--json"],
        input=payload(FUTURES, [futures()]),
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )
    (report,) = json.loads(result.stdout)
    assert report["changes"][0]["spec"]["price_tick"] == "0.05"


def test_a_refused_import_says_what_and_how(url: str, tmp_path: Path) -> None:
    """Exit 7, the reason, the flag; with the flag it is done."""
    ok("import", SPOT, save(tmp_path, SPOT, many(SPOT, 20)), url=url)
    file = save(tmp_path, SPOT, many(SPOT, 10))
    refused = run("import", SPOT, file, url=url)
    assert refused.returncode == 7
    assert "10 of 20 live symbols left the list" in refused.stderr
    found = re.search(r"\(--allow (left=sha256:[0-9a-f]+)\)", refused.stderr)
    assert found is not None
    assert "not applied" in refused.stdout
    as_json = run("import", SPOT, file, "--json", url=url)
    assert json.loads(as_json.stdout)[0]["brakes"][0]["brake"] == "LEFT"
    assert "10 delisted" in ok("import", SPOT, file, "--allow", found[1], url=url)


def test_odd_rows_are_told_on_stderr(url: str, tmp_path: Path) -> None:
    """Rejected rows, unknown words, unknown fields; terminal controls in them are not obeyed."""
    rows = [*many(SPOT, 20), spot("BAD", precision="\x1b[31m"), spot("ODD", trade_status="odd", new=1)]
    result = run("import", SPOT, save(tmp_path, SPOT, rows), url=url)
    assert result.returncode == 0, result.stderr
    assert "row 20 BAD_USDT cannot be read" in result.stderr
    assert "1 rows have a trade_status that is not known, 'odd'" in result.stderr
    assert "fields that are not known: new" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((SPOT, "/no/such/file"), 2, "No such file"),
        ((SPOT, "/"), 2, "Is a directory"),
        (("NOBODY", "{file}", "--allow", "foreign=sha256:0123456789ab"), 1, "no exchange is called"),
        (("MEXC_SPOT", "{file}"), 7, "--allow foreign=sha256:"),
        ((SPOT, "{file}", "--allow", "everything"), 2, "everything"),
        ((SPOT, "{file}", "--observed-at", "yesterday"), 2, "ISO 8601"),
        ((SPOT, "{file}", "--observed-at", "2026-01-01T00:00:00"), 2, "time zone"),
        ((FUTURES, "{file}", "--list", "PERPETUAL:USDT"), 7, "--allow foreign=sha256:"),
        ((FUTURES, "{file}", "--list", "\x1b"), 2, "is no list of symbols"),
    ],
)
def test_what_goes_wrong_says_so(url: str, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    """With an exit code that means something."""
    file = save(tmp_path, SPOT, [spot()])
    result = run("import", *(argument.format(file=file) for argument in arguments), url=url)
    assert (result.returncode, "Traceback" in result.stderr) == (code, False), result.stderr
    assert words in result.stderr


def test_what_is_no_payload_exits_with_7(url: str, tmp_path: Path) -> None:
    """An error page, saved by mistake."""
    (tmp_path / "page").write_text("<html>")
    result = run("import", SPOT, str(tmp_path / "page"), url=url)
    assert (result.returncode, "error page" in result.stderr) == (7, True)


def test_odd_rows_without_end_are_counted(url: str, tmp_path: Path) -> None:
    """The exchange decides how many fields and words there are; twenty of each tell what has happened."""
    rows = [
        {**spot(f"C{number}", trade_status=f"word{number}", precision="x" if number % 2 else 1), f"new{number}": 1}
        for number in range(60)
    ]
    file = save(tmp_path, SPOT, rows)
    few = run("import", SPOT, file, "--dry-run", url=url)
    assert "10 rows that cannot be read, 40 words that are not known; --all shows every change" in few.stderr
    assert " and 40 more, which --all shows\n" in few.stderr
    assert (few.stderr.count("cannot be read: "), few.stderr.count("rows have a")) == (20, 20)
    every = run("import", SPOT, file, "--dry-run", "--all", url=url)
    assert (every.stderr.count("cannot be read: "), every.stderr.count("rows have a")) == (30, 60)
    assert "new59" in every.stderr
    assert "not shown" not in every.stderr


def test_a_raw_row_is_shown_after_when_it_is_from(url: str, tmp_path: Path) -> None:
    """Also where the row has a key of that name; what holds other values is JSON, as the exchange wrote it."""
    nested = {"a": [1, {"b": None}], "c": "d"}
    ok("import", SPOT, save(tmp_path, SPOT, [spot(observed_at="theirs", nested=nested, several=["a;", None])]), url=url)
    lines = ok("symbols", "raw", SPOT, "BTC_USDT", url=url).splitlines()
    names, values = zip(*(line.split("\t") for line in lines), strict=True)
    assert (names[0], names.count("observed_at"), "theirs" in values) == ("observed_at", 2, True)
    assert values[0].startswith("20")
    assert json.loads(values[names.index("nested")]) == nested
    assert values[names.index("several")] == '["a;", null]'


@pytest.fixture
def loaded(url: str, tmp_path: Path) -> str:
    """A database with symbols, one of which changed."""
    ok("import", MEXC, save(tmp_path, MEXC, many(MEXC, 3)), url=url)
    ok("import", FUTURES, save(tmp_path, FUTURES, [futures(), futures("C1")]), *USDT, url=url)
    ok("import", FUTURES, save(tmp_path, FUTURES, [futures(order_price_round="0.1"), futures("C1")]), *USDT, url=url)
    return url


def test_symbols_are_listed_and_shown(loaded: str) -> None:
    """As a table and as JSON, now and as of a time."""
    table = ok("symbols", "list", url=loaded, stdout=Terminal)
    assert "ETH/USDT:USDT" in table
    assert max(map(len, table.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())) <= 100
    rows = json.loads(ok("symbols", "list", MEXC, "--base", "C1", "--json", url=loaded))
    assert [row["symbol"] for row in rows] == ["C1/USDT"]
    empty = run("symbols", "list", "--base", "NOBODY", url=loaded)
    assert (empty.stdout, empty.stderr) == ("", "no symbols\n")
    shown = json.loads(ok("symbols", "show", FUTURES, "ETH_USDT", "--json", url=loaded))
    assert (shown["price_tick"], shown["spec_version"]) == ("0.1", 2)
    assert "max_quantity\t1000000\n" in ok("symbols", "show", FUTURES, "ETH/USDT:USDT", url=loaded)
    first = shown["created_at"]
    then = json.loads(ok("symbols", "show", FUTURES, "ETH_USDT", "--at", first, "--json", url=loaded))
    assert (then["price_tick"], then["spec_version"]) == ("0.05", 1)
    past = json.loads(ok("symbols", "list", FUTURES, "--at", first, "--kind", "perpetual", "--json", url=loaded))
    assert {row["price_tick"] for row in past} == {"0.05"}
    assert json.loads(ok("symbols", "list", FUTURES, "--at", "2001-01-01T00:00:00Z", "--json", url=loaded)) == []


def test_a_list_of_the_past_is_narrowed_as_one_of_now(loaded: str) -> None:
    """With and without an exchange; --at alone once needed one, and had a filter of its own."""
    for options in ([], [MEXC], ["--base", "C1"], ["--kind", "perpetual"], ["--all"], ["--quote", "EUR"]):
        now = json.loads(ok("symbols", "list", *options, "--json", url=loaded))
        then = json.loads(ok("symbols", "list", *options, "--at", "2099-01-01T00:00:00Z", "--json", url=loaded))
        assert [row["id"] for row in then] == [row["id"] for row in now]
    ok("deactivate", FUTURES, url=loaded)
    assert "ETH/USDT:USDT" not in ok("symbols", "list", "--at", "2099-01-01T00:00:00Z", url=loaded)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("symbols", "show", FUTURES, "ETH/USDT"), "the perpetual is called ETH/USDT:USDT"),
        (("symbols", "show", FUTURES, "ethusdt"), "the perpetual is called ETH/USDT:USDT"),
        (("symbols", "show", FUTURES, "ETH/USDT", "--at", "2099-01-01T00:00:00Z"), "is called ETH/USDT:USDT"),
        (("symbols", "history", FUTURES, "ETH/USDT"), "the perpetual is called ETH/USDT:USDT"),
        *(
            (
                ("symbols", "show", FUTURES, name, "--at", "2020-01-01T00:00:00Z"),
                f"{name!r} was not known at 2020-01-01",
            )
            for name in ("ETH/USDT:USDT", "eth/usdt:usdt", "ETH_USDT")
        ),
        (("symbols", "show", MEXC, "C1/USDT:USDT"), "the spot symbol is called C1/USDT"),
        (("symbols", "show", FUTURES, "ETH/USDD:USDT"), "did you mean ETH/USDT:USDT"),
        (("symbols", "show", FUTURES, "QQQQQQ"), "see `exchanges-db symbols search QQQQQQ`"),
        *(
            (command, "no exchange is called 'GATEIO': did you mean GATEIO_SPOT or GATEIO_FUTURES?")
            for command in [
                ("symbols", "show", "GATEIO", "ETH/USDT"),
                ("symbols", "history", "GATEIO", "ETH/USDT"),
                ("symbols", "list", "GATEIO"),
                ("symbols", "list", "GATEIO", "--at", "2026-01-31T12:00:00Z"),
                ("symbols", "diff", "GATEIO", "--since", "2026-01-31T12:00:00Z"),
                ("symbols", "common", MEXC, "GATEIO"),
                ("symbols", "common", "GATEIO", MEXC),
                ("import", "GATEIO", "/dev/null"),
                ("sync", "GATEIO", "--dry-run"),
                ("show", "GATEIO"),
                ("show", "GATEIO", "--at", "2026-01-31T12:00:00Z"),
                ("history", "GATEIO"),
                ("set", "GATEIO", "precision_default=4"),
                ("activate", "GATEIO"),
                ("deactivate", "GATEIO"),
            ]
        ),
    ],
)
def test_a_name_that_is_not_there_leads_to_the_right_one(loaded: str, arguments: tuple[str, ...], words: str) -> None:
    """Exit code 1 and one line; a silent empty list looked like an answer."""
    result = run(*arguments, url=loaded)
    assert (result.returncode, words in result.stderr) == (1, True), result.stderr
    assert result.stdout == ""


def test_a_name_in_another_case_is_found(loaded: str) -> None:
    """Of an exchange and of a symbol."""
    exact = ok("symbols", "show", FUTURES, "ETH/USDT:USDT", "--json", url=loaded)
    assert ok("symbols", "show", FUTURES.lower(), "eth/usdt:usdt", "--json", url=loaded) == exact
    assert json.loads(ok("show", FUTURES.lower(), "--json", url=loaded))["enum_value"] == FUTURES


def test_history_and_diff(loaded: str) -> None:
    """What changed, when, and what it was before."""
    text = ok("symbols", "history", FUTURES, "ETH_USDT", url=loaded)
    assert "price_tick: 0.05 -> 0.1" in text
    versions = json.loads(ok("symbols", "history", FUTURES, "ETH/USDT:USDT", "--json", url=loaded))
    assert [version["spec_version"] for version in versions] == [1, 2]
    first = versions[0]["valid_from"]
    assert "price_tick: 0.05 -> 0.1" in ok("symbols", "diff", FUTURES, "--since", first, url=loaded)
    same = run("symbols", "diff", FUTURES, "--since", first, "--until", first, url=loaded)
    assert (same.stdout, same.stderr.startswith("nothing changed\nup to ")) == ("", True)
    changes = json.loads(ok("symbols", "diff", FUTURES, "--since", "2001-01-01T00:00:00Z", "--json", url=loaded))
    assert [change["kind"] for change in changes] == ["LISTED", "LISTED"]


def test_search_common_and_stats(loaded: str) -> None:
    """Tables and JSON."""
    assert "ETH/USDT:USDT" in ok("symbols", "search", "eth", url=loaded)
    assert len(json.loads(ok("symbols", "search", "c", "--limit", "2", "--json", url=loaded))) == 2
    assert "C1/USDT:USDT" in ok("symbols", "common", MEXC, FUTURES, url=loaded)
    (pair,) = json.loads(ok("symbols", "common", MEXC, FUTURES, "--json", url=loaded))
    assert (pair["price_tick"], pair["quantity_step"]) == ("0.05", "0.01")
    assert "PERPETUAL" in ok("symbols", "stats", url=loaded)
    assert sum(row["symbols"] for row in json.loads(ok("symbols", "stats", "--json", url=loaded))) == 5


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", SPOT, "NO_SUCH"), 1),
        (("history", SPOT, "NO_SUCH"), 1),
        (("list", "--kind", "swap"), 2),
        (("list", "NOBODY"), 1),
        (("list", "--at", "2026-01-01T00:00:00"), 2),
        (("list", "--at", "2026-01-01T00:00:00Z", "--kind", "swap"), 2),
        (("search", ""), 2),
        (("search", "x", "--limit", "0"), 2),
        (("diff", SPOT, "--since", "x"), 2),
    ],
)
def test_what_is_not_there_or_wrong(loaded: str, arguments: tuple[str, ...], code: int) -> None:
    """1 for no, 2 for wrong usage; one line, no traceback."""
    result = run("symbols", *arguments, url=loaded)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr


@contextmanager
def served(**arguments: Any) -> Iterator[Server]:
    """A server in the exchanges' place, in a thread of its own, because a command runs in this one."""
    ready, done = Event(), Event()
    found: list[Server] = []

    async def serve() -> None:
        async with serving(**arguments) as server:
            found.append(server)
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.02)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        ready.wait()
        yield found[0]
    finally:
        done.set()
        thread.join()


def lead(url: str, server: Server, *names: str) -> None:
    """Let the exchanges' addresses lead to a server."""
    for exchange in names or (MEXC, SPOT, FUTURES):
        ok("set", exchange, f"base_url={server.url}", url=url)


def test_sync_goes_on_after_a_failure(url: str) -> None:
    """An exchange that answers garbage, and lists that fail, cost no other; the exit code is 7."""
    lists = {
        SPOT_PATH: answer(b"garbage"), USDT_PATH: GATE_ERROR, BTC_PATH: answer(status=403),
    }  # fmt: skip
    with served(exchange=exchanges(lists)) as server:
        lead(url, server)
        result = run("sync", url=url)
        assert result.returncode == 7
        assert "MEXC_SPOT SPOT: 2 listed, 0 unchanged, imported" in result.stdout
        assert "GATEIO_FUTURES FUTURE:USDT: 2 listed, 0 unchanged, imported" in result.stdout
        assert f"database: {parse_dsn(url)}\n" in result.stderr
        assert "error: GATEIO_SPOT SPOT: the payload is neither" in result.stderr
        assert "error: GATEIO_FUTURES PERPETUAL:USDT: " in result.stderr
        assert GATE_ERROR["message"] in result.stderr
        assert f"error: GATEIO_FUTURES PERPETUAL:BTC: 127.0.0.1{BTC_PATH} answers with status 403" in result.stderr
        (one,) = json.loads(ok("sync", MEXC, "--dry-run", "--json", url=url))
        assert (one["outcome"], one["report"]["applied"], one["report"]["changes"]) == ("UNCHANGED", False, [])


def test_sync_takes_active_exchanges_and_the_lists_that_are_named(url: str) -> None:
    """Without a name, each active exchange that has a row and a reader; a further one once it was added."""
    with served(exchange=exchanges()) as server:
        lead(url, server)
        ok("deactivate", MEXC, url=url)
        ok("add", "MEXC_FUTURES", "--base-url", server.url, url=url)
        outcomes = json.loads(ok("sync", "--json", url=url))
        assert {one["exchange"] for one in outcomes} == {SPOT, FUTURES, "MEXC_FUTURES"}
        assert [one["outcome"] for one in outcomes] == ["APPLIED"] * 5
        server.requests.clear()
        some = ("--list", "perpetual:btc", "--list", "FUTURE")
        assert len(json.loads(ok("sync", FUTURES, *some, "--json", url=url))) == 2
        assert server.paths == [BTC_PATH, DELIVERY_PATH]


def test_sync_checks_every_name_before_it_asks_an_exchange(url: str) -> None:
    """The error of the last name does not come after minutes of downloads."""
    with served(exchange=exchanges()) as server:
        lead(url, server)
        for arguments, code, text in (
            ((MEXC, "NOBODY"), 1, "no exchange is called 'NOBODY'"),
            ((MEXC, "gateio_options"), 1, "exchanges-db add GATEIO_OPTIONS"),
            ((FUTURES, "--list", "nonsense"), 2, "is no list of symbols"),
            ((FUTURES, "--list", "OPTION"), 2, "has no list OPTION; it has FUTURE:USDT"),
            ((FUTURES, MEXC, "--list", "PERPETUAL"), 2, "MEXC_SPOT has no list PERPETUAL; it has SPOT"),
            (("--list", "SPOT"), 2, "for the exchanges that are named"),
        ):
            result = run("sync", *arguments, url=url)
            assert (result.returncode, text in result.stderr) == (code, True), result.stderr
        assert server.paths == []


def test_what_sync_imported_is_shown_also_where_the_database_fails_later(url: str) -> None:
    """It is not undone."""
    broken = "ALTER TABLE symbols ADD CONSTRAINT no_inverse CHECK (direction <> 'INVERSE')"
    asyncio.run(_execute(url, broken))
    with served(exchange=exchanges()) as server:
        lead(url, server)
        result = run("sync", MEXC, FUTURES, url=url)
        assert result.returncode not in (0, 7)
        assert "MEXC_SPOT SPOT: 2 listed, 0 unchanged, imported" in result.stdout
        assert "GATEIO_FUTURES PERPETUAL:USDT: 3 listed, 0 unchanged, imported" in result.stdout


def test_many_lists_are_told_while_they_are_asked_for(url: str) -> None:
    """One request for each may take hours."""
    names = [f"C{number}_USDT" for number in range(101)]
    lists = {
        UNDERLYINGS_PATH: [{"name": name} for name in names],
        OPTIONS_PATH: {name: [option(name, "65000", "C")] for name in names},
    }
    with served(exchange=exchanges(lists)) as server:
        ok("add", "GATEIO_OPTIONS", "--base-url", server.url, url=url)
        ok("set", "GATEIO_OPTIONS", "rate_limit_requests_per_second=1000", url=url)
        result = run("sync", "GATEIO_OPTIONS", url=url)
    assert result.returncode == 0, result.stderr
    told = [line.rpartition(": ")[2] for line in result.stderr.splitlines() if line.startswith("GATEIO_OPTIONS OPTION")]
    assert told == [f"list {number} of 101" for number in (1, 51, 101)]


async def _execute(url: str, sql: str) -> None:
    async with connected(parse_dsn(url)) as connection:
        await connection.execute(sql)
