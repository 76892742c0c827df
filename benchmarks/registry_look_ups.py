"""What a look-up of a registry costs beside a list and a dict, and beside ccxt's `market` where that is installed.

Look-ups in random order, in turns. Every ratio is formed within one round, so that a slow moment of the machine is one
of both sides. A p99.9 is of groups of GROUP look-ups, each timed as one, because to read a clock takes longer than one.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from time import perf_counter_ns
from types import FunctionType
from typing import Annotated, Any, cast

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from benchmarks.figures import Target
from benchmarks.report import new_folder, wide_console
from exchanges_db import MarketType, RegistrySymbol, StoredExchange, SymbolKind, SymbolStatus
from exchanges_db.registry.followers import Follower
from exchanges_db.registry.look_ups import LookUps
from exchanges_db.registry.models import Position
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.symbols.enums import ContractDirection, SidesAllowed

PLACE = "GATEIO_FUTURES"
BEGIN = datetime(2026, 1, 31, tzinfo=UTC)
BY_ID, BY_NATIVE, BY_PAIR, PAIR_ID = (Target("at most", most) for most in (2.0, 1.2, 1.5, 2.0))
FASTER = Target("less than", 1.0)
GROUP = 100
CCXT, CCXT_OF_PAIR = "ccxt.market(symbol)", "ccxt.market(of a, b)"
Loop = Callable[[list[Any]], None]


class Figure(msgspec.Struct, frozen=True):
    """One look-up beside another: nanoseconds each, with the loop around them, and the ratio of the two.

    Attributes:
        ratio: the median of the ratios of the rounds; target: None where it is only shown.
        worst, worst_beside: nanoseconds of a look-up in the slowest of a thousand groups, p99.9.
    """

    name: str
    symbols: int
    ours: float
    beside: float
    ratio: float
    worst: float
    worst_beside: float
    target: str | None
    met: bool


class Held(LookUps):
    """The look-ups of a registry, without the database: they are the same."""

    state = RegistryState.LIVE

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__()
        self._served.moved(None, snapshot, None)

    def now(self) -> datetime:
        """Any time."""
        return BEGIN

    def follow(self, follower: Follower) -> None:
        """Nothing moves here."""


def main(
    rounds: Annotated[int, typer.Option(min=3, help="Rounds in which every look-up has its turn.")] = 60,
    out: Annotated[Path, typer.Option(help="Folder for the JSON.")] = Path("benchmarks/results"),
) -> None:
    """Measure look-ups over 3,000 symbols and over 100,000; exit with 1 where a target is missed."""
    figures = [*_measure(3_000, rounds), *_measure(100_000, max(3, rounds // 8))]
    table = Table(box=None, header_style="bold")
    for column in ("look-up / beside", "symbols", "p50 ns", "ratio", "target", "met", "p99.9 ns"):
        table.add_column(column, no_wrap=True)
    for one in figures:
        met = "" if one.target is None else "yes" if one.met else "MISSED"
        nanoseconds = (f"{one.ours:.0f}, {one.beside:.0f}", f"{one.worst:.0f}, {one.worst_beside:.0f}")
        ratio = f"{one.ratio:.2f}"
        table.add_row(
            escape(one.name), f"{one.symbols:,}", nanoseconds[0], ratio, one.target or "", met, nanoseconds[1]
        )
    wide_console().print(table)
    (new_folder(out) / "registry_look_ups.json").write_bytes(
        msgspec.json.format(msgspec.json.encode(figures), indent=2)
    )
    raise typer.Exit(not all(one.met for one in figures))


def _snapshot(count: int) -> Snapshot:
    exchange = StoredExchange(
        id=1,
        name=PLACE,
        enum_value=PLACE,
        display_name=PLACE,
        market_type=MarketType.FUTURES,
        created_at=BEGIN,
        updated_at=BEGIN,
        version=1,
    )
    symbols = {
        number: RegistrySymbol(
            id=number,
            exchange_id=1,
            exchange=PLACE,
            native_symbol=f"C{number}_USDT",
            symbol=f"C{number}/USDT:USDT",
            base=f"C{number}",
            quote="USDT",
            settle="USDT",
            kind=SymbolKind.PERPETUAL,
            direction=ContractDirection.LINEAR,
            status=SymbolStatus.TRADING,
            sides=SidesAllowed.ALL,
            price_decimals=1,
            quantity_decimals=0,
            spec_version=1,
            created_at=BEGIN,
            updated_at=BEGIN,
            price_tick=Decimal("0.1"),
            quantity_step=Decimal(1),
            contract_size=Decimal("0.01"),
        )
        for number in range(count)
    }
    return Snapshot.of(Position(1, "token"), {1: Place(exchange=exchange).evolved(symbols=symbols)})


def _measure(count: int, rounds: int) -> list[Figure]:
    sys.stderr.write(f"{count:,} symbols, {rounds} rounds\n")
    held = Held(_snapshot(count))
    view = held.view(PLACE, SymbolKind.PERPETUAL)
    by_native = held.view(PLACE, SymbolKind.PERPETUAL, pairs=False)
    symbols = [*held.by_id.values()]
    random.Random(1).shuffle(symbols)  # noqa: S311  # nothing is secret
    # As they come out of a message: texts of their own, not the objects that are the keys.
    natives = [f"{one.base}_{one.quote}" for one in symbols]
    pairs = [(f"C{one.id}", one.quote) for one in symbols]
    names = [f"{one.base}/{one.quote}:USDT" for one in symbols]
    by_name = _ccxt_market(held.by_id.values())
    for one in held.by_id.values():  # kept from then on, in the order in which the others are filled
        held.symbol_id(PLACE, one.base, one.quote)
    turns: dict[str, tuple[Loop, list[Any]]] = {
        "list[i]": (_by_key([held.by_id[number] for number in range(count)]), [one.id for one in symbols]),
        "by_id[i]": (_by_key(held.by_id), [one.id for one in symbols]),
        "dict[str]": (_by_key({one.native_symbol: one for one in held.by_id.values()}), natives),
        "view[native]": (_by_key(view), natives),
        "view without pairs[native]": (_by_key(by_native), natives),
        "dict[a, b]": (_by_two({(one.base, one.quote): one for one in held.by_id.values()}), pairs),
        "view[a, b]": (_by_two(view), pairs),
        "dict[a, b, c]": (_by_three({(PLACE, one.base, one.quote): one.id for one in held.by_id.values()}), pairs),
        "symbol_id(a, b, c)": (_by_call(held), pairs),
    }
    beside: list[tuple[str, str, Target | None]] = [
        ("by_id[i]", "list[i]", BY_ID),
        ("view without pairs[native]", "dict[str]", BY_NATIVE),
        ("view[native]", "dict[str]", BY_NATIVE),
        ("view[a, b]", "dict[a, b]", BY_PAIR),
        ("symbol_id(a, b, c)", "dict[a, b, c]", PAIR_ID),
    ]
    if by_name is not None:
        turns[CCXT] = (_by_name(by_name), names)
        turns[CCXT_OF_PAIR] = (_by_name_of_pair(by_name), pairs)
        beside += [("by_id[i]", CCXT, FASTER), ("view[native]", CCXT, FASTER)]
        # A plain dict[a, b] takes longer than ccxt's look-up by one text: shown, and no target for what is a dict.
        beside += [
            (ours, other, None)
            for ours in ("dict[a, b]", "view[a, b]", "symbol_id(a, b, c)")
            for other in (CCXT, CCXT_OF_PAIR)
        ]
    times = _in_turns(turns, rounds)
    return [_figure(ours, other, count, times, target) for ours, other, target in beside]


def _ccxt_market(symbols: Iterable[RegistrySymbol]) -> Callable[[str], Any] | None:
    """Return the look-up of ccxt over markets of these names; None where ccxt is not installed."""
    try:
        exchange = import_module("ccxt").Exchange()
    except ModuleNotFoundError:
        sys.stderr.write("ccxt is not installed here: look-ups are not measured beside it\n")
        return None
    exchange.markets = {one.symbol: {"id": one.native_symbol, "symbol": one.symbol} for one in symbols}
    exchange.markets_by_id = {}
    market: Callable[[str], Any] = exchange.market
    return market


def _alone(loop: Loop) -> Loop:
    """Return the loop with code of its own: Python makes code quicker for what it meets there, if that is one kind."""
    made = cast("FunctionType", loop)
    return FunctionType(made.__code__.replace(), globals(), made.__name__, None, made.__closure__)


def _by_key(answers: Any) -> Loop:
    def loop(keys: list[Any]) -> None:
        for key in keys:
            answers[key]

    return _alone(loop)


def _by_two(answers: Any) -> Loop:
    def loop(keys: list[Any]) -> None:
        for base, quote in keys:
            answers[base, quote]

    return _alone(loop)


def _by_three(answers: Any) -> Loop:
    place = PLACE

    def loop(keys: list[Any]) -> None:
        for base, quote in keys:
            answers[place, base, quote]

    return _alone(loop)


def _by_call(held: LookUps) -> Loop:
    place = PLACE

    def loop(keys: list[Any]) -> None:
        for base, quote in keys:
            held.symbol_id(place, base, quote)

    return _alone(loop)


def _by_name(market: Callable[[str], Any]) -> Loop:
    def loop(keys: list[Any]) -> None:
        for key in keys:
            market(key)

    return _alone(loop)


def _by_name_of_pair(market: Callable[[str], Any]) -> Loop:
    def loop(keys: list[Any]) -> None:
        for base, quote in keys:
            market(f"{base}/{quote}:USDT")

    return _alone(loop)


def _in_turns(turns: dict[str, tuple[Loop, list[Any]]], rounds: int) -> dict[str, list[list[float]]]:
    """Return nanoseconds of a look-up in each group, of each round, by what was looked up."""
    groups = {
        name: [keys[begin : begin + GROUP] for begin in range(0, len(keys), GROUP)] for name, (_, keys) in turns.items()
    }
    for name, (loop, _) in turns.items():  # once in vain: what is kept is kept from then on
        for keys in groups[name]:
            loop(keys)
    gc.collect()
    gc.freeze()
    times: dict[str, list[list[float]]] = {name: [] for name in turns}
    order = [*turns]
    for number in range(rounds):
        first = number % len(order)
        # Whoever has its turn after another finds keys in the processor's cache: in every second round the other has.
        for name in (order[first:] + order[:first])[:: -1 if number % 2 else 1]:
            loop, taken = turns[name][0], []
            for keys in groups[name]:
                begin = perf_counter_ns()
                loop(keys)
                taken.append((perf_counter_ns() - begin) / len(keys))
            times[name].append(taken)
    gc.unfreeze()
    return times


def _figure(ours: str, other: str, count: int, times: dict[str, list[list[float]]], target: Target | None) -> Figure:
    mine, theirs = times[ours], times[other]
    # Of the medians of a round: a group in which another process had the processor says nothing of a look-up.
    ratio = statistics.median(statistics.median(a) / statistics.median(b) for a, b in zip(mine, theirs, strict=True))
    return Figure(
        name=f"{ours} / {other}",
        symbols=count,
        ours=_typical(mine),
        beside=_typical(theirs),
        ratio=ratio,
        worst=_worst(mine),
        worst_beside=_worst(theirs),
        target=None if target is None else str(target),
        met=target is None or target.is_met(ratio),
    )


def _typical(rounds: list[list[float]]) -> float:
    return statistics.median(one for taken in rounds for one in taken)


def _worst(rounds: list[list[float]]) -> float:
    every = sorted(one for taken in rounds for one in taken)
    return every[len(every) * 999 // 1000]


if __name__ == "__main__":
    typer.run(main)
