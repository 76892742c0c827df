"""Moments of a soak in which nobody writes but once, while a registry that does not ask by itself comes back.

Where all write all the time, what a registry has missed is made up for by the next notification; here there is none.
"""

from __future__ import annotations

import asyncio

import asyncpg

from tests.soak.registries import PATIENT, Member, Registries, newest, within
from tests.soak.stage import Stage
from tests.soak.watching import Faults

_ROUNDS = 10
_ARRIVES = 20.0  # seconds; it takes milliseconds, but the machine may be slow
_END_SESSION = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


class Silence:
    """Such moments; `rounds` counts how often a registry came back."""

    def __init__(self, stage: Stage, registries: Registries, faults: Faults) -> None:
        self._stage, self._registries, self._faults = stage, registries, faults
        self.rounds = 0

    async def quiet(self) -> None:
        """Have registries come back one after the other, and write once each time."""
        stage, draw = self._stage, self._stage.draw
        patient = [member for member in self._registries.members if member.who.startswith(PATIENT)]
        async with stage.writing.silence():
            connection = await asyncpg.connect(**stage.dsn.asyncpg_arguments(), timeout=20, command_timeout=20)
            try:
                for number in range(_ROUNDS):
                    if self._faults.found:
                        break
                    await self._round(connection, patient[number % len(patient)], draw.uniform(0.0, 0.02))
                    self.rounds += 1
            finally:
                connection.terminate()

    async def _round(self, connection: asyncpg.Connection, member: Member, pause: float) -> None:
        await self._arrives(connection, member, "before all was silent")
        connects = member.registry.stats().connects
        await connection.execute(_END_SESSION, f"exchanges_db {member.who}")
        while member.registry.stats().connects == connects:
            await asyncio.sleep(0.001)
        await asyncio.sleep(pause)
        await self._stage.writing.write_once(connection)
        await self._arrives(connection, member, "as it came back")

    async def _arrives(self, connection: asyncpg.Connection, member: Member, when: str) -> None:
        async def arrived() -> bool:
            return member.registry.position == await newest(connection)

        if not await within(_ARRIVES, arrived):
            self._faults.note(f"{member.who} was not told of what was committed {when}: {await newest(connection)}")
