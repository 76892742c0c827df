"""What the registries of a soak went through, kept in a few bytes per step, and judged at the end."""

from __future__ import annotations

import sys
import threading
from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from exchanges_db.errors import RegistryStale
from exchanges_db.registry.models import Position, RegistrySymbol
from exchanges_db.registry.places import Place
from exchanges_db.registry.snapshot import News, Snapshot

_FIELDS = tuple(field for field in RegistrySymbol.__struct_fields__ if field not in ("_rules", "account_fees"))
_LOADED = 2**32 - 1  # in the place of a number of epochs: all was loaded
UNDONE = "undone"  # what writers write and roll back begins with this
MOST = 20  # faults that are kept: whatever else is wrong follows from the first


class Faults:
    """What has gone wrong; noted from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.found: list[str] = []

    def note(self, text: str) -> None:
        """Keep it, unless there are enough."""
        with self._lock:
            if len(self.found) < MOST:
                self.found.append(text)


class Digests:
    """What was held at each position, by whichever registry was there first: all others must hold the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[bytes, bytes] = {}  # in as few objects as can be: they are counted

    def check(self, position: Position, digest: bytes, who: str) -> str | None:
        """Return what is wrong; None where nothing is."""
        key = position.epoch.to_bytes(8, "big") + as_number(position.token).to_bytes(8, "big")
        with self._lock:
            known = self._known.setdefault(key, digest + who.encode())
        if known.startswith(digest):
            return None
        return f"at {position} {who} held what {known[len(digest) :].decode()} did not"

    @property
    def size(self) -> int:
        """How many bytes they take."""
        with self._lock:
            return sys.getsizeof(self._known) + sum(_taken(each) for pair in self._known.items() for each in pair)

    def __len__(self) -> int:
        return len(self._known)


def _taken(value: bytes) -> int:
    """Return how many bytes an allocator gives for a value: its own, and a few that say how many, in steps of 16."""
    return (sys.getsizeof(value) + 8 + 15) // 16 * 16


class Watcher:
    """A follower that keeps each step, and checks at once what can be.

    pairs: exchanges whose display names writers only ever change together.
    may_go_back: it may come to a server that follows another one, and is behind what was known already.
    """

    def __init__(
        self, who: str, digests: Digests, faults: Faults, pairs: Iterable[tuple[str, str]], *, may_go_back: bool = False
    ) -> None:
        self.who, self.may_go_back = who, may_go_back
        self.steps = array("Q")  # three numbers per step: epoch, token, and how many epochs led there
        self.stales = 0
        self._digests, self._faults, self._pairs = digests, faults, tuple(pairs)
        self._places: dict[str, tuple[Place, bytes]] = {}

    def moved(self, before: Snapshot | None, after: Snapshot, news: News | None) -> None:
        """Keep and check it."""
        epochs = None if news is None else [entry.epoch for entry in news.entries]
        count = _LOADED if epochs is None else len(set(epochs))
        self.steps.extend((after.position.epoch, as_number(after.position.token), count))
        if epochs is not None:
            least = -1 if before is None else before.position.epoch
            if sorted(epochs) != epochs or epochs[0] <= least or epochs[-1] != after.position.epoch:
                self._faults.note(f"{self.who}: {epochs} led from {least} to {after.position.epoch}")
        for first, second in self._pairs:
            names = [after.places[place].exchange.display_name for place in (first, second)]
            if names[0] != names[1] or names[0].startswith(UNDONE):
                self._faults.note(f"{self.who}: at {after.position} {first} and {second} were called {names}")
        wrong = self._digests.check(after.position, self._digest(after), self.who)
        if wrong is not None:
            self._faults.note(wrong)

    def forget(self) -> None:
        """Keep the steps alone, when it has no registry any more."""
        self._places = {}

    def stale(self, error: RegistryStale) -> None:
        """Count it."""
        self.stales += 1

    def fresh(self, snapshot: Snapshot) -> None:
        """Do nothing: a step tells all."""

    def _digest(self, snapshot: Snapshot) -> bytes:
        found: dict[str, tuple[Place, bytes]] = {}
        for name, place in snapshot.places.items():
            known = self._places.get(name)
            found[name] = known if known is not None and known[0] is place else (place, digest(place))
        self._places = found
        return blake2b(b"".join(found[name][1] for name in sorted(found)), digest_size=16).digest()


def digest(place: Place) -> bytes:
    """Return the same for places that hold the same."""
    return blake2b(msgspec.json.encode(plain(place), order="deterministic"), digest_size=16).digest()


def plain(place: Place) -> Mapping[str, Any]:
    """Return all that a place holds in a form that can be compared and printed."""
    return {
        "exchange": place.exchange,
        "symbols": {str(number): symbol(one) for number, one in place.symbols.items()},
        "named": {str(number): one for number, one in place.named.items()},
        "holds": {str(native): one for native, one in place.holds.items()},
        "fees": {f"{account} {number}": one for (account, number), one in place.fees.items()},
        "lists": sorted(map(str, place.lists)),
    }


def symbol(one: RegistrySymbol) -> list[Any]:
    """Return what a symbol says, whether or not its rules were compiled."""
    return [*(_exact(getattr(one, field)) for field in _FIELDS), dict(one.account_fees)]


def _exact(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal | datetime) else value


def as_number(token: str) -> int:
    """Return a token in eight bytes."""
    return int(token[:8] + token[9:13] + token[14:18], 16) if len(token) == 36 else hash(token) % 2**64


def judge(watcher: Watcher, log: Mapping[int, str], whole: Iterable[int], *, lost: bool) -> list[str]:
    """Return what is wrong with the steps of one registry, given the log as it is at the end.

    log: the token of each epoch. whole: the epochs at which everything has changed.
    lost: whether there were commits that a failover has lost: only then may a registry have seen others.
    """
    faults: list[str] = []
    tokens = {epoch: as_number(token) for epoch, token in log.items()}
    ordered, everything = sorted(tokens), set(whole)
    index = {epoch: number for number, epoch in enumerate(ordered)}
    steps = [tuple(watcher.steps[at : at + 3]) for at in range(0, len(watcher.steps), 3)]
    for at, (epoch, token, count) in enumerate(steps):
        stands = tokens.get(epoch) == token
        if not stands and not lost and epoch >= ordered[0]:
            faults.append(f"{watcher.who} was at {epoch} with a token that was never given")
        if at == 0:
            continue
        before, its_token, _ = steps[at - 1]
        stood = tokens.get(before) == its_token
        if stands and not stood and count != _LOADED and before >= ordered[0]:
            faults.append(f"{watcher.who} went on to {epoch} from what a failover has lost, at {before}")
        elif stands and stood and epoch <= before and not watcher.may_go_back:
            faults.append(f"{watcher.who} went from {before} to {epoch}")
        elif stands and stood and count != _LOADED and index[epoch] - index[before] != count:
            led = ordered[index[before] + 1 : index[epoch] + 1]
            faults.append(f"{watcher.who} went from {before} to {epoch} by {count} changes, not by {led}")
        elif (
            stands
            and stood
            and count == _LOADED
            and epoch > before
            and not any(before < one <= epoch for one in everything)
        ):
            faults.append(f"{watcher.who} has loaded all at {epoch}, though the log leads there from {before}")
    return faults[:MOST]


def differences(who: str, held: Snapshot, wanted: Snapshot) -> list[str]:
    """Return in what a snapshot is not the one that it should be."""
    faults = [] if held.position == wanted.position else [f"{who} is at {held.position}, not at {wanted.position}"]
    if held.places.keys() != wanted.places.keys():
        faults.append(f"{who} has other exchanges: {sorted(held.places.keys() ^ wanted.places.keys())}")
    for name in held.places.keys() & wanted.places.keys():
        mine, its = plain(held.places[name]), plain(wanted.places[name])
        faults += [f"{who}: {part} of {name} are not what the database has" for part in mine if mine[part] != its[part]]
        indexes = ("by_native", "by_symbol", "by_pair")
        faults += [
            f"{who}: {each} of {name} does not lead to what the database has"
            for each in indexes
            if getattr(held.places[name], each) != getattr(wanted.places[name], each)
        ]
    return faults


class Writes:
    """Numbers that one writer wrote in one place, rising: which was acknowledged last, and which was tried last."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.tried = self.acknowledged = 0

    def judge(self, found: int) -> list[str]:
        """Return what is wrong with the number that is there at the end."""
        if self.acknowledged <= found <= self.tried:
            return []
        return [f"{self.what} ends with {found}; {self.acknowledged} was acknowledged, {self.tried} was tried last"]
