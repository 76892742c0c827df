"""From where on a check of the surroundings fails: the numbers of docs/operations.md, in one place."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What is still right; more than that fails a check.

    Attributes:
        clock_skew: seconds between the clocks of server and client, beyond what the measurement leaves open.
        transaction: seconds that another session may be in one transaction of this database.
        idle_in_transaction: seconds that it may be idle in one, and that a prepared transaction may be left.
        notification_queue: share of the notification queue that may be taken.
        connections: share of the allowed connections; it fails from here on.
    """

    clock_skew: float = 2.0
    transaction: int = 300
    idle_in_transaction: int = 60
    notification_queue: Decimal = Decimal("0.01")
    connections: float = 0.9


BOUNDS = Bounds()
