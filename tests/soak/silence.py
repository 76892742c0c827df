"""Moments of a soak in which nobody writes but once, while a registry that does not ask by itself comes, or comes back.

Where all write all the time, what a registry has missed is made up for by the next notification; here there is none.
"""

from __future__ import annotations

import asyncio

import asyncpg

from tests.registry_history import newest_position
from tests.soak.registries import PATIENT, Member, Registries, within
from tests.soak.stage import Stage
from tests.soak.watching import Faults

_GUESTS = 8
_ARRIVES = 20.0  # seconds; it takes milliseconds, but the machine may be slow
_END_SESSION = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1"


class Silence:
    """Such moments; `rounds` counts them."""

    def __init__(self, stage: Stage, registries: Registries, faults: Faults) -> None:
        self._stage, self._registries, self._faults = stage, registries, faults
        self.rounds = 0

    async def quiet(self) -> None:
        """Have registries come back, and others come, one after the other, and write once each time."""
        stage = self._stage
        patient = [member for member in self._registries.members if member.who.startswith(PATIENT)]
        async with stage.writing.silence():
            connection = await asyncpg.connect(**stage.dsn.asyncpg_arguments(), timeout=20, command_timeout=20)
            try:
                for member in patient:
                    await self._arrives(connection, member, "before nobody wrote any more")
                    await self._comes_back(connection, member)
                for _ in range(_GUESTS):
                    await self._comes(connection)
            finally:
                connection.terminate()

    async def _comes_back(self, connection: asyncpg.Connection, member: Member) -> None:
        connects = member.registry.stats().connects
        await connection.execute(_END_SESSION, f"exchanges_db {member.who}")
        await self._meanwhile(connection, member, connects)

    async def _comes(self, connection: asyncpg.Connection) -> None:
        member = self._registries.patient_guest()
        opening = asyncio.create_task(member.open())
        try:
            await self._meanwhile(connection, member, 0)
            await opening
        finally:
            opening.cancel()
            await asyncio.wait((opening,))
            await member.close()
            member.watcher.forget()

    async def _meanwhile(self, connection: asyncpg.Connection, member: Member, connects: int) -> None:
        """Write once when it has connected and a little more; it must be told of that, or have found it."""
        if self._faults.found:
            return
        self.rounds += 1
        while member.registry.stats().connects == connects:
            await asyncio.sleep(0.001)
        await asyncio.sleep(self._stage.draw.uniform(0.0, 0.03))
        await self._stage.writing.write_once(connection)
        await self._arrives(connection, member, "as it came")

    async def _arrives(self, connection: asyncpg.Connection, member: Member, when: str) -> None:
        async def arrived() -> bool:
            return member.registry.position == await newest_position(connection)

        if not await within(_ARRIVES, arrived):
            self._faults.note(
                f"{member.who} was not told of what was committed {when}: {await newest_position(connection)}"
            )
