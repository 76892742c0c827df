"""A person's word on a brake: which of them lets which row, or which reviewed payload, through."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum

import msgspec

from exchanges_db.errors import InvalidArgument, shown

_HASH = re.compile("[0-9a-f]{12,64}")
_HASH_MARK = "sha256:"
# What is enough to tell a payload from all others, and can still be typed.
_SHORT_HASH = 16


class Brake(StrEnum):
    """Why a list, or a row of it, is not believed.

    EMPTY: it lists nothing. LEFT: symbols are gone from it, are called delisted, or became other symbols. MASS: many
    rows changed alike. JUMP: a number moved too far. DUPLICATE: a name is there twice. REJECTED: rows cannot be read.
    FOREIGN: it seems to be another list. OLDER: a newer one was imported before. FUTURE: its time has not come yet.
    """

    EMPTY = "EMPTY"
    LEFT = "LEFT"
    MASS = "MASS"
    JUMP = "JUMP"
    DUPLICATE = "DUPLICATE"
    REJECTED = "REJECTED"
    FOREIGN = "FOREIGN"
    OLDER = "OLDER"
    FUTURE = "FUTURE"

    @classmethod
    def parse(cls, brake: Brake | str, field: str = "allow") -> Brake:
        """Return the member for `brake`, or for its text in any case; raises InvalidArgument, which names `field`."""
        member = cls.__members__.get(brake.upper()) if isinstance(brake, str) and brake.isascii() else None
        if member is None:
            raise InvalidArgument(f"{field} {shown(brake)} is no brake; the brakes are {', '.join(cls)}", field=field)
        return member


# Brakes that hold single rows back, which can be allowed one by one. A row that cannot be read can be taken by nobody.
_BY_NAME = (Brake.LEFT, Brake.JUMP, Brake.DUPLICATE)


class Allowance(msgspec.Struct, frozen=True):
    """What a person lets through: with `name` one row of a list, with `sha256` one payload that was reviewed.

    Attributes:
        name: the exchange's own name of a symbol; for LEFT, JUMP and DUPLICATE.
        sha256: of the payload, in small letters; at least its first 12 digits.

    Raises:
        InvalidArgument: it has neither or both, or its brake does not go by names; the message says what to write.
    """

    brake: Brake
    name: str | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        if type(self.brake) is not Brake:
            raise InvalidArgument(f"brake must be a Brake, not {shown(self.brake)}", field="allow")
        if (self.name is None) is (self.sha256 is None):
            raise InvalidArgument(
                f"an allowance has a name or a sha256: write {how_to_allow(self.brake)}", field="allow"
            )
        if self.sha256 is not None:
            if type(self.sha256) is not str or not _HASH.fullmatch(self.sha256):
                text = f"{shown(self.sha256)} is no SHA-256: write {how_to_allow(self.brake)}, 12 to 64 digits of it"
                raise InvalidArgument(text, field="allow")
        elif type(self.name) is not str or not self.name:
            raise InvalidArgument(
                f"a name is text, not {shown(self.name)}: write {how_to_allow(self.brake)}", field="allow"
            )
        elif self.brake not in _BY_NAME:
            text = (
                f"{self.brake} stops a list and no single symbol such as {shown(self.name)}, so it is allowed for the "
                f"payload that was reviewed: write {how_to_allow(self.brake)}"
            )
            raise InvalidArgument(text, field="allow")

    @classmethod
    def parse(cls, allowance: Allowance | str, field: str = "allow") -> Allowance:
        """Return `allowance`, or what its text says: JUMP=BTC_USDT, LEFT=sha256:0123456789ab; the brake in any case.

        Raises:
            InvalidArgument: it is no such text; the error names `field` and says what to write.
        """
        if isinstance(allowance, Allowance):
            return allowance
        if not isinstance(allowance, str):
            raise InvalidArgument(f"{field} {shown(allowance)} is no text such as JUMP=BTC_USDT", field=field)
        word, _, rest = allowance.partition("=")
        brake = Brake.parse(word, field)
        if not rest:
            text = f"{field} {shown(allowance)} does not say what is allowed: write {how_to_allow(brake)}"
            raise InvalidArgument(text, field=field)
        if rest[: len(_HASH_MARK)].lower() == _HASH_MARK:
            return cls(brake, sha256=rest[len(_HASH_MARK) :].lower())
        return cls(brake, name=rest)

    def covers_payload(self, brake: Brake, payload_sha256: str | None) -> bool:
        """Return whether it lets a payload through; one without a hash was reviewed by nobody."""
        return (
            self.brake is brake
            and self.sha256 is not None
            and payload_sha256 is not None
            and payload_sha256.startswith(self.sha256)
        )

    def __str__(self) -> str:
        return f"{self.brake}={self.name if self.sha256 is None else _HASH_MARK + self.sha256}"


def how_to_allow(brake: Brake, *, name: str | None = None, payload_sha256: str | None = None) -> str:
    """Return what lets a row or a payload through, as a shell takes it; without either the form of it."""
    if name is not None:
        return shlex.quote(f"{brake.lower()}={name}")
    if payload_sha256 is not None:
        return f"{brake.lower()}={_HASH_MARK}{payload_sha256[:_SHORT_HASH]}"
    by_hash = f"{brake}={_HASH_MARK}HASH_OF_THE_PAYLOAD"
    return f"{brake}=SYMBOL or {by_hash}" if brake in _BY_NAME else by_hash
