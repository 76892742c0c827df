"""Asks before what cannot be undone is done."""

from __future__ import annotations

import sys

import typer


def confirm(question: str) -> None:
    """Return when the answer is yes; raises Abort. stdout is kept for the answer, so all of this is on stderr."""
    try:
        typer.echo(f"{question} [y/N] ", nl=False, err=True)
        answer = "" if sys.stdin is None else sys.stdin.readline()
    except KeyboardInterrupt:
        typer.echo(err=True)
        raise typer.Abort from None  # which of the two ways to say no it was, main tells by the context
    if not answer.endswith("\n"):  # nobody there to press Enter
        typer.echo(err=True)
    if answer.strip().lower() not in {"y", "yes"}:
        raise typer.Abort
