"""A payload taken apart: its envelope and its rows, undecoded; the message of an error is refused in its own words."""

from __future__ import annotations

import json

import msgspec

from exchanges_db.errors import PayloadError, shown
from exchanges_db.symbols.payloads.nesting import check_nesting, nests_too_deeply, too_deep

Raw = msgspec.Raw

_ROWS_TO_KNOW_IT_BY = 15
# Where an envelope holds its rows: as a list or, where one symbol was asked for, perhaps as one object.
_ROWS_OF_ENVELOPES = ("symbols", "data")
_GOOD_CODES = (0, 200)
_LONGEST_WORDS = 200
_SPACE = " \t\r\n"
_SPACE_CHARS = frozenset(_SPACE)
names_of = msgspec.json.Decoder(dict[str, Raw]).decode
_rows_of = msgspec.json.Decoder(list[Raw]).decode


class Document(msgspec.Struct, frozen=True):
    """A payload taken apart.

    Attributes:
        top: the fields of its envelope; None where it is a bare list.
        rows: the rows, as they came: the bare list, or what the envelope has as `symbols` or `data`.
        plain: there is no zero byte in it, which jsonb cannot hold.
        heads: the names of the fields of the first rows that are objects.
    """

    top: dict[str, Raw] | None
    rows: list[Raw]
    plain: bool
    heads: tuple[frozenset[str], ...]

    @classmethod
    def parse(cls, payload: bytes) -> Document:
        """Return a payload taken apart: an index, a companion, or a list in a test of your own.

        Raises PayloadError where it is no JSON, is cut off, or is the message of an error.
        """
        return split(payload)

    def has_keys(self, *keys: str) -> bool:
        """Return whether most of the first rows that are objects have all of these keys; True without any row."""
        return not self.rows or 2 * sum(names.issuperset(keys) for names in self.heads) > len(self.heads)

    def rows_at(self, *path: str) -> Document:
        """Return the payload with the rows that its envelope has further in, such as "result", "list".

        Raises PayloadError where there is no list.
        """
        value, names = b"null", self.top or {}
        for step in path:
            value = bytes(names.get(step, b"null"))
            names = names_of(value) if value[:1] == b"{" else {}
        if value[:1] != b"[":
            raise PayloadError(f"the payload has no list at {'.'.join(path)}")
        return _document(self.top, _split_list(value), self.plain)


def split(payload: bytes) -> Document:
    """Return a payload as its rows.

    Raises PayloadError, on every interpreter alike also where it nests deeper than `nesting.DEEPEST`; for the message
    of an error that was sent in place of a list it gives the exchange's own words.
    """
    payload = payload.removeprefix(b"\xef\xbb\xbf").strip()
    if not payload:
        raise PayloadError("the payload is empty: there is no JSON in it")
    if payload[:1] not in (b"[", b"{"):
        raise PayloadError("the payload is neither a JSON list nor a JSON object: is it an error page?")
    try:
        top = _split_envelope(payload) if payload[:1] == b"{" else None
        place = None if top is None else next((key for key in _ROWS_OF_ENVELOPES if key in top), None)
        text = payload if top is None else b"[]" if place is None else bytes(top[place])
        if place == "data" and text[:1] == b"{":
            text = b"[%b]" % text
        rows = [] if text == b"null" else _split_list(text)
    except (msgspec.MsgspecError, RecursionError, ValueError) as exc:
        # Some interpreters give up where others find another fault: here all of them name the depth.
        if nests_too_deeply(payload):
            raise too_deep() from exc
        if isinstance(exc, RecursionError):
            raise  # the caller's own stack is full
        raise PayloadError(f"the payload is no whole JSON document, perhaps cut off: {shown(str(exc))}") from exc
    check_nesting(rows, above=1 if top is None else 2)
    check_nesting((value for name, value in (top or {}).items() if name != place), above=1)
    if top is not None:
        _refuse_error(top, payload, nothing=not rows, null=text == b"null")
    return _document(top, rows, b"\\u0000" not in payload)


def _document(top: dict[str, Raw] | None, rows: list[Raw], plain: bool) -> Document:
    return Document(top, rows, plain, tuple(filter(None, map(_keys, rows[:_ROWS_TO_KNOW_IT_BY]))))


def _refuse_error(top: dict[str, Raw], payload: bytes, *, nothing: bool, null: bool) -> None:
    """Raise PayloadError where an envelope is the message of an error, which exchanges also send with status 200."""
    code = bytes(top.get("code", b"0")).strip(b'"')
    failed = b"success" if bytes(top.get("success", b"true")) == b"false" else b""
    bad_code = nothing and not (code.isdigit() and int(code[:20]) in _GOOD_CODES)
    if failed or bad_code or null or (nothing and "label" in top):
        raise PayloadError(f"the exchange sent no list of symbols: it says {in_its_words(payload)}")


def in_its_words(payload: bytes) -> str:
    """Return what an exchange sent as text for a message: printable, and cut where it is long."""
    text = payload[: 4 * _LONGEST_WORDS].decode("utf-8", "replace")
    return repr(text) if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]!r}..."


def _split_list(text: bytes) -> list[Raw]:
    try:
        return _rows_of(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        # One bad string in one row, such as half a surrogate pair, must not cost the others: the standard library's
        # scanner is lenient enough to find where each row ends.
        return _split_leniently(text.decode("utf-8", "surrogateescape"))


def _split_envelope(text: bytes) -> dict[str, Raw]:
    try:
        return names_of(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _fields_leniently(text.decode("utf-8", "surrogateescape"))


def _fields_leniently(text: str) -> dict[str, Raw]:
    """Return the fields of an object, of which some text is bad: the rows of a list in it are split likewise."""
    scan = json.JSONDecoder(strict=False).raw_decode
    fields: dict[str, Raw] = {}
    position = _skip_space(text, 1)
    while not (text[position : position + 1] == "}" and not fields):
        name, end = scan(text, position)
        position = _skip_space(text, end)
        if not isinstance(name, str) or text[position : position + 1] != ":":
            raise ValueError("a field has no name")
        start = _skip_space(text, position + 1)
        _, end = scan(text, start)
        fields[name] = Raw(text[start:end].encode("utf-8", "surrogateescape"))
        position = _skip_space(text, end)
        if text[position : position + 1] != ",":
            break
        position = _skip_space(text, position + 1)
    if text[position:].rstrip(_SPACE) != "}":
        raise ValueError("the object does not end where the payload does")
    return fields


def _split_leniently(text: str) -> list[Raw]:
    scan = json.JSONDecoder(strict=False).raw_decode
    rows: list[Raw] = []
    position = _skip_space(text, 1)
    while not (text[position : position + 1] == "]" and not rows):
        _, end = scan(text, position)
        rows.append(Raw(text[position:end].encode("utf-8", "surrogateescape")))
        position = _skip_space(text, end)
        if text[position : position + 1] != ",":
            break
        position = _skip_space(text, position + 1)
    if text[position:].rstrip(_SPACE) != "]":
        raise ValueError("the list does not end where the payload does")
    return rows


def _skip_space(text: str, position: int) -> int:
    while text[position : position + 1] in _SPACE_CHARS:
        position += 1
    return position


def _keys(row: Raw) -> frozenset[str]:
    try:
        return frozenset(names_of(row))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return frozenset()
