"""Registers commands: adds the options that all of them have, and gives each a usage line as manuals write it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from exchanges_db.cli import output, session

F = TypeVar("F", bound=Callable[..., None])

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
WithHeader = Annotated[bool, typer.Option("--header", help="Begin with a line of column names, also in a pipe.")]
AskEmbedded = Annotated[
    bool, typer.Option("--embedded", help="Use the embedded PostgreSQL (extra `embedded`), whatever DATABASE_URL says.")
]
HELP = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose usage line shows arguments as EXCHANGE, [EXCHANGE] or EXCHANGE... ."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return what follows the command's name in its usage line."""
        pieces = ["[OPTIONS]"]
        for parameter in self.get_params(ctx):
            if parameter.param_type_name == "argument":
                name = (parameter.metavar or parameter.name or "").upper()
                name += "" if parameter.nargs == 1 else "..."
                pieces.append(name if parameter.required else f"[{name}]")
        return pieces


def command(
    app: typer.Typer,
    name: str | None = None,
    *,
    example: str,
    answers: bool = True,
    lists: bool = False,
    asks: bool = True,
) -> Callable[[F], F]:
    """Register a command.

    It gets `--embedded` if it asks a database, `--json` if it answers, and `--header` if its answer is a list.
    """
    options: dict[str, Any] = {"as_json": AsJson} if answers else {}
    if lists:
        options["with_header"] = WithHeader
    if asks:
        options["ask_embedded"] = AskEmbedded

    def register(function: F) -> F:
        signature = inspect.signature(function, eval_str=True)

        @functools.wraps(function)
        def work(**given: Any) -> None:
            told = {option: given.pop(option) for option in options}
            session.choose(ask_embedded=told.pop("ask_embedded", False))
            output.choose(**told)
            function(**given)

        common = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
            for option, annotation in options.items()
        ]
        work.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what inspect reads of any function
            parameters=[
                *(
                    parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
                    for parameter in signature.parameters.values()
                ),
                *common,
            ]
        )
        app.command(name, cls=Command, epilog=f"Example: exchanges-db {example}", context_settings=HELP)(work)
        return function

    return register
