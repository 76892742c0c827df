"""How values and tables are written: whole, on one line, and never wider than there is room for."""

import ast
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from exchanges_db.cli.cells import cell, one_line, text_of
from exchanges_db.cli.terminal import Heading, lay_out
from tests.factories import property_settings

TEXT = st.text(st.characters(), max_size=30)
ROWS = st.tuples(TEXT, st.none() | st.decimals(allow_nan=False), TEXT)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (Decimal("1E-10"), "0.0000000001"),
        (Decimal("1E+6"), "1000000"),
        (Decimal("0.10"), "0.10"),
        (Decimal("-1E-18"), "-0.000000000000000001"),
        (datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC), "2026-01-31T12:00:00.000001Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))), "2026-01-31T12:00:00+01:00"),
        (["a", 1, None], "a; 1; "),
    ],
)
def test_a_value_is_written_plainly(value: object, text: str) -> None:
    """As it would be typed in again: no exponent, no rounded time."""
    assert text_of(value) == text


@property_settings(300)
@given(TEXT)
def test_a_cell_is_one_line_and_can_be_undone(text: str) -> None:
    """Whatever the text holds: controls, tabs, line separators, surrogates."""
    shown = cell(text)
    assert shown.isprintable()
    assert ast.literal_eval('"' + shown.replace('"', '\\"') + '"') == text


@property_settings(200)
@given(TEXT)
def test_a_sentence_is_one_line(text: str) -> None:
    """What a payload is called forges no second line; what can be shown is shown as it is."""
    assert one_line(text).isprintable()
    if text.isprintable():
        assert one_line(text) == text


@property_settings(200)
@given(
    st.lists(st.tuples(TEXT, st.none() | st.decimals(allow_nan=False), TEXT), min_size=1, max_size=4),
    st.integers(1, 120),
)
def test_no_value_is_split_and_no_line_is_too_wide(rows: list[tuple[str, Decimal | None, str]], width: int) -> None:
    """A column is shown whole or left out, and those left out are named."""
    headings = [Heading("name", must=True), Heading("number"), Heading("text")]
    lines, left_out = lay_out(headings, rows, width)
    assert len(lines) == 1 + len(rows)
    for index, heading in enumerate(headings):
        for line, row in zip(lines[1:], rows, strict=True):
            assert heading.name in left_out or (cell(row[index]) or "-").rstrip() in line
    if len(left_out) < 2:
        assert max(map(cell_len, lines)) <= width
    assert "name" not in left_out


def test_numbers_stand_to_the_right_and_wide_letters_take_their_room() -> None:
    """So that sizes can be compared at a glance."""
    rows = [("币安", Decimal("0.05"), "x"), ("MEXC", Decimal(1000), "y"), ("a", None, "z")]
    lines, left_out = lay_out([Heading("name"), Heading("tick"), Heading("t")], rows, 80)
    assert lines == ["name  tick  t", "币安  0.05  x", "MEXC  1000  y", "a        -  z"]
    assert left_out == []


def test_what_is_too_wide_makes_room_for_what_is_not() -> None:
    """One name of two hundred letters does not cost the columns behind it."""
    rows = [("BTC", "x" * 200, 1)]
    lines, left_out = lay_out([Heading("name"), Heading("native"), Heading("id")], rows, 40)
    assert lines == ["name  id", "BTC    1"]
    assert left_out == ["native"]


def test_sentences_go_on_in_the_next_line_and_words_stay_whole() -> None:
    """Where a column holds prose, and a tuple has a line per item in any column."""
    rows = [("a", ("one: 1 -> 2", "two: 3 -> 4"), "index exchanges.idx_exchanges_market_type is missing, and more")]
    lines, left_out = lay_out(
        [Heading("name", must=True), Heading("change", must=True), Heading("why", must=True, prose=True)], rows, 60
    )
    assert left_out == []
    assert "exchanges.idx_exchanges_market_type" in "\n".join(lines)
    assert "two: 3 -> 4" in lines[2]
    assert lines[1].startswith("a     one: 1 -> 2  index")
    assert max(map(len, lines)) <= 60


def test_nothing_has_no_heading() -> None:
    """A table without rows is no table."""
    assert lay_out([Heading("name")], [], 80)[0] == []
