"""How the outcomes of a sync are shown: at once, or a line for each round of one that goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from exchanges_db.cli import output, symbol_tables
from exchanges_db.symbols.allowances import how_to_allow
from exchanges_db.symbols.keep_synced import SyncRound
from exchanges_db.symbols.sync_outcomes import ListOutcome, SyncOutcome


def show_outcomes(outcomes: Sequence[ListOutcome], *, every: bool) -> None:
    """Show what became of each list: as JSON all of it, else the reports of those that have one."""
    if output.is_json():
        output.show_json(outcomes)
        return
    symbol_tables.show_reports([one.report for one in outcomes if one.report is not None], every=every)


def show_round(one: SyncRound) -> None:
    """Write one line: what a round did, and when the next one begins; with --json an object on one line."""
    if output.is_json():
        output.write(output.json_text(_plain(one)) + "\n")
        return
    counted = Counter(outcome.outcome for outcome in one.outcomes)
    parts = [f"{counted[kind]} {kind.lower()}" for kind in SyncOutcome if counted[kind]] or ["no list"]
    parts += [f"{outcome.exchange} {outcome.subject}: {outcome.error}" for outcome in one.outcomes if outcome.error]
    held = sum(len(outcome.report.held_back) for outcome in one.outcomes if outcome.report is not None)
    parts += [f"{held} rows held back"] if held else []
    parts += [f"{exchange} is still being asked" for exchange in one.busy]
    parts += [f"{exchange} wants to be left alone for {left:.0f} s" for exchange, left in one.postponed.items()]
    parts += [one.trouble] if one.trouble else []
    parts.append("stopped" if one.next_in is None else f"next in {one.next_in:.0f} s")
    output.say(f"{one.ended_at:%Y-%m-%dT%H:%M:%SZ} round {one.number}: {'; '.join(parts)}")


def what_to_do(outcome: ListOutcome, allow: Sequence[str]) -> list[str]:
    """Return what lets a list through that a brake has stopped, once somebody has looked at it."""
    if outcome.outcome is not SyncOutcome.REFUSED or outcome.report is None:
        return []
    if outcome.saved is None:
        return ["to import what you have looked at, and nothing else: sync with --save DIR, then import that file"]
    needed = [
        how_to_allow(hit.brake, payload_sha256=outcome.saved.payload_sha256)
        for hit in outcome.report.brakes
        if not hit.allowed
    ]
    return [
        f"what was refused is in {outcome.saved.payload}; look at it, and then:",
        outcome.saved.import_command(sorted({*needed, *allow})),
    ]


def _plain(one: SyncRound) -> dict[str, Any]:
    """Return a round for JSON: counts in place of each change, which may be thousands."""
    return {
        "round": one.number,
        "began_at": one.began_at,
        "ended_at": one.ended_at,
        "good": one.is_good,
        "lists": [
            {
                "exchange": outcome.exchange,
                "list": outcome.subject,
                "outcome": outcome.outcome,
                "observed_at": outcome.observed_at,
                "changes": {} if outcome.report is None else outcome.report.counts(),
                "held_back": [] if outcome.report is None else [row.native_symbol for row in outcome.report.held_back],
                "error": outcome.error,
            }
            for outcome in one.outcomes
        ],
        "busy": one.busy,
        "postponed": {exchange: round(left, 1) for exchange, left in one.postponed.items()},
        "trouble": one.trouble,
        "next_in": None if one.next_in is None else round(one.next_in, 1),
        "stopped": one.next_in is None,
    }
