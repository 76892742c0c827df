"""The check of how old the lists are; it fails only where the caller says how old they may be."""

from __future__ import annotations

from exchanges_db.exchanges.look_ups import get_all_active_exchanges
from exchanges_db.symbols.freshness import get_freshness, span
from exchanges_db.validation.checks import CheckFailed, Context

_SHOWN = 8


async def check_freshness(context: Context) -> str:
    """Tell when the exchanges last confirmed their lists; lists of exchanges that are not active may be of any age."""
    active = {row.enum_value for row in await get_all_active_exchanges(db=context.database)}
    found = [one for one in await get_freshness(db=context.database) if one.exchange in active]
    if not found:
        if context.max_age is not None:
            raise CheckFailed("no list of an active exchange was ever imported: exchanges-db sync")
        return "no list of an active exchange was ever imported"
    oldest_first = sorted(found, key=lambda one: one.age, reverse=True)
    told = [f"{one.exchange} {one.listing}, {span(one.age)} ago" for one in oldest_first]
    if context.max_age is not None:
        stale = [text for one, text in zip(oldest_first, told, strict=True) if one.age > context.max_age]
        if stale:
            more = f" and {len(stale) - _SHOWN} more" if len(stale) > _SHOWN else ""
            raise CheckFailed(
                f"{len(stale)} of {len(found)} lists were confirmed longer ago than {span(context.max_age)}: "
                f"{'; '.join(stale[:_SHOWN])}{more}"
            )
    missing = sorted(active - {one.exchange for one in found})
    nothing = f"; of {', '.join(missing)} no list was ever imported" if missing else ""
    return f"{len(found)} lists; the one confirmed longest ago is {told[0]}{nothing}"
