"""The tools over a model for any agent that speaks the Model Context Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import CallToolResult, TextContent, Tool, ToolAnnotations
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.routing import Route

from zeroshot_core.checks import known_names
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.uri import HiddenText
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.request_guard import RequestGuard, RequestLimits
from zeroshot_core.serving.tool_inputs import ToolInput, tool_inputs
from zeroshot_core.serving.tool_outputs import FoundHit, ReasonedPrediction, found_hit, reasoned_prediction
from zeroshot_core.serving.tools import ModelTools, described_tools
from zeroshot_core.types import Prediction

__all__ = ["mcp_application", "mcp_server", "serve_stdio"]

_PATH: Final = "/mcp"


class FoundHits(BaseModel):
    """What was found, best first."""

    hits: list[FoundHit]


_OUTPUTS: Final[dict[str, type[BaseModel]]] = {
    "predict": ReasonedPrediction,
    "explain": ReasonedPrediction,
    "retrieve": FoundHits,
    "related_concepts": FoundHits,
}


def mcp_server(
    handle: ModelHandle, *, prefix: str = "zero_shot", descriptions: Mapping[str, str] | None = None
) -> Server[Any, Any]:
    """Make a server of the four tools, which answer in words and, structured, as the web service does.

    Wrong input comes back as an error of the tool, in a sentence by which an agent can mend it.

    Parameters
    ----------
    handle
        The model, opened when it is first asked.
    prefix, descriptions
        As of `tools.described_tools`.
    """
    server: Server[Any, Any] = Server(
        "zeroshot-milvus",
        version=version("zeroshot-milvus"),
        instructions="Predictions of a model, and what it knows.",
    )
    asked = ModelTools(handle=handle)
    told = described_tools(handle.source, prefix, descriptions)
    schemas = tool_inputs(handle.source)
    does_by_name = {name: does for does, (name, _) in told.items()}

    @server.list_tools()  # type: ignore[no-untyped-call, untyped-decorator]
    async def list_tools() -> list[Tool]:
        return [
            Tool(
                name=name,
                description=description,
                inputSchema=schemas[does].model_json_schema(),
                outputSchema=_OUTPUTS[does].model_json_schema(),
                annotations=ToolAnnotations(readOnlyHint=True, openWorldHint=False),
            )
            for does, (name, description) in told.items()
        ]

    # Our schemas say what is wrong in a sentence, with the nearest right word.
    @server.call_tool(validate_input=False)  # type: ignore[untyped-decorator]
    async def call_tool(name: str, arguments: dict[str, Any]) -> CallToolResult:
        try:
            known_names("the server", [name], does_by_name)
            does = does_by_name[name]
            return await asyncio.to_thread(_answer, asked, does, schemas[does].model_validate(arguments))
        except (InvalidInputError, ValidationError) as error:
            return CallToolResult(isError=True, content=[TextContent(type="text", text=_sentence(error))])

    return server


def _answer(asked: ModelTools, does: str, given: ToolInput) -> CallToolResult:
    words, found = getattr(asked, does)(**given.model_dump())
    if isinstance(found, Prediction):
        structured: BaseModel = reasoned_prediction(found, is_explained=does == "explain")
    else:
        structured = FoundHits(hits=[*map(found_hit, found)])
    return CallToolResult(
        content=[TextContent(type="text", text=words)], structuredContent=structured.model_dump(mode="json")
    )


def _sentence(error: InvalidInputError | ValidationError) -> str:
    if isinstance(error, InvalidInputError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "arguments"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


async def serve_stdio(server: Server[Any, Any]) -> None:
    """Answer on standard input and output until the client leaves."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def mcp_application(
    server: Server[Any, Any], *, hosts: Collection[str], token: str | None = None
) -> Starlette:
    """Make a web application that answers by streamable HTTP under ``/mcp``.

    Parameters
    ----------
    hosts
        Names under which it may be asked, with ports; a page that a browser shows reaches it by no other.
        None are checked where this is empty.
    token
        What clients must send as ``Authorization: Bearer``; None lets everybody ask.
    """
    security = TransportSecuritySettings(
        enable_dns_rebinding_protection=bool(hosts),
        allowed_hosts=[*hosts],
        allowed_origins=[f"http://{host}" for host in hosts],
    )
    sessions = StreamableHTTPSessionManager(server, stateless=True, security_settings=security)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            yield

    guard = RequestGuard(
        sessions.handle_request,
        limits=RequestLimits(),
        token=None if token is None else HiddenText(token),
    )
    return Starlette(routes=[Route(_PATH, guard)], lifespan=lifespan)
