"""``zeroshot mcp``: the tools over a saved model, for agents that speak the Model Context Protocol."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from zeroshot_core.cli.serve import ends_well, guarded_token
from zeroshot_core.errors import require

__all__ = ["mcp"]


def mcp(
    model: Annotated[Path, typer.Option(help="Folder of the model.")],
    http: Annotated[
        bool, typer.Option("--http", help="Answer by streamable HTTP under /mcp, not on standard input.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on, for HTTP.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on, for HTTP.", min=1, max=65535)] = 8001,
    prefix: Annotated[str, typer.Option(help="What the names of the tools begin with.")] = "zero_shot",
    uri: Annotated[str | None, typer.Option(help="Milvus server that holds the index, if one does.")] = None,
) -> None:
    """Serve a model's four tools to agents: predict, explain, and look up what is known."""
    require("mcp", extra="mcp")
    from zeroshot_core.estimators.saving import read_manifest
    from zeroshot_core.serving.mcp_server import mcp_application, mcp_server, serve_stdio
    from zeroshot_core.serving.model_handle import ModelHandle

    read_manifest(model)
    handle = ModelHandle(model, uri, os.environ.get("MILVUS_TOKEN") or None, read_only=True)
    server = mcp_server(handle, prefix=prefix)
    if not http:
        asyncio.run(serve_stdio(server))
        return
    token = guarded_token(host)
    is_here = host in {"127.0.0.1", "localhost", "::1"}
    hosts = [f"{name}:{port}" for name in (host, "127.0.0.1", "localhost")] if is_here else []
    uvicorn = require("uvicorn", extra="mcp")
    with ends_well():
        app = mcp_application(server, hosts=hosts, token=token)
        uvicorn.run(app, host=host, port=port, access_log=False, server_header=False)
