"""Bring a list of an exchange's symbols into the database: the difference first, then all of it or nothing.

One import of an exchange runs at a time. What has not changed is not written, but that the list was observed is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from time import monotonic

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.database.default import DatabaseOrConnection, run_in_transaction
from exchanges_db.database.metrics import gauges
from exchanges_db.errors import DatabaseError, InvalidArgument, shown
from exchanges_db.events import event
from exchanges_db.exchanges.names import check_exchange
from exchanges_db.moments import check_moment
from exchanges_db.symbols.allowances import Allowance
from exchanges_db.symbols.applying import (
    apply_changes,
    is_worth_recording,
    record_confirmed,
    record_doubts,
    record_list,
    record_raw,
)
from exchanges_db.symbols.comparing import Offer, compare, report_of
from exchanges_db.symbols.import_limits import ImportLimits
from exchanges_db.symbols.import_lock import check_isolation, check_wait, take_lock
from exchanges_db.symbols.import_records import ImportOutcome
from exchanges_db.symbols.known import Known, fetch_known, fetch_recent
from exchanges_db.symbols.ledger import Attempt, begin_attempt, noted, plain_origin, record_applied
from exchanges_db.symbols.listing import Listing
from exchanges_db.symbols.lists import last_observed
from exchanges_db.symbols.models import SymbolSpec
from exchanges_db.symbols.payloads.readers import read_payload, with_absences
from exchanges_db.symbols.payloads.reading import Payload
from exchanges_db.symbols.payloads.specs import as_payload, sha256_of
from exchanges_db.symbols.report import ImportRefused, ImportReport
from exchanges_sql.symbol_import import AsyncQuerier

log = logging.getLogger("exchanges_db")

_NO_LIMITS_SET = ImportLimits()


async def import_symbols(
    exchange: Enum | str,
    payload: bytes,
    *,
    listing: Listing | str | None = None,
    companion: bytes | None = None,
    observed_at: datetime | None = None,
    origin: str | None = None,
    allow: Collection[Allowance | str] = (),
    limits: ImportLimits = _NO_LIMITS_SET,
    dry_run: bool = False,
    wait: float = 60,
    on_wait: Callable[[str], None] = lambda message: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> ImportReport:
    """Compare a whole list of an exchange's symbols with what is known, and write the difference in one transaction.

    Rows that a brake holds back are not written, and their symbols are DOUBTFUL from then on; the rest is. What was
    changed, refused or failed stands in the ledger: see `list_imports`.

    exchange: whose payload it is.
    listing: which of the exchange's lists it is, as Listing or as text such as PERPETUAL:USDT; needed where the
        payload itself does not tell, as for the contracts of Gate.io, whose settlement stands in the URL only.
    companion: what the exchange says of symbols that the list has no longer; for MEXC spot, the answer to GET
        /api/v3/symbol/offline. Without it they are delisted from `observed_at` on.
    observed_at: when the exchange gave the payload; by default now, by the clock of the database.
    origin: the URL or file that it is from, for the ledger; user, password and query of a URL are not stored.
    allow: what may pass although a brake stops it, as Allowance or as text: "jump=BTC_USDT" lets one symbol through,
        "left=sha256:0123456789ab" one payload that was reviewed.
    limits: from where on brakes stop a list or a row.
    dry_run: only tell what would change, and which brakes stop it.
    wait: how many seconds to wait for another import of the same exchange; on_wait: called with who is waited for.
    on_progress: called with the symbols written so far and their number.

    Raises:
        PayloadError: it cannot be read, or is an error message of the exchange.
        InvalidArgument: an argument is unusable; `.field` names it. `db` is so where its transaction is REPEATABLE
            READ or SERIALIZABLE.
        ImportRefused: a brake stopped it; `.report` tells what would have changed. Nothing was written.
        ExchangeNotFound: the exchange has no row.
        ImportBusy: another import of the exchange was still running after `wait` seconds.
        Conflict: somebody else changed a symbol meanwhile; nothing was written, import it again.
    """
    begin = _Begin(observed_at, origin, allow, limits, wait)
    attempt = await begin_attempt(check_exchange(exchange), begin.observed_at, begin.origin, db)
    if isinstance(payload, bytes):
        attempt.payload_sha256, attempt.payload_size = sha256(payload).hexdigest(), len(payload)
    attempt.listing = None if listing is None else Listing.parse(listing)
    async with noted(attempt, db, dry_run=dry_run):
        read = read_payload(attempt.exchange, payload, listing=listing, observed_at=attempt.observed_at)
        if companion is not None:
            read = with_absences(read, companion)
        run = _Run(attempt, begin, read, dry_run, on_wait, on_progress)
        return await run.import_on(db)


async def import_specs(
    exchange: Enum | str,
    listing: Listing | str,
    specs: Iterable[SymbolSpec],
    *,
    source: str,
    rejected: Mapping[str, str] | None = None,
    observed_at: datetime | None = None,
    origin: str | None = None,
    allow: Collection[Allowance | str] = (),
    limits: ImportLimits = _NO_LIMITS_SET,
    dry_run: bool = False,
    wait: float = 60,
    on_wait: Callable[[str], None] = lambda message: None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    db: DatabaseOrConnection | None = None,
) -> ImportReport:
    """Import a whole list of symbols that a source of your own made: with the same difference, brakes and history.

    listing: which of the exchange's lists it is; `specs`: all symbols of it, each of which it must cover.
    source: what the list is from, in your own words; it stands with each symbol.
    rejected: native symbols that the list has and you could not read, each with the reason; they have not vanished.

    The rest is as for `import_symbols`. What stands for a payload's hash in `allow` is made of the specifications, and
    told by `ImportReport.payload_sha256`. No row of a payload is stored, so `get_symbol_raw` finds none.

    Raises:
        InvalidSymbol: `specs` holds something else than a SymbolSpec, or one of another list; or `source` is no text.
        InvalidArgument, ImportRefused, ExchangeNotFound, ImportBusy, Conflict: as `import_symbols`.
    """
    begin = _Begin(observed_at, origin, allow, limits, wait)
    place = check_exchange(exchange)
    read = as_payload(Listing.parse(listing), specs, source, rejected or {})
    attempt = await begin_attempt(place, begin.observed_at, begin.origin, db)
    attempt.payload_sha256 = sha256_of(read)
    async with noted(attempt, db, dry_run=dry_run):
        run = _Run(attempt, begin, read, dry_run, on_wait, on_progress)
        return await run.import_on(db)


def check_allowances(allow: Collection[Allowance | str]) -> tuple[Allowance, ...]:
    """Return what an import may pass; raise InvalidArgument where one of them is no allowance."""
    # A single text is a collection too, of letters.
    if isinstance(allow, str) or not isinstance(allow, Collection):
        raise InvalidArgument('allow takes a list: ["jump=BTC_USDT", "left=sha256:0123456789ab"]', field="allow")
    return tuple(map(Allowance.parse, allow))


class _Begin:
    """The arguments of an import that both kinds have, checked before anything is sent."""

    def __init__(
        self,
        observed_at: datetime | None,
        origin: str | None,
        allow: Collection[Allowance | str],
        limits: ImportLimits,
        wait: float,
    ) -> None:
        self.observed_at = None if observed_at is None else check_moment(observed_at, "observed_at")
        self.origin = plain_origin(origin)
        self.allowances = check_allowances(allow)
        if not isinstance(limits, ImportLimits):
            raise InvalidArgument(f"limits must be an ImportLimits, not {shown(limits)}", field="limits")
        self.limits = limits
        self.wait = check_wait(wait)


class _Run(msgspec.Struct, frozen=True):
    """One import, once its list is read."""

    attempt: Attempt
    begin: _Begin
    read: Payload
    dry_run: bool
    on_wait: Callable[[str], None]
    on_progress: Callable[[int, int], None]

    async def import_on(self, db: DatabaseOrConnection | None) -> ImportReport:
        """Return the report of the import, applied in one transaction unless it is a dry run."""
        self.attempt.listing, self.attempt.source = self.read.listing, self.read.source
        report = await run_in_transaction(db, self._work, readonly=self.dry_run, savepoint=True)
        if report.applied:
            self._tell(report)
        return report

    def _tell(self, report: ImportReport) -> None:
        """Log and count an import that was applied, and how old the list is by now, all of it by the server's clock."""
        attempt, listing = self.attempt, str(report.listing)
        outcome = "UNCHANGED" if report.import_id is None else ImportOutcome.APPLIED.value
        seconds = monotonic() - attempt.began
        counts = ", ".join(f"{count} {kind}" for kind, count in report.counts().items() if count)
        log.info(
            "imported %s of %s: %s",
            listing,
            report.exchange,
            counts or "nothing changed",
            extra=event(
                "imported",
                exchange=report.exchange,
                listing=listing,
                outcome=outcome,
                changes=len(report.changes),
                unchanged=report.unchanged,
                held_back=len(report.held_back),
                seconds=seconds,
            ),
        )
        gauges.count_import(report.exchange, listing, outcome)
        age = max(timedelta(0), attempt.began_at - attempt.observed_at) + timedelta(seconds=seconds)
        gauges.saw_list(report.exchange, listing, age, may_be_older=False)

    async def _work(self, conn: AsyncConnection) -> ImportReport:
        attempt, begin, read = self.attempt, self.begin, self.read
        querier = AsyncQuerier(conn)
        if not self.dry_run:
            await check_isolation(querier)
            await take_lock(querier, attempt.exchange_id, attempt.exchange, wait=begin.wait, on_wait=self.on_wait)
        clock = await querier.get_import_moment(exchange_id=attempt.exchange_id)
        if clock is None:
            raise DatabaseError("the server gave no time")
        newest = await last_observed(querier, attempt.exchange, read.listing)
        known = await fetch_known(querier, attempt.exchange_id, read, attempt.observed_at)
        offer = Offer(
            exchange=attempt.exchange,
            read=read,
            observed_at=attempt.observed_at,
            payload_sha256=attempt.payload_sha256,
            payload_size=attempt.payload_size,
            limits=begin.limits,
            allowances=begin.allowances,
        )
        changes = compare(known, offer)
        recent = await fetch_recent(querier, changes, clock.asked_at, begin.limits)
        report = report_of(changes, known, offer, now=clock.asked_at, newest=newest, recent=recent)
        if self.dry_run:
            return report
        refused = [hit.reason for hit in report.brakes if not hit.allowed]
        if refused:
            raise ImportRefused("nothing was imported: " + "; ".join(refused), report=report)
        return await self._apply(conn, known, report, clock.moment, newest)

    async def _apply(
        self, conn: AsyncConnection, known: Known, report: ImportReport, moment: datetime, newest: datetime | None
    ) -> ImportReport:
        querier, exchange_id = AsyncQuerier(conn), self.attempt.exchange_id
        inserted: dict[str, int] = {}
        if report.changes:
            await querier.pin_import_moment(moment=moment)
            inserted = await apply_changes(querier, exchange_id, known, report, moment, self.on_progress)
            await querier.pin_import_moment(moment=None)
        await record_confirmed(querier, exchange_id, known, report)
        await record_raw(querier, known, self.read, inserted, report.observed_at)
        doubted = await record_doubts(querier, exchange_id, known, report.listing, report.held_back, moment)
        unchanged = not (report.changes or report.brakes or doubted)
        # The judge heeds an announced time until a list comes that was observed after it: the past must know which.
        eventful = not unchanged or await is_worth_recording(querier, exchange_id, report, newest)
        changed_at = moment if report.changes else None
        await record_list(querier, exchange_id, report, changed_at=changed_at, confirmed=unchanged)
        report = msgspec.structs.replace(report, applied=True, moment=moment if eventful else None)
        if not eventful:
            return report
        return msgspec.structs.replace(report, import_id=await record_applied(conn, self.attempt, report))
