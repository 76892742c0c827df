"""How long an import may wait for another one."""

import math

import pytest

from exchanges_db import InvalidArgument
from exchanges_db.symbols.import_lock import check_wait


@pytest.mark.parametrize("wait", [-1, math.nan, math.inf, True, "5", None, 10**400])
def test_what_is_no_number_of_seconds_is_refused(wait: object) -> None:
    """Also an int that no float is large enough for."""
    with pytest.raises(InvalidArgument, match="wait must be a number of seconds"):
        check_wait(wait)  # type: ignore[arg-type]  # the point


@pytest.mark.parametrize("wait", [0, 0.5, 60, 1e300])
def test_a_number_of_seconds_is_taken(wait: float) -> None:
    """None at all, too."""
    assert check_wait(wait) == wait
