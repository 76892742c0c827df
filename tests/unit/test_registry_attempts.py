"""Work that is begun again after any error, for ever, and ends when it is cancelled."""

import asyncio

import pytest

from exchanges_db.errors import DatabaseUnavailable, ExchangesDBError
from exchanges_db.registry import attempts
from exchanges_db.registry.attempts import again_and_again


async def test_work_that_hides_that_it_was_cancelled_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a driver tells of the connection that the cancel has ended: whoever closes would wait for ever."""
    monkeypatch.setattr(attempts, "_FIRST_PAUSE", 0.0)
    losses: list[ExchangesDBError] = []
    begun = 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise DatabaseUnavailable("refused")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            if begun > 2:
                raise  # begun again after all; the test fails, and ends
            raise DatabaseUnavailable("the connection was ended") from None

    task = asyncio.create_task(again_and_again(work, losses.append))
    while begun < 2:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait((task,), timeout=5)
    assert task.cancelled()
    assert (begun, [str(loss) for loss in losses]) == (2, ["refused", "the connection was ended"])
