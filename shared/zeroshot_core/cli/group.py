"""How the command fails: one sentence on standard error, and an exit code."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from zeroshot_core.cli.console import note
from zeroshot_core.errors import ZeroShotError

__all__ = ["FailingPolitelyGroup"]


class FailingPolitelyGroup(TyperGroup):
    """Commands whose known failures end with exit code 1 and a message instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (ZeroShotError, OSError) as error:
            note(f"error: {error}")
            raise typer.Exit(1) from error
