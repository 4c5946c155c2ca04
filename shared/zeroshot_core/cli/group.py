"""How the command fails: one sentence on standard error, and an exit code."""

from __future__ import annotations

import os
from typing import Any

import typer
from typer.core import TyperGroup

from zeroshot_core.checks import repaired_text
from zeroshot_core.cli.console import note
from zeroshot_core.errors import ZeroShotError

__all__ = ["FailingPolitelyGroup"]


class FailingPolitelyGroup(TyperGroup):
    """Commands whose known failures end with exit code 1 and a message instead of a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse arguments that are not in UTF-8, which Python holds as lone surrogates."""
        strange = next((arg for arg in args if repaired_text(arg) is not arg), None)
        if strange is not None:
            note(
                f"error: expected arguments in UTF-8, got {os.fsencode(strange)!r}; set the terminal to UTF-8"
            )
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (ZeroShotError, OSError) as error:
            note(f"error: {error}")
            raise typer.Exit(1) from error
        except UnicodeError as error:
            note(f"error: expected input in UTF-8, got other bytes ({error}); convert it")
            raise typer.Exit(1) from error
