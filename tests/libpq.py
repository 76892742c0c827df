"""PostgreSQL's own client library, as the judge of how a URL is read and which options there are."""

import ctypes
import functools

from exchanges_db.database.embedded_binaries import binaries


class _Option(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "variable", "compiled", "value", "label", "shown")),
        ("size", ctypes.c_int),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(binaries().parent / "lib/libpq.so.5"))
    for function in (library.PQconndefaults, library.PQconninfoParse):
        function.restype = ctypes.POINTER(_Option)
    return library


def libpq_options() -> dict[str, str | None]:
    """Return every option of libpq, and the environment variable that sets it."""
    rows = _rows(_library().PQconndefaults())
    return {row.keyword.decode(): row.variable.decode() if row.variable else None for row in rows}


def libpq_reads(url: str) -> dict[str, str] | None:
    """Return the options that libpq finds in a URL; None where it refuses it."""
    error = ctypes.c_char_p()
    found = _library().PQconninfoParse(url.encode(), ctypes.byref(error))
    if not found:
        return None
    return {row.keyword.decode(): row.value.decode(errors="replace") for row in _rows(found) if row.value is not None}


def _rows(first: "ctypes._Pointer[_Option]") -> list[_Option]:
    rows: list[_Option] = []
    while first[len(rows)].keyword:
        rows.append(first[len(rows)])
    return rows
