"""Fetch a public answer of an exchange over HTTP: with retries, at its rate limit, and no more bytes than allowed.

A download ends in the whole body or in DownloadFailed. Messages name host and path only: a URL may hold secrets.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, urlsplit

import aiohttp
import stamina
from aiolimiter import AsyncLimiter
from stamina.instrumentation import RetryDetails, RetryHook, get_on_retry_hooks, set_on_retry_hooks

from exchanges_db.errors import ConfigurationError, DownloadFailed, shown
from exchanges_db.events import event
from exchanges_db.symbols.download_settings import DownloadSettings
from exchanges_db.symbols.payloads.document import in_its_words

log = logging.getLogger("exchanges_db")

_BUSY = frozenset((408, 425, 429, 500, 502, 503, 504))
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_CHUNK = 64 * 1024
_MOST_WORDS = 4096


class _TryAgain(Exception):
    """An attempt that failed in a way that may pass; `wait`: seconds the server asked for."""

    def __init__(self, reason: str, *, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.wait = wait


class _OthersOnly:
    """Wraps one of stamina's hooks, and passes every retry on to it but ours, which our own logger reports."""

    def __init__(self, hook: RetryHook) -> None:
        self._hook = hook

    def __call__(self, details: RetryDetails) -> AbstractContextManager[None] | None:
        return None if isinstance(details.caused_by, _TryAgain) else self._hook(details)


def _speak_for_ourselves() -> None:
    # stamina has one set of hooks for the whole process, so they cannot be switched off for one call.
    hooks = get_on_retry_hooks()
    if not all(isinstance(hook, _OthersOnly) for hook in hooks):
        set_on_retry_hooks([hook if isinstance(hook, _OthersOnly) else _OthersOnly(hook) for hook in hooks])


class Downloader:
    """An HTTP session; use it as `async with Downloader() as downloader`."""

    def __init__(self, settings: DownloadSettings | None = None) -> None:
        self._settings = settings or DownloadSettings()
        self._limiters: dict[str, AsyncLimiter] = {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        _speak_for_ourselves()
        self._session = aiohttp.ClientSession(
            headers={"Accept": "application/json", "User-Agent": "exchanges_db"},
            timeout=aiohttp.ClientTimeout(
                total=settings.total_timeout,
                sock_connect=settings.connect_timeout,
                sock_read=settings.read_timeout,
            ),
            trust_env=True,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        requests_per_second: int | None = None,
        seconds_apart: float = 0.0,
        on_progress: Callable[[int, int | None], None] = lambda done, total: None,
        on_retry: Callable[[str, float], None] = lambda reason, wait: None,
    ) -> bytes:
        """Return the body of the answer to GET `url`.

        headers: sent with each attempt, and shown nowhere.
        requests_per_second: the exchange's limit; all requests to its host, repeated ones too, keep to it.
        seconds_apart: the least time between two requests of this path, repeated ones too.
        on_progress: called with the bytes so far and their number, None where the server does not tell.
        on_retry: called with the reason and the seconds until the next attempt.

        Raises:
            ConfigurationError: `url` is no http(s) URL, or a header cannot be sent.
            DownloadFailed: refused, or still failing after all attempts; `.status` is the last answer's.
        """
        parts = _checked(url)
        place = f"{parts.hostname}{parts.path}"
        settings = self._settings
        limits = self._limits(parts, requests_per_second, seconds_apart)
        sent = _checked_headers(headers or {})
        failures = 0

        def wait_for(exc: Exception) -> bool | float:
            nonlocal failures
            if not isinstance(exc, _TryAgain):
                return False
            failures += 1
            asked = exc.wait or 0.0
            if asked > settings.longest_wait:
                return False
            wait: float = max(asked, min(settings.first_wait * 2.0 ** (failures - 1), settings.longest_wait))
            if failures < settings.attempts:
                told = event("download_retried", place=place, status=exc.status, attempt=failures, seconds=wait)
                log.warning("%s %s; next try in %.1f s", place, exc, wait, extra=told)
                on_retry(str(exc), wait)
            return wait

        try:
            async for attempt in stamina.retry_context(on=wait_for, attempts=settings.attempts, timeout=None):
                with attempt:
                    return await self._attempt(url, place, sent, limits, on_progress)
        except _TryAgain as exc:
            advice = f"; it asks for a pause of {exc.wait:.0f} s" if exc.wait else ""
            raise DownloadFailed(
                f"{place} {exc}, tried {failures} times{advice}",
                status=exc.status,
                attempts=failures,
                retry_after=exc.wait,
            ) from exc
        raise AssertionError("stamina ends with an answer or an error")

    def _limits(
        self, parts: SplitResult, requests_per_second: int | None, seconds_apart: float
    ) -> tuple[aiohttp.ClientMiddlewareType, ...]:
        # One at a time, evenly: a burst at the start of a second is what exchanges ban for.
        limiters = []
        if seconds_apart > 0:
            path = f"{parts.netloc}{parts.path}"
            limiters.append(self._limiters.setdefault(path, AsyncLimiter(1, seconds_apart)))
        if requests_per_second is not None:
            limiters.append(self._limiters.setdefault(parts.netloc, AsyncLimiter(1, 1 / requests_per_second)))
        if not limiters:
            return ()

        async def limit(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
            for limiter in limiters:
                await limiter.acquire()
            return await send(request)

        # As middleware, because aiohttp repeats a GET by itself when a connection closes without a word.
        return (limit,)

    async def _attempt(
        self,
        url: str,
        place: str,
        headers: Mapping[str, str],
        limits: tuple[aiohttp.ClientMiddlewareType, ...],
        on_progress: Callable[[int, int | None], None],
    ) -> bytes:
        assert self._session is not None, "use Downloader as `async with Downloader() as downloader`"
        try:
            async with self._session.get(url, headers=headers, allow_redirects=False, middlewares=limits) as response:
                _check(response, place, await _words(response))
                return await self._body(response, place, on_progress)
        except TimeoutError as exc:
            raise _TryAgain("did not answer in time") from exc
        except aiohttp.ClientPayloadError as exc:
            raise _TryAgain("cut its answer off") from exc
        except (aiohttp.ClientResponseError, aiohttp.InvalidURL) as exc:
            # Without its cause, whose text holds the whole URL: a traceback is logged, too.
            raise _TryAgain(f"cannot be reached ({type(exc).__name__})") from None
        except (aiohttp.ClientError, OSError) as exc:
            raise _TryAgain(f"cannot be reached ({type(exc).__name__})") from exc

    async def _body(
        self, response: aiohttp.ClientResponse, place: str, on_progress: Callable[[int, int | None], None]
    ) -> bytes:
        limit = self._settings.max_bytes
        # Content-Length counts the bytes sent: of a compressed body it does not tell the length that comes out.
        total = None if "Content-Encoding" in response.headers else response.content_length
        if (response.content_length or 0) > limit:
            raise DownloadFailed(f"{place} answers with more than {limit} bytes", status=response.status)
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > limit:
                raise DownloadFailed(f"{place} answers with more than {limit} bytes", status=response.status)
            on_progress(len(body), total)
        if not body:
            raise _TryAgain("answers with nothing", status=response.status)
        return bytes(body)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url or "@" in parts.netloc:
        raise ConfigurationError("base_url must be an http:// or https:// URL without blanks, user or password")
    return parts


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"a header cannot be called {shown(name)}")
        # The value is not shown: it may be a secret.
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"the value of the header {name} must be printable ASCII text")
    return dict(headers)


async def _words(response: aiohttp.ClientResponse) -> str:
    """Return what the exchange says of an error, to stand behind ours: nothing where it says so with a web page."""
    if response.status < 400 or response.content_type not in ("application/json", "text/plain"):
        return ""
    try:
        said = await response.content.read(_MOST_WORDS)
    except (aiohttp.ClientError, OSError):  # the status tells enough
        return ""
    query = response.url.raw_query_string
    # A query may hold a secret, and errors are logged.
    return f": it says {in_its_words(said)}" if said and (not query or query.encode() not in said) else ""


def _check(response: aiohttp.ClientResponse, place: str, words: str) -> None:
    status = response.status
    if status in _BUSY:
        raise _TryAgain(f"answers with status {status}{words}", status=status, wait=_asked_wait(response))
    if 300 <= status < 400:
        raise DownloadFailed(f"{place} answers with a redirect: base_url must be the API's own address", status=status)
    if status >= 400:
        advice = words or ": check base_url, or who is let in"
        raise DownloadFailed(
            f"{place} answers with status {status}{advice}", status=status, retry_after=_asked_wait(response)
        )
    if status == 206:
        raise _TryAgain("answers with a part of the list", status=status)
    if response.content_type == "text/html":
        raise _TryAgain("answers with a web page: maintenance, or a wrong base_url", status=status)


def _asked_wait(response: aiohttp.ClientResponse) -> float | None:
    """Return how many seconds the server asks to be left alone, by Retry-After or by Gate.io's own header."""
    text = response.headers.get("Retry-After", "").strip()
    reset = response.headers.get("X-Gate-RateLimit-Reset-Timestamp", "").strip()
    if text.isascii() and text.isdigit():
        return int(text[:9])
    try:
        if text:
            return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
        if reset.isascii() and reset.isdigit():
            return max(0.0, int(reset[:12]) - time.time())
    except (ValueError, OverflowError):
        return None
    return None
