"""The live view of `watch`: a header, the oldest lists and the newest changes, drawn in place on a terminal."""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from typing import Any, Self

from rich.cells import chop_cells
from rich.console import Console
from rich.live import Live
from rich.text import Text

from exchanges_db.cli.cells import cell
from exchanges_db.cli.terminal import Heading, lay_out
from exchanges_db.cli.watch_lines import change_row
from exchanges_db.registry.changes import RegistryChange
from exchanges_db.registry.places import Place
from exchanges_db.registry.registry import Registry
from exchanges_db.registry.snapshot import Snapshot
from exchanges_db.registry.state import RegistryState
from exchanges_db.symbols.freshness import span

_LISTS = [Heading("exchange", must=True), Heading("list", must=True), Heading("age", must=True),
          Heading("observed"), Heading("changed"), Heading("source")]  # fmt: skip
_CHANGES = [Heading("when"), Heading("exchange", must=True), Heading("what", must=True), Heading("of", must=True),
            Heading("change", must=True)]  # fmt: skip
_SEEN = 0.1  # seconds between two drawings
_MOST = 200  # changes that are kept, of which the newest that there is room for are shown


class View:
    """What is shown; the newest change is at the bottom."""

    def __init__(self, registry: Registry, wanted: frozenset[str]) -> None:
        self._registry, self._wanted = registry, wanted
        self._snapshot: Snapshot = registry.snapshot
        self._changes: deque[RegistryChange] = deque(maxlen=_MOST)
        self._console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False)
        self._drawn = 0.0
        self._live = Live(console=self._console, auto_refresh=False, get_renderable=self._text, redirect_stderr=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._live.stop()

    def add(self, change: RegistryChange) -> None:
        """Take in a change."""
        self._changes.append(change)

    def draw(self) -> None:
        """Draw all anew, but not more often than anyone could see."""
        if monotonic() - self._drawn >= _SEEN:
            self._live.refresh()
            self._drawn = monotonic()

    def _text(self) -> Text:
        size = self._console.size  # as it is drawn: a terminal that is called dumb has 80 columns to it
        return Text("\n".join(self.lines(size.width, size.height - 1)), no_wrap=True, overflow="ignore")

    def lines(self, width: int, height: int) -> list[str]:
        """Return what is shown on a terminal of this size."""
        self._snapshot = self._registry.snapshot
        header = [*self._header(width), ""]
        lists = self._lists(width, max(1, (height - len(header)) // 3))
        room = height - len(header) - len(lists) - 1
        return [*header, *lists, "", *self._newest(width, room)][:height]

    def _table(self, headings: list[Heading], rows: list[tuple[Any, ...]], width: int) -> list[str]:
        """Return a table in lines of this width at most: what does not fit goes on in the next line, whole."""
        return _folded(lay_out(headings, rows, width)[0], width)

    def _places(self) -> list[Place]:
        places = self._snapshot.places
        return [places[name] for name in sorted(places) if not self._wanted or name in self._wanted]

    def _header(self, width: int) -> list[str]:
        registry, places = self._registry, self._places()
        lag = "never" if registry.lag is None else f"{registry.lag:.1f} s"
        symbols = sum(len(place.symbols) + len(place.named) for place in places)
        parts = [registry.state.value, f"lag {lag}", f"position {self._snapshot.position.epoch}",
                 f"exchanges {len(places)}", f"symbols {symbols}"]  # fmt: skip
        if registry.state is not RegistryState.LIVE:
            parts.append(f"why: {cell(registry.stats().why_stale or 'no answer')}")
        lines = [""]
        for part in parts:
            if lines[-1] and len(lines[-1]) + 2 + len(part) > width:
                lines.append("")
            lines[-1] += ("  " if lines[-1] else "") + part
        return _folded(lines, width)  # why the database is away is a long text

    def _lists(self, width: int, room: int) -> list[str]:
        """Return the lists in as many lines as there is room for, those first that were confirmed the longest ago."""
        now = self._registry.now()  # None where no server has answered yet
        rows: list[tuple[Any, ...]] = []
        for place in self._places():
            for one in place.lists:
                age = None if now is None else span(now - one.observed_at)
                seen = (one.observed_at, one.changed_at, one.source)
                rows.append((place.exchange.enum_value, str(one.listing), age, *seen))
        rows.sort(key=lambda row: row[3])
        fit = rows if len(rows) < room else rows[: max(0, room - 2)]
        lines = self._table(_LISTS, fit, width) if fit else []
        left = len(rows) - len(fit)
        last = [f"and {left} lists that are fresher"] if left else [] if lines else ["no list was ever imported"]
        return [*lines, *_folded(last, width)]

    def _newest(self, width: int, room: int) -> list[str]:
        """Return the newest changes that there is room for."""
        shown = list(self._changes)[-max(0, room - 1) :] if room > 1 else []
        while shown:
            lines = self._table(_CHANGES, [change_row(change) for change in shown], width)
            if len(lines) <= room:
                return lines
            shown = shown[1:]
        return _folded(["no changes yet"], width) if not self._changes else []


def _folded(lines: list[str], width: int) -> list[str]:
    """Return lines of this width at most."""
    return [part for line in lines for part in chop_cells(line, max(1, width)) or [""]]
