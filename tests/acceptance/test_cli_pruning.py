"""`prune` deletes only when it is told to, says what, and `validate --quick` passes afterwards."""

import json

from exchanges_db.database.dsn import Dsn
from tests.acceptance.command import ok, run
from tests.fix_server import url_of

LATE = "2999-01-01T00:00:00Z"


def test_a_prune_without_yes_asks_and_nobody_answers(stocked_dsn: Dsn) -> None:
    """Nothing is deleted; a dry run asks nothing."""
    url = url_of(stocked_dsn)
    before = ok("prunes", "--json", url=url)
    result = run("prune", "--before", "2026-01-01T00:00:00Z", url=url)
    assert result.returncode == 1
    assert "for ever? [y/N]" in result.stderr
    assert ok("prune", "--before", "2000-01-01T00:00:00Z", "--dry-run", url=url) == "nothing is that old\n"
    assert ok("prunes", "--json", url=url) == before


def test_a_time_that_lies_ahead_or_has_no_zone_is_wrong_usage(stocked_dsn: Dsn) -> None:
    """A slip in the year would delete everything."""
    for before, words in ((LATE, "lies ahead"), ("2026-01-01T00:00:00", "has no time zone")):
        result = run("prune", "--before", before, "--yes", url=url_of(stocked_dsn))
        assert (result.returncode, words in result.stderr) == (2, True), result.stderr


def test_a_prune_is_recorded_and_no_damage(stocked_dsn: Dsn) -> None:
    """The report counts per table, the record is shown, and a quick validation passes."""
    url = url_of(stocked_dsn)
    recorded = json.loads(ok("prunes", "--json", url=url))
    assert [(one["pruned_table"], one["pruned_rows"] > 0) for one in recorded] == [("exchange_history", True)]
    report = json.loads(ok("prune", "--before", recorded[0]["before"], "--yes", "--json", url=url))
    assert report["rows"]["exchange_history"] == 0
    assert json.loads(ok("validate", "--quick", "--json", url=url))["passed"] is True
