"""Names and texts as SQL writes them, for the one output that is printed for a person to run, by the command `roles`.

Nothing in this package sends a statement that was put together with these.
"""

from __future__ import annotations

from exchanges_db.errors import InvalidArgument, shown

# PostgreSQL cuts longer names off in silence, and two of them would become one.
_MOST_BYTES = 63
_RESERVED = frozenset(("public", "none"))


def quote_name(name: str) -> str:
    """Return a name in double quotes, which SQL reads as exactly that name.

    Raises:
        InvalidArgument: it is empty, longer than a name can be, or holds what is not printed, such as a line break.
    """
    if not name or not name.isprintable():
        raise InvalidArgument(f"{shown(name)} is no name: it is empty, or holds what cannot be printed")
    if len(name.encode()) > _MOST_BYTES:
        raise InvalidArgument(
            f"{shown(name)} is no name: it has more than {_MOST_BYTES} bytes, which PostgreSQL cuts off"
        )
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def quote_role(name: str) -> str:
    """Return the name of a role in double quotes; raise InvalidArgument also where no role can be called so."""
    if name in _RESERVED or name.startswith("pg_"):
        raise InvalidArgument(f"{shown(name)} is no name of a role: PostgreSQL keeps it for itself")
    return quote_name(name)


def quote_text(text: str) -> str:
    """Return a text in single quotes, read in the same way whatever `standard_conforming_strings` is."""
    doubled = text.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    escaped = doubled.replace("\\", "\\\\")
    return f"E'{escaped}'"


def quote_body(body: str) -> str:
    """Return the body of a DO block between dollar quotes that do not occur in it."""
    tag = "roles"
    while f"${tag}$" in body:
        tag += "_"
    return f"${tag}$\n{body}\n${tag}$"
