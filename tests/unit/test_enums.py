"""What all enums of the package have in common."""

import pkgutil
from enum import StrEnum
from importlib import import_module

import pytest

import exchanges_db
from exchanges_db import Brake, ExchangeEnum, InvalidArgument, Side, SidesAllowed

for _module in pkgutil.walk_packages(exchanges_db.__path__, "exchanges_db."):
    if not _module.name.endswith("__main__"):
        import_module(_module.name)

OURS = sorted(
    (kind for kind in StrEnum.__subclasses__() if kind.__module__.startswith("exchanges_db.")), key=lambda k: k.__name__
)


def test_the_list_of_enums_is_not_empty() -> None:
    """It is made of what was imported, and an empty list would let every test below pass."""
    assert {Brake, Side, ExchangeEnum} <= set(OURS)


@pytest.mark.parametrize("kind", [kind for kind in OURS if kind is not ExchangeEnum], ids=lambda kind: kind.__name__)
def test_a_value_is_spelt_as_its_name(kind: type[StrEnum]) -> None:
    """So nobody has to remember which enum is in capitals; the values of ExchangeEnum were there before."""
    assert {member.name: member.value for member in kind} == {name: name for name in kind.__members__}
    assert all(name == name.upper() for name in kind.__members__)


@pytest.mark.parametrize("text", ["REJECTED", "rejected", "Rejected", Brake.REJECTED])
def test_a_brake_is_read_in_any_case(text: str) -> None:
    """People type it on a command line."""
    assert Brake.parse(text) is Brake.REJECTED


@pytest.mark.parametrize("wrong", ["", "for", "FOREIGN ", "fore\u0131gn", "VANISHED", None, 1, Side.BUY])
def test_what_is_no_brake_is_named(wrong: object) -> None:
    """With the argument to blame."""
    with pytest.raises(InvalidArgument, match="is no brake") as caught:
        Brake.parse(wrong)  # type: ignore[arg-type]
    assert caught.value.field == "allow"


@pytest.mark.parametrize("wrong", ["buy", "", "ALL", SidesAllowed.BUY, None, 1, []])
def test_what_is_no_side_is_named(wrong: object) -> None:
    """SidesAllowed.BUY is equal to "BUY" and still means something else."""
    with pytest.raises(InvalidArgument, match="is not one of BUY, SELL") as caught:
        Side.parse(wrong)  # type: ignore[arg-type]
    assert (caught.value.field, Side.parse("SELL")) == ("side", Side.SELL)
