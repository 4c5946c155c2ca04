"""The door of the command ``zeroshot``."""

from __future__ import annotations

import os
from importlib.metadata import version
from typing import Annotated

import typer

from zeroshot_core.cli.classify import classify
from zeroshot_core.cli.console import write_line
from zeroshot_core.cli.deferred_module import defer
from zeroshot_core.cli.demo import demo
from zeroshot_core.cli.evaluate import app as evaluate
from zeroshot_core.cli.fit import fit
from zeroshot_core.cli.group import FailingPolitelyGroup
from zeroshot_core.cli.index import index
from zeroshot_core.cli.info import info
from zeroshot_core.cli.mcp import mcp
from zeroshot_core.cli.predict import predict
from zeroshot_core.cli.serve import serve
from zeroshot_core.cli.transfer import export, import_

__all__ = ["app"]

# Before gRPC opens: its notes on keepalive pings would stand among the progress bars, of use to nobody.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
defer("scipy.stats")

app = typer.Typer(
    cls=FailingPolitelyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Predict for things without a history, from text, a Milvus index and a knowledge graph.",
)


def _say_version(is_asked: bool) -> None:
    if is_asked:
        write_line(f"zeroshot {version('zeroshot-milvus')}")
        raise typer.Exit


@app.callback()
def _zeroshot(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say the version, and end."),
    ] = False,
) -> None:
    """Predict for things without a history, from text, a Milvus index and a knowledge graph."""


for command in (demo, fit, predict, classify, info, index, serve, mcp):
    app.command()(command)
app.command()(export)
app.command("import")(import_)
app.add_typer(evaluate, name="evaluate")
