"""Since when something is proven: of a primary at once, of a server that follows another one what it had received."""

from datetime import UTC, datetime

import pytest

from exchanges_db.errors import DatabaseUnavailable
from exchanges_db.registry.models import Position
from exchanges_db.registry.proofs import Proofs, Witness
from exchanges_db.registry.snapshot import Snapshot
from exchanges_sql.registry import GetRegistryStateRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def primary() -> GetRegistryStateRow:
    return GetRegistryStateRow(1, "t", 1, AT, False, 1, 0, 0, False, 60)


def standby(received: int, replayed: int, *, fed: bool = True) -> GetRegistryStateRow:
    return GetRegistryStateRow(1, "t", 2, AT, True, 1, received, replayed, fed, 60)


def held(epoch: int, log_version: int) -> Snapshot:
    return Snapshot.of(Position(epoch, "held"), {}, log_version)


def test_a_primary_proves_from_the_second_answer_on() -> None:
    """A standby that is promoted while it answers shows what it had before, and says that it is a primary."""
    proofs = Proofs()
    assert not proofs.on_primary
    assert [proofs.of(primary(), sent) for sent in (1.0, 2.0, 3.0)] == [None, 2.0, 3.0]
    assert proofs.on_primary


def test_a_standby_proves_what_it_had_received_when_it_shows_that() -> None:
    """Its second answer proves the first question, where nothing was left to be shown then."""
    proofs = Proofs()
    assert proofs.of(standby(100, 100), 1.0) is None
    assert proofs.of(standby(100, 100), 2.0) == 1.0
    assert proofs.of(standby(200, 100), 3.0) == 2.0
    assert proofs.of(standby(300, 150), 4.0) is None  # 200 were received by 3.0
    assert proofs.of(standby(300, 250), 5.0) is None  # 250 were shown after what this answer shows was fixed
    assert proofs.of(standby(400, 400), 6.0) == 3.0
    assert proofs.of(standby(400, 400), 7.0) == 6.0


def test_a_paused_standby_proves_nothing_however_often_it_is_asked() -> None:
    proofs = Proofs()
    proofs.of(standby(100, 100), 0.0)
    proofs.of(standby(200, 100), 1.0)
    assert [proofs.of(standby(200, 100), 2.0 + number) for number in range(2000)] == [None] * 2000
    proofs.of(standby(200, 200), 3000.0)
    assert proofs.of(standby(200, 200), 3001.0) == 3000.0


def test_a_standby_that_gets_nothing_proves_nothing() -> None:
    """Though it shows all that it has received; nor does what was asked before its connection was made again."""
    proofs = Proofs()
    proofs.of(standby(100, 100), 1.0)
    assert proofs.of(standby(100, 100, fed=False), 2.0) is None
    assert proofs.of(standby(100, 100, fed=False), 3.0) is None
    assert proofs.of(standby(100, 100), 4.0) is None
    assert proofs.of(standby(100, 100), 5.0) == 4.0


@pytest.mark.parametrize("since", [100.0, None], ids=["seen", "from a file"])
@pytest.mark.parametrize(
    ("epoch", "version", "proven", "is_behind"),
    [
        (2, 2, 159.0, True), (2, 2, 160.0, True), (2, 2, 160.1, False), (2, 2, None, True), (2, 1, 159.0, True),
        (1, 2, 100.1, False), (1, 2, None, True), (1, 1, 100.1, False),
        (1, 3, 159.0, True), (1, 3, 160.1, False), (1, 3, None, True),
    ],
)  # fmt: skip
def test_what_is_earlier_counts_when_its_connection_cannot_have_been_silent(
    since: float | None, epoch: int, version: int, proven: float | None, is_behind: bool
) -> None:
    """For 60 s this standby takes a silent connection for alive.

    What it shows is epoch 1 under version 2 of the log, what is held `epoch` under `version`.
    """
    proofs = Proofs()
    proofs.of(standby(100, 100), 1.0)
    assert proofs.may_be_behind(proven, since, held(epoch, version), 100.0) is is_behind


def test_what_a_promoted_standby_shows_takes_back_at_once() -> None:
    proofs = Proofs()
    proofs.of(primary(), 1.0)
    assert not proofs.may_be_behind(None, 100.0, held(2, 2), 100.0)


def test_of_a_primary_behind_a_pooler_nothing_is_silent() -> None:
    """After a failover that lost the last commits it is believed as soon as it has proven what it shows."""
    proofs = Proofs()
    proofs.is_direct = False
    proofs.of(primary(), 1.0)
    assert not proofs.may_be_behind(100.1, 100.0, held(2, 2), 100.0)
    assert proofs.may_be_behind(100.0, 100.0, held(2, 2), 100.0)


def test_a_promoted_standby_proves_as_a_primary() -> None:
    proofs = Proofs()
    proofs.of(standby(100, 100), 1.0)
    assert [proofs.of(primary(), sent) for sent in (2.0, 3.0)] == [None, 3.0]


def test_what_a_pooler_leads_to_may_become_a_standby() -> None:
    """Its connection to the registry outlives a failover; then nothing is proven by what any server shows."""
    proofs = Proofs()
    assert [proofs.of(primary(), sent) for sent in (1.0, 2.0)] == [None, 2.0]
    assert proofs.by_any
    proofs.is_direct = False
    assert not proofs.by_any
    assert proofs.of(standby(200, 100), 3.0) is None
    assert not proofs.on_primary
    assert proofs.of(standby(200, 100), 4.0) is None
    assert [proofs.of(primary(), sent) for sent in (5.0, 6.0)] == [None, 6.0]
    assert proofs.of(standby(300, 300), 7.0) is None
    assert proofs.of(primary(), 8.0) is None
    assert proofs.of(standby(300, 300), 9.0) is None  # perhaps another one than at 7.0


def denied(witness: Witness, held: Position, since: float, *passed: Position) -> bool:
    """Whether it denies what a primary is said to have; a standby it denies in the same cases, without an error."""
    late, first = Proofs(), Proofs()
    first.on_primary = True
    is_denied = witness.denies(held, passed, since, late)
    witness.doubted.clear()
    if is_denied:
        with pytest.raises(DatabaseUnavailable, match="old primary"):
            witness.denies(held, passed, since, first)
    else:
        assert not witness.denies(held, passed, since, first)
    assert witness.doubted.is_set() is is_denied
    return is_denied


def test_a_witness_denies_what_lacks_what_it_saw_before() -> None:
    def sees(at: float, epoch: int, token: str) -> None:
        witness.sees(GetRegistryStateRow(epoch, token, 1, AT, False, 1, 0, 0, False, 60), at)

    witness = Witness()
    assert not denied(witness, Position(1, "a"), 0.0)
    sees(1.0, 5, "e")
    sees(2.0, 5, "e")
    assert not denied(witness, Position(4, "d"), 1.0)  # the question was not sent after it
    assert denied(witness, Position(4, "d"), 1.5)
    assert not denied(witness, Position(5, "e"), 1.5)
    assert denied(witness, Position(5, "of another server"), 1.5)
    assert not denied(witness, Position(9, "i"), 1.5)
    assert not denied(witness, Position(9, "i"), 1.5, Position(4, "d"), Position(5, "e"), Position(9, "i"))
    assert denied(witness, Position(9, "i"), 1.5, Position(4, "d"), Position(5, "of another server"))
    sees(3.0, 6, "f")  # after the question, and it is known what it saw before
    assert denied(witness, Position(4, "d"), 2.5)
    assert not denied(witness, Position(5, "e"), 2.5)
    sees(4.0, 3, "of a backup")
    assert not denied(witness, Position(1, "a"), 3.5)
    assert not denied(witness, Position(3, "of a backup"), 4.5)
    witness.leaves()
    assert not denied(witness, Position(1, "a"), 5.0)
