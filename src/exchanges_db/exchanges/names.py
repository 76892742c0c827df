"""Which exchange a caller means by a name or id, and the error that suggests others where there is no such exchange.

The exact spelling wins. A name in another case is accepted where only one exchange fits. Looking for that takes another
statement, so it is done only after the exact spelling has found nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from exchanges_db.errors import ExchangeNotFound, InvalidExchange, shown
from exchanges_db.exchanges.defaults import CATALOGUE
from exchanges_db.exchanges.enums import enum_text
from exchanges_db.exchanges.rules import check_exchange_id, check_field
from exchanges_sql.exchange_history import AsyncQuerier as HistoryQuerier
from exchanges_sql.exchanges import AsyncQuerier

T = TypeVar("T")
_MOST_NAMES = 3
_LEAST_PREFIX = 2


def check_exchange(exchange: Enum | str) -> str:
    """Return the enum_value of an exchange; raise InvalidExchange where no exchange could have that value."""
    text: str = check_field("enum_value", enum_text(exchange))
    return text


async def spelled(conn: AsyncConnection, enum_value: str) -> str:
    """Return `enum_value` in the case that its row has.

    Raises:
        ExchangeNotFound: there is no such exchange, or there are several that differ only in case; the message names
            the nearest.
    """
    known = {row.enum_value: row.name async for row in AsyncQuerier(conn).list_exchanges()}
    return pick(enum_value, known)


async def ask_as_spelled(conn: AsyncConnection, enum_value: str, fetch: Callable[[str], Awaitable[T]]) -> T:
    """Return what `fetch` finds for an exchange; where that is nothing, for the same name in the case of its row.

    Raises as `spelled` does, where nothing is found.
    """
    found = await fetch(enum_value)
    if found:
        return found
    exact = await spelled(conn, enum_value)
    return found if exact == enum_value else await fetch(exact)


def check_exchanges(exchanges: Enum | str | Iterable[Enum | str] | None) -> list[str] | None:
    """Return the enum_values of one exchange or of several, each once; None for None, which stands for all.

    Raises InvalidExchange where one of them could be no exchange's, or where there is none.
    """
    if exchanges is None:
        return None
    if isinstance(exchanges, Enum | str) or not isinstance(exchanges, Iterable):
        return [check_exchange(exchanges)]
    places = [*dict.fromkeys(map(check_exchange, exchanges))]
    if not places:
        raise InvalidExchange("a list of exchanges must not be empty: None stands for all", field="exchange")
    return places


async def ask_all_as_spelled(
    conn: AsyncConnection, enum_values: Sequence[str], fetch: Callable[[Sequence[str]], Awaitable[list[T]]]
) -> list[T]:
    """Return what `fetch` finds for several exchanges; where one may be missing, for all in the case of their rows.

    Raises as `spelled` does, where one is not there.
    """
    found = await fetch(enum_values)
    if found and len(enum_values) == 1:
        return found
    known = {row.enum_value: row.name async for row in AsyncQuerier(conn).list_exchanges()}
    exact = [pick(one, known) for one in enum_values]
    return found if exact == list(enum_values) else await fetch(exact)


def check_key(exchange: Enum | str | int) -> str | int:
    """Return the enum_value of an exchange, or its id where `exchange` is an id.

    Raises:
        InvalidExchange: no exchange could have that name.
        ExchangeNotFound: no exchange could have this id.
    """
    if not isinstance(exchange, int) or isinstance(exchange, Enum):
        return check_exchange(exchange)
    if not check_exchange_id(exchange):
        raise no_such_id(exchange)
    return exchange


async def exchange_id(conn: AsyncConnection, key: str | int) -> int:
    """Return the id of an exchange; an id is returned as it is, even where no row has it any more.

    Raises:
        ExchangeNotFound: no exchange has that name; the message names the nearest.
    """
    if isinstance(key, int):
        return key
    enum_value = key
    querier = AsyncQuerier(conn)
    found = await querier.get_exchange_id_by_enum_value(enum_value=enum_value)
    if found is None:
        found = await querier.get_exchange_id_by_enum_value(enum_value=await spelled(conn, enum_value))
    if found is None:
        raise ExchangeNotFound(f"exchange {shown(enum_value)} was deleted meanwhile")
    return found


async def check_known(conn: AsyncConnection, known_id: int) -> None:
    """Raise ExchangeNotFound where no exchange has or ever had this id."""
    if not await HistoryQuerier(conn).check_exchange_known(exchange_id=known_id):
        raise no_such_id(known_id)


def no_such_id(wrong_id: int) -> ExchangeNotFound:
    """Return the error for an id that no exchange has or had."""
    return ExchangeNotFound(f"no exchange has the id {shown(wrong_id)}, nor had one: see `exchanges-db list --all`")


def pick(text: str, known: Mapping[str, str]) -> str:
    """Return `text` if it is one of `known`, else the only one of `known` that differs from it in case alone.

    known: what exchanges can be asked for by, and another name of each, which is for the advice only.

    Raises:
        ExchangeNotFound: there is none, or there are several; the message names the nearest, or says how to add it.
    """
    if text in known:
        return text
    alike = [one for one in known if one.casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    addable = [] if alike else [one for one in CATALOGUE if one.casefold() == text.casefold()]
    if addable:
        raise ExchangeNotFound(f"there is no row for {addable[0]} yet: exchanges-db add {addable[0]}")
    near = sorted(alike) or _nearest_of(text, known)
    advice = f"did you mean {' or '.join(near)}?" if near else "see `exchanges-db list --all`"
    raise ExchangeNotFound(f"no exchange is called {shown(text)}: {advice}")


def _nearest_of(text: str, known: Mapping[str, str]) -> list[str]:
    # Advice is what one can ask by, also where it is another name that is alike.
    asked_by = {one: one for one in known}
    for one, name in known.items():
        asked_by.setdefault(name, one)
    return [*dict.fromkeys(asked_by[name] for name in nearest(text, [*asked_by]))]


def nearest(text: str, names: Sequence[str]) -> list[str]:
    """Return up to three of `names` that `text` may stand for: first those that begin with it, then similar ones."""
    folded = text.casefold()
    by_fold = {name.casefold(): name for name in reversed(names)}
    begin = [fold for fold in by_fold if len(folded) >= _LEAST_PREFIX and fold.startswith(folded)]
    close = get_close_matches(folded, by_fold, n=_MOST_NAMES)
    return [by_fold[fold] for fold in dict.fromkeys([*sorted(begin, key=len), *close])][:_MOST_NAMES]
