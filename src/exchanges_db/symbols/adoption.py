"""What moving in comes to: which exchange of another database is which of ours, and which ids can be kept. Pure.

Everything that stands in the way is collected, so that one look shows all of it; then nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

from exchanges_db.errors import shown
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.rules import SMALLINT_MAX
from exchanges_db.symbols.models import NamedSymbol
from exchanges_db.symbols.old_rows import OldExchange, OldSymbol


class ExchangeStep(StrEnum):
    """What becomes of a row of `exchanges`.

    KEPT: it has the wanted id already. MOVED: it gets the id that the other database refers to. ADDED: it was not there
    yet. MADE_ROOM: it is not in the other database, and its unused id is wanted for another one.
    """

    KEPT = "KEPT"
    MOVED = "MOVED"
    ADDED = "ADDED"
    MADE_ROOM = "MADE_ROOM"


class AdoptedExchange(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange of an adoption.

    Attributes:
        exchange: enum_value of ours. old_name: its name in the other database; None where that lacks it.
        id, previous_id: the id that it has afterwards, and had here before; None: it was not there.
        symbols, known: how many symbols are brought along, and how many were here already under their id.
    """

    exchange: str
    old_name: str | None
    id: int
    previous_id: int | None
    step: ExchangeStep
    symbols: int = 0
    known: int = 0


class OurExchange(NamedTuple):
    """A row of `exchanges`, and in words what goes by its id; empty where nothing does."""

    id: int
    name: str
    enum_value: str
    display_name: str
    uses: str


class TakenSymbol(NamedTuple):
    """A symbol that has, or before it was deleted had, an id or a name that is wanted."""

    id: int
    exchange: str
    native_symbol: str
    is_present: bool


def match_exchanges(
    old: Sequence[OldExchange], ours: Sequence[OurExchange], chosen: Mapping[str, str], problems: list[str]
) -> dict[int, str]:
    """Return the enum_value of ours for each id of the other database; adds to `problems` where none is meant."""
    found: dict[int, str] = {}
    for one in old:
        names = [name for name in (one.enum_value, one.name) if name is not None]
        wanted = next((chosen[key] for key in (*names, str(one.id)) if key in chosen), None)
        fits = _fitting(names if wanted is None else [wanted], ours)
        if len(fits) == 1:
            found[one.id] = fits[0]
            continue
        what = f"exchange {one.id}, {shown(one.name)},"
        if wanted is not None:
            problems.append(f"{what} is to be {shown(wanted)}, which is none of ours: exchanges-db add NAME adds one")
        elif fits:
            problems.append(f"{what} may be {' or '.join(fits)}: --exchange '{one.name}=ENUM_VALUE' says which")
        else:
            advice = f"--exchange '{one.name}=ENUM_VALUE' says which it is; exchanges-db add NAME adds one"
            problems.append(f"{what} is none of ours by name: {advice}")
    known = {key for one in old for key in (one.enum_value, one.name, str(one.id))}
    problems += [f"--exchange {shown(key)}: no exchange of theirs is called so" for key in chosen if key not in known]
    for place in sorted(set(found.values())):
        twice = [one for one in old if found.get(one.id) == place]
        if len(twice) > 1:
            both = " and ".join(f"{shown(one.name)} ({one.id})" for one in twice)
            problems.append(f"{both} are both {place}: one of them needs an exchange of its own")
    return found


def _fitting(names: Sequence[str], ours: Sequence[OurExchange]) -> list[str]:
    wanted = {name.casefold() for name in names}
    for columns in (("enum_value",), ("name",), ("display_name",)):
        fits = [one.enum_value for one in ours for column in columns if getattr(one, column).casefold() in wanted]
        if fits:
            return fits
    return [one for one in CATALOGUE if one.casefold() in wanted]


def plan_exchanges(
    old: Sequence[OldExchange], ours: Sequence[OurExchange], places: Mapping[int, str], problems: list[str]
) -> list[AdoptedExchange]:
    """Return what becomes of each exchange, so that those of the other database have their ids here too."""
    by_place = {one.enum_value: one for one in ours}
    ids = {place: number for number, place in places.items()}
    names = {one.id: one.name for one in old}
    plan = []
    for place, number in sorted(ids.items(), key=lambda item: item[1]):
        present = by_place.get(place)
        step = ExchangeStep.ADDED if present is None else ExchangeStep.MOVED
        if present is not None and present.id == number:
            step = ExchangeStep.KEPT
        elif present is not None and present.uses:
            problems.append(
                f"{place} has id {present.id} here and {number} in theirs, and {present.uses} here go by it: adopt "
                "into a database that has imported nothing yet"
            )
        plan.append(
            AdoptedExchange(
                exchange=place,
                old_name=names[number],
                id=number,
                previous_id=None if present is None else present.id,
                step=step,
            )
        )
    taken = {one.id for one in ours} | names.keys()
    for other in ours:
        if other.id not in places or other.enum_value in ids:
            continue
        wanted = places[other.id]
        room = _free_id(taken)
        if other.uses or room is None:
            why = f"{other.uses} go by it" if other.uses else "no other id up to 32767 is free"
            problems.append(
                f"id {other.id}, that of {wanted} in theirs, is taken by {other.enum_value} here, and {why}: adopt "
                "into a database that has imported nothing yet"
            )
            continue
        taken.add(room)
        plan.append(
            AdoptedExchange(
                exchange=other.enum_value, old_name=None, id=room, previous_id=other.id, step=ExchangeStep.MADE_ROOM
            )
        )
    return plan


def _free_id(taken: set[int]) -> int | None:
    beyond = max(0, *taken) + 1
    if beyond <= SMALLINT_MAX:
        return beyond
    return next((number for number in range(1, SMALLINT_MAX + 1) if number not in taken), None)


def plan_symbols(
    old: Sequence[OldSymbol], places: Mapping[int, str], taken: Sequence[TakenSymbol], problems: list[str]
) -> tuple[list[NamedSymbol], list[OldSymbol]]:
    """Return the symbols to be brought along, and those that are here already under the same id and name."""
    present = {one.id: one for one in taken if one.is_present}
    former = {one.id: one for one in taken if not one.is_present}
    by_name = {(one.exchange, one.native_symbol): one for one in taken if one.is_present}
    new, known = [], []
    for one in old:
        place = places.get(one.exchange_id)
        if place is None:
            continue
        name = (place, one.native_symbol)
        here, before = present.get(one.id), former.get(one.id)
        what = f"symbol {one.id}, {shown(one.native_symbol)} of {place}:"
        if here is not None and (here.exchange, here.native_symbol) == name:
            known.append(one)
        elif here is not None:
            problems.append(
                f"{what} id {one.id} is taken by {shown(here.native_symbol)} of {here.exchange}: adopt into a database "
                "that has imported nothing yet, or delete that row if nothing refers to it"
            )
        elif name in by_name:
            other = by_name[name].id
            problems.append(
                f"{what} it is here already, with id {other}: adopt before the first import, or delete the row with "
                f"id {other} if nothing refers to it"
            )
        elif before is not None and (before.exchange, before.native_symbol) != name:
            problems.append(
                f"{what} id {one.id} was that of {shown(before.native_symbol)} of {before.exchange}, which is in the "
                "history: give it another id in theirs, or adopt into a database of its own"
            )
        else:
            new.append(
                NamedSymbol(
                    id=one.id,
                    exchange_id=one.exchange_id,
                    exchange=place,
                    native_symbol=one.native_symbol,
                    base=one.base,
                    quote=one.quote,
                )
            )
    return new, known
