"""The judge's answers of one symbol, asked once for every time between which they do not change.

What may be traded is decided in `symbols/judge.py` alone; here its answers are only kept.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from time import time_ns

import msgspec

from exchanges_db.errors import InvalidOrder, shown
from exchanges_db.moments import check_moment
from exchanges_db.symbols.enums import OrderType, Side
from exchanges_db.symbols.judge import Obstacle, judge, turning_points
from exchanges_db.symbols.models import Symbol, SymbolSpec

# A member of an enum costs Python a call each time it is named.
_SELL = Side.SELL
_SIDES = {side.value: side for side in Side}
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
Obstacles = tuple[Obstacle, ...]


class Openness(msgspec.Struct, frozen=True):
    """What stands in the way of orders for a symbol, by the specification alone."""

    _turns: tuple[datetime, ...]
    # The same in nanoseconds since 1970: the clock is read, and compared, in a fraction of a datetime's time.
    _clock_turns: tuple[int, ...]
    # For every order of side, closing and market, its answers: one before the first turn, and one from each turn on.
    _answers: tuple[tuple[Obstacles, ...], ...]

    @classmethod
    def of(cls, spec: SymbolSpec, observed_at: datetime | None = None) -> Openness:
        """Ask the judge everything that can be asked about a symbol; a row was observed at its observed_at."""
        turns = turning_points(spec)
        if observed_at is not None:
            observed_at = check_moment(observed_at, "observed_at")
        elif isinstance(spec, Symbol):
            observed_at = spec.observed_at
        return cls(
            tuple(turns),
            tuple((turn - _EPOCH) // _MICROSECOND * 1000 for turn in turns),
            tuple(
                tuple(
                    tuple(judge(spec, side, at, order_type=kind, closing=closing, observed_at=observed_at))
                    for at in (_BEFORE_ALL, *turns)
                )
                for side in (Side.BUY, Side.SELL)
                for closing in (False, True)
                for kind in (OrderType.LIMIT, OrderType.MARKET)
            ),
        )

    def obstacles(self, side: Side | str, closing: bool, at: datetime | None, market: bool) -> Obstacles:
        """Return what stands in the way of an order; the gravest first.

        at: None for now, by the clock of this machine.

        Raises:
            InvalidOrder: `side` is not a side, or `closing` not a bool.
            InvalidArgument: `at` has no time zone.
        """
        if type(side) is not Side:
            side = (_SIDES.get(side) if type(side) is str else None) or Side.parse(side, error=InvalidOrder)
        if closing is not False and closing is not True:
            raise InvalidOrder(f"closing must be True or False, not {shown(closing)}", field="closing")
        answers = self._answers[4 * (side is _SELL) + 2 * closing + market]
        if at is not None:
            known = type(at) is datetime and at.tzinfo is UTC
            return answers[bisect_right(self._turns, at if known else check_moment(at))]
        return answers[bisect_right(self._clock_turns, time_ns())] if self._turns else answers[0]
