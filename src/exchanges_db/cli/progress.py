"""Shows on a terminal, on stderr, that a command is at work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exchanges_db.cli.output import note

Advance = Callable[[int, int | None], None]


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show `text` while the block runs; where stderr is not a terminal, write it there once as a line."""
    if not _is_terminal():
        note(text)
        yield
        return
    from rich.console import Console  # takes 0.1 s to import, and only a terminal needs it

    with Console(stderr=True, markup=False, highlight=False, emoji=False).status(text):
        yield


@contextmanager
def bars() -> Iterator[Callable[[str], Advance]]:
    """Show bars while the block runs; yield a function that adds a bar by name and returns a function that moves it."""
    if not _is_terminal():
        yield lambda name: lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f}"),
        console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        transient=True,
    ) as shown:

        def add(name: str) -> Advance:
            task = shown.add_task(name, total=None)
            return lambda done, total: shown.update(task, completed=done, total=total)

        yield add


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()
