"""The check of the log of changes, which registries in memory follow: that it is there, in order, and cut."""

from __future__ import annotations

from exchanges_db.database.default import run
from exchanges_db.validation.checks import CheckFailed, Context, expect_none
from exchanges_sql.validation_catalog import AsyncQuerier

# The log keeps 100,000 epochs; twice as many are a sign that nothing is cut.
_MOST_EPOCHS = 200_000


async def check_change_log(context: Context) -> str:
    """The log has an epoch, none beyond its sequence, gives one to all that is committed, and loses its oldest."""
    state = await run(context.database, lambda conn: AsyncQuerier(conn).get_change_log_state())
    assert state is not None  # a SELECT without FROM always gives one row
    if state.oldest is None or state.newest is None:
        raise CheckFailed(f"the log of changes is empty, and no registry can load: {_MEND}")
    faults = []
    if state.last_given is not None and state.last_given < state.newest:
        faults.append(
            f"the newest epoch of the log of changes is {state.newest}, and its sequences are at {state.last_given}: "
            "the next commit sets them, but a SERIALIZABLE transaction would be given an epoch that no registry sees. "
            f"Set them now: {_MEND}"
        )
    if state.without_epoch:
        faults.append(
            f"{state.without_epoch} of the newest changes were committed without an epoch, and no registry has seen "
            f"them: the trigger registry_changes_stamp was off. {_MEND}"
        )
    if state.newest - state.oldest > _MOST_EPOCHS:
        faults.append(
            f"the log of changes reaches back {state.newest - state.oldest} epochs, and should be cut at 100000: only "
            "transactions that are READ COMMITTED cut it"
        )
    expect_none(faults)
    return f"epochs {state.oldest} to {state.newest}"


_MEND = "have all registries read everything, as docs/operations.md says of the log of changes"
