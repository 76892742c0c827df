"""Since when something is proven: of a primary at once, of a server that follows another one what it had received."""

from datetime import UTC, datetime

from exchanges_db.registry.proofs import Proofs
from exchanges_sql.registry import GetRegistryStateRow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def primary() -> GetRegistryStateRow:
    return GetRegistryStateRow(1, "t", AT, False, 1, 0, 0, False)


def standby(received: int, replayed: int, *, fed: bool = True) -> GetRegistryStateRow:
    return GetRegistryStateRow(1, "t", AT, True, 1, received, replayed, fed)


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
