"""What the database's functions and a registry's modules both have to know is said twice, and is the same."""

import inspect
import re
from pathlib import Path

import pytest

from exchanges_db.registry.listening import CHANNEL
from exchanges_db.registry.saving import KEPT_EPOCHS
from exchanges_db.schema.sql_files import migrations_directory
from exchanges_db.validation import change_log

ROOT = Path(__file__).parents[2]
STAMP = re.compile(r"CREATE (?:OR REPLACE )?FUNCTION public\.registry_stamp\(\).*?\$\$;", re.DOTALL)


def stamp() -> str:
    """The function that gives epochs, as the last migration that makes it has it."""
    texts = (file.read_text(encoding="utf-8") for file in sorted(migrations_directory().glob("*.sql"), reverse=True))
    return next(str(found[-1]) for text in texts if (found := STAMP.findall(text)))


def test_a_file_is_called_forgotten_from_the_epoch_on_that_the_log_is_cut_at() -> None:
    assert re.findall(r"c\.epoch <= own_epoch - (\d+)", stamp()) == [str(KEPT_EPOCHS)]


def test_a_log_that_is_not_cut_is_found_when_it_is_twice_as_long() -> None:
    assert change_log._MOST_EPOCHS == 2 * KEPT_EPOCHS
    assert f"should be cut at {KEPT_EPOCHS}:" in inspect.getsource(change_log)


@pytest.mark.parametrize(
    ("file", "words"),
    [("docs/registry.md", "it keeps the last {} epochs"), ("docs/operations.md", "cut by itself, to {} commits")],
)
def test_the_documents_say_how_many_epochs_are_kept(file: str, words: str) -> None:
    assert words.format(f"{KEPT_EPOCHS:,}") in (ROOT / file).read_text(encoding="utf-8")


def test_the_channel_is_the_one_that_is_notified() -> None:
    """And one that a server takes: of a longer name it would tell nothing, and capitals become small letters."""
    assert re.findall(r"pg_notify\('(\w+)'", stamp()) == [CHANNEL]
    assert len(CHANNEL.encode()) < 64
    assert CHANNEL.lower() == CHANNEL
