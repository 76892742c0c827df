"""Who may do what with each table: the decisions that the command `roles` prints, and that the documents refer to.

Everybody reads all tables and views. Nobody may TRUNCATE or change a table, and nobody writes a history: the triggers
of the tables do, with their owner's rights. What there is comes from the schema of record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from exchanges_db.schema.comparison import SchemaObject, recorded_schema


class Duty(StrEnum):
    """What a role is for, beside reading."""

    IMPORT = "IMPORT"
    KEEP = "KEEP"
    TRADE = "TRADE"


# Of each table, what each duty needs beside SELECT. A table that is added is given its line here, if only an empty one.
WRITES: Mapping[str, Mapping[Duty, tuple[str, ...]]] = {
    # Append-only: whoever sets fees adds a row.
    "account_fees": {Duty.TRADE: ("INSERT",)},
    "exchange_history": {},
    "exchanges": {Duty.KEEP: ("UPDATE",), Duty.TRADE: ("INSERT", "UPDATE", "DELETE")},
    "history_prunes": {},
    "hold_history": {},
    "holds": {Duty.KEEP: ("INSERT", "UPDATE", "DELETE")},
    # The log of changes, and the lock under which it is ordered: triggers alone write and take them.
    "registry_changes": {},
    "registry_commit_order": {},
    # A doubt is ended by an UPDATE, which its trigger lets do nothing else.
    "symbol_doubts": {Duty.IMPORT: ("INSERT", "UPDATE")},
    "symbol_history": {},
    # The ledger takes what an import reports of itself; its trigger sets who and when.
    "symbol_imports": {Duty.IMPORT: ("INSERT",)},
    "symbol_lists": {Duty.IMPORT: ("INSERT", "UPDATE")},
    "symbol_raw": {Duty.IMPORT: ("INSERT", "UPDATE")},
    "symbols": {Duty.IMPORT: ("INSERT", "UPDATE")},
}


def tables() -> list[SchemaObject]:
    """Return our tables and views."""
    return [item for item in recorded_schema() if item.kind in ("table", "view")]


def functions() -> list[SchemaObject]:
    """Return our functions."""
    return [item for item in recorded_schema() if item.kind == "function"]


def is_called(function: SchemaObject) -> bool:
    """Return whether statements of a reader or writer call a function, with their own rights.

    No role may call a function of a trigger, or one that has its owner's rights: a trigger on a table of the role's own
    would write history with them.
    """
    return "\n RETURNS trigger\n" not in function.definition and "SECURITY DEFINER" not in function.definition


def writes(table: str, duties: Collection[Duty]) -> tuple[str, ...]:
    """Return the rights that these duties need on a table or view, beside SELECT, in SQL's usual order."""
    decided = WRITES.get(table, {})
    needed = {right for duty in duties for right in decided.get(duty, ())}
    return tuple(right for right in ("INSERT", "UPDATE", "DELETE") if right in needed)
