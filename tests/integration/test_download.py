"""Downloads from a server that is slow, busy, broken or hostile: the whole body, or our error, in good time."""

import asyncio
import gzip
import logging
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

import pytest
import stamina

from exchanges_db import ConfigurationError, DownloadFailed
from exchanges_db.symbols.download import Downloader
from exchanges_db.symbols.download_settings import DownloadSettings
from tests.http_server import Behaviour, Request, answer, chunked, flood, garbage, packed, serving, silence

SECRET = {"X-Key": "HUNTER2"}
FAST: dict[str, Any] = {"first_wait": 0.01, "longest_wait": 0.3, "attempts": 3, "read_timeout": 0.3}


async def fetch(url: str, *, limit: int | None = None, **settings: Any) -> bytes:
    """Download once, impatiently."""
    async with Downloader(DownloadSettings(**{**FAST, **settings})) as downloader:
        return await downloader.fetch(url, requests_per_second=limit)


@pytest.mark.parametrize(
    ("behaviour", "body"),
    [
        (answer(b"[1, 2]"), b"[1, 2]"),
        (packed(b"[3]" * 1000), b"[3]" * 1000),
        (chunked(b"[4", b", 5]"), b"[4, 5]"),
        (chunked(*[b"x"] * 5, pause=0.3), b"xxxxx"),
        (answer(b"<html>", Content_Type="text/plain"), b"<html>"),
    ],
)
async def test_a_good_answer_comes_whole(behaviour: Behaviour, body: bytes) -> None:
    """Plain, packed, in pieces, or slowly."""
    async with serving(behaviour) as server:
        assert await fetch(f"{server.url}/a", read_timeout=1.2) == body  # between two pieces
        assert len(server.requests) == 1
        assert b"User-Agent: exchanges_db" in server.requests[0]


# RFC 9110 and 6585: the server could not answer now; every other 4xx and 5xx is an answer.
MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
REFUSALS = {status.value for status in HTTPStatus if status.value >= 400} - MAY_PASS


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        *((answer(status=status), f"status {status}") for status in sorted(MAY_PASS)),
        (answer(b"[1]", length=100), "cut its answer off"),
        (garbage(b"HELLO\r\n\r\n"), "cannot be reached"),
        (silence, "did not answer in time"),
        (chunked(b"[", b"]", pause=0.5), "did not answer in time"),
        (answer(b""), "answers with nothing"),
        (answer(b"<html>", Content_Type="text/html; charset=utf-8"), "web page"),
    ],
)
async def test_what_may_pass_is_tried_again_and_then_given_up(behaviour: Behaviour, words: str) -> None:
    """As often as the settings say, and never without end."""
    async with serving(behaviour) as server:
        with pytest.raises(DownloadFailed, match=words) as info:
            await fetch(f"{server.url}/a/b")
        assert len(server.requests) == 3
        assert info.value.attempts == 3
        assert str(info.value).startswith("127.0.0.1/a/b ")
        assert "tried 3 times" in str(info.value)
    async with serving(behaviour, answer(b"[7]")) as server:
        assert await fetch(f"{server.url}/a") == b"[7]"
        assert len(server.requests) == 2


async def test_a_connection_that_closes_without_a_word_is_tried_again() -> None:
    """Aiohttp itself asks a second time each time, as HTTP allows for GET; that keeps to the rate limit too."""
    async with serving(garbage(b"")) as server:
        with pytest.raises(DownloadFailed, match="cannot be reached"):
            await fetch(server.url, limit=20)
        assert len(server.requests) == 6
        assert server.times[-1] - server.times[0] >= 0.2


@pytest.mark.parametrize("status", sorted(REFUSALS))
async def test_a_refusal_is_not_repeated(status: int) -> None:
    """Asking again would make a ban longer."""
    async with serving(answer(status=status)) as server:
        with pytest.raises(DownloadFailed, match=f"status {status}") as info:
            await fetch(server.url)
        assert (info.value.status, len(server.requests)) == (status, 1)


async def test_a_part_of_a_list_is_no_list() -> None:
    """Nobody asked for a part."""
    async with serving(answer(status=206), answer()) as server:
        assert await fetch(server.url) == b"[1]"
        assert len(server.requests) == 2


async def test_a_redirect_is_not_followed() -> None:
    """Wherever it leads."""
    async with serving(answer()) as other, serving(answer(status=302, Location=other.url)) as server:
        with pytest.raises(DownloadFailed, match="redirect"):
            await fetch(server.url)
        assert (len(server.requests), len(other.requests)) == (1, 0)


@pytest.mark.parametrize("form", ["seconds", "date", "gate"])
async def test_the_server_says_how_long_to_wait(form: str) -> None:
    """And is obeyed."""
    until = datetime.now(UTC) + timedelta(seconds=3)
    headers: dict[str, Any] = {
        "seconds": {"Retry_After": "1"},
        "date": {"Retry_After": format_datetime(until, usegmt=True)},
        "gate": {"X_Gate_RateLimit_Reset_Timestamp": str(int(until.timestamp()))},
    }[form]
    waits: list[float] = []
    async with serving(answer(status=429, **headers), answer(b"[1]")) as server:
        settings = DownloadSettings(first_wait=0.01, longest_wait=5)
        async with Downloader(settings) as downloader:
            await downloader.fetch(server.url, on_retry=lambda reason, wait: waits.append(wait))
        waited = server.times[1] - server.times[0]
        assert waited >= waits[0]
        assert 0.5 < waits[0] <= 3
        assert waited < 6


async def test_a_pause_that_is_too_long_ends_the_download() -> None:
    """The error says how long the server asked for."""
    async with serving(answer(status=429, Retry_After="3600")) as server:
        with pytest.raises(DownloadFailed, match="pause of 3600 s") as info:
            await fetch(server.url)
        assert (info.value.status, len(server.requests)) == (429, 1)


@pytest.mark.parametrize("text", ["soon", "-5", "1.5", "", "9" * 400, "Mon, 99 Foo 2026 00:00:00 GMT", "٣"])
async def test_a_pause_that_cannot_be_read_is_ignored(text: str) -> None:
    """The usual back-off applies; an absurd number of seconds ends the download."""
    async with serving(answer(status=429, Retry_After=text, X_Gate_RateLimit_Reset_Timestamp="x")) as server:
        with pytest.raises(DownloadFailed):
            await fetch(server.url)
        assert len(server.requests) == (1 if text.startswith("9") else 3)


async def test_waits_grow() -> None:
    """Twice as long each time, up to the longest."""
    waits: list[float] = []
    async with serving(answer(status=500)) as server:
        settings = DownloadSettings(first_wait=0.02, longest_wait=0.05, attempts=5)
        async with Downloader(settings) as downloader:
            with pytest.raises(DownloadFailed):
                await downloader.fetch(server.url, on_retry=lambda reason, wait: waits.append(wait))
    assert waits == [0.02, 0.04, 0.05, 0.05]


@pytest.mark.parametrize(
    "behaviour", [flood, packed(b" " * 5_000_000), answer(b"[1]", length=10**12), answer(b" " * 200_000)]
)
async def test_more_than_is_wanted_is_not_read(behaviour: Behaviour) -> None:
    """Whatever it claims or however it is packed."""
    async with serving(behaviour) as server:
        with pytest.raises(DownloadFailed, match="more than 100000 bytes"):
            await fetch(server.url, max_bytes=100_000)
        assert len(server.requests) == 1
    async with serving(answer(b" " * 100_000)) as server:
        assert len(await fetch(server.url, max_bytes=100_000)) == 100_000


@pytest.mark.parametrize(("behaviour", "total"), [(answer(b"x" * 200_000), 200_000), (chunked(b"x" * 200_000), None)])
async def test_progress_is_told(behaviour: Behaviour, total: int | None) -> None:
    """With the whole length where it is known."""
    told: list[tuple[int, int | None]] = []
    async with serving(behaviour) as server, Downloader() as downloader:
        await downloader.fetch(server.url, on_progress=lambda done, whole: told.append((done, whole)))
    assert told[-1] == (200_000, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


async def test_a_packed_body_has_no_known_length() -> None:
    """Its Content-Length is that of the packed one."""
    told: list[int | None] = []
    async with serving(answer(gzip.compress(b"[1]"), Content_Encoding="gzip")) as server, Downloader() as downloader:
        assert await downloader.fetch(server.url, on_progress=lambda done, whole: told.append(whole)) == b"[1]"
    assert set(told) == {None}


async def test_the_rate_limit_is_kept() -> None:
    """Evenly, by repeated requests and parallel ones too."""
    async with serving(answer(status=500), answer()) as server, Downloader(DownloadSettings(**FAST)) as downloader:
        begin = time.monotonic()
        await asyncio.gather(*(downloader.fetch(server.url, requests_per_second=20) for _ in range(5)))
        assert len(server.requests) == 6
        assert time.monotonic() - begin >= 0.25


async def test_requests_of_one_path_keep_apart() -> None:
    """Repeated ones too; those of another path do not wait for them."""
    async with serving(answer(status=500), answer()) as server, Downloader(DownloadSettings(**FAST)) as downloader:
        await downloader.fetch(f"{server.url}/slow", seconds_apart=1)
        await downloader.fetch(f"{server.url}/other", requests_per_second=1000)
        await downloader.fetch(f"{server.url}/slow?x=1", seconds_apart=1)
        first, repeated, other, again = server.times
        assert repeated - first >= 0.95
        assert other - repeated < 0.95
        assert again - repeated >= 0.95


async def test_headers_are_sent_with_each_attempt() -> None:
    """Beside our own, and over them."""
    async with (
        serving(answer(status=500), answer(b"[1]")) as server,
        Downloader(DownloadSettings(**FAST)) as downloader,
    ):
        await downloader.fetch(server.url, headers={"X-Gate-Size-Decimal": "1", "Accept": "text/plain"})
        await downloader.fetch(server.url)
    with_headers, repeated, without = (Request.parse(request).headers for request in server.requests)
    assert with_headers["x-gate-size-decimal"] == repeated["x-gate-size-decimal"] == "1"
    assert (with_headers["accept"], without["accept"]) == ("text/plain", "application/json")
    assert "x-gate-size-decimal" not in without


@pytest.mark.parametrize(
    "headers",
    [{"X-Key": "HUNTER2\r\nX: 1"}, {"X-Key": "HUNTER2\n"}, {"X-Key": "HUNTER2é"}, {"X-Key": 7}, {"X Key": "HUNTER2"},
     {"": "HUNTER2"}, {"X\n": "HUNTER2"}, {7: "HUNTER2"}],
)  # fmt: skip
async def test_a_header_that_cannot_be_sent_is_told_without_its_value(headers: Any) -> None:
    """Before anything is sent: a value may be a secret, and two lines in one would be two headers."""
    async with serving(answer()) as server, Downloader() as downloader:
        with pytest.raises(ConfigurationError, match="header") as info:
            await downloader.fetch(server.url, headers=headers)
        assert server.requests == []
    assert "HUNTER2" not in str(info.value)


@pytest.mark.parametrize("behaviour", [silence, answer(status=429, Retry_After="20")])
async def test_it_can_be_cancelled(behaviour: Behaviour) -> None:
    """While it reads or waits, at once."""
    async with serving(behaviour) as server:
        task = asyncio.create_task(fetch(server.url, read_timeout=20, longest_wait=60))
        await asyncio.sleep(0.2)
        begin = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begin < 10


async def test_nobody_there() -> None:
    """A closed port, and a name that nobody has."""
    async with serving(answer()) as server:
        port = server.url
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        await fetch(port)
    with pytest.raises(DownloadFailed, match="cannot be reached"):
        await fetch("http://nobody.invalid/x")


@pytest.mark.parametrize(
    "url",
    ["", "ftp://h/x", "http://", "http:///x", "https://h /x", "http://h/\n", "http://u:p@h/", "h/x", "http://h:99999/"],
)
async def test_what_is_no_url_says_so(url: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigurationError, match="base_url"):
        await fetch(url)


async def test_no_secret_leaves_it(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a token in the query nor user and password, nor a header."""
    with caplog.at_level(logging.DEBUG):
        async with serving(answer(status=500)) as server:
            with pytest.raises(DownloadFailed) as info:
                await fetch(f"{server.url}/x?token=HUNTER2")
            async with Downloader(DownloadSettings(**FAST)) as downloader:
                with pytest.raises(DownloadFailed) as third:
                    await downloader.fetch(server.url, headers=SECRET)
        with pytest.raises(ConfigurationError) as other:
            await fetch("https://me:HUNTER2@h/")
    texts = (
        "".join(traceback.format_exception(third.value))
        + "".join(traceback.format_exception(info.value))
        + "".join(traceback.format_exception(other.value))
    )
    shown = [line for line in (texts + caplog.text + repr(info.value)).splitlines() if "HUNTER2" in line]
    assert [line for line in shown if "await fetch(" not in line] == []


async def test_retries_are_told_by_our_logger_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Stamina has a logger and hooks for the whole process: ours say nothing there, everybody else's do as before."""
    with caplog.at_level(logging.DEBUG):
        async with serving(answer(status=503), answer(status=503), answer(b"[1]")) as server:
            assert await fetch(f"{server.url}/list") == b"[1]"
        ours = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "exchanges_db"]
        assert [record for record in caplog.records if record.name == "stamina"] == []
        for attempt in stamina.retry_context(on=KeyError, attempts=2, wait_initial=0, wait_jitter=0):
            with attempt:
                if attempt.num == 1:
                    raise KeyError("somebody else's")
        assert [record.getMessage() for record in caplog.records if record.name == "stamina"] == [
            "stamina.retry_scheduled"
        ]
    assert ours == [
        ("WARNING", "127.0.0.1/list answers with status 503: it says '[1]'; next try in 0.0 s"),
        ("WARNING", "127.0.0.1/list answers with status 503: it says '[1]'; next try in 0.0 s"),
    ]


@pytest.mark.parametrize("behaviour", [garbage(b"HELLO\r\n\r\n"), garbage(b""), silence, answer(b"[1]", length=100)])
async def test_a_traceback_shows_no_query(behaviour: Behaviour) -> None:
    """The HTTP client puts the whole URL into some of its errors, and whoever logs ours logs what caused it."""
    async with serving(behaviour) as server:
        with pytest.raises(DownloadFailed) as info:
            await fetch(f"{server.url}/a?key={SECRET['X-Key']}")
    assert "HUNTER2" not in "".join(traceback.format_exception(info.value))
