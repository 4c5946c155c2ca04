"""The tools by the Model Context Protocol, asked by its own client, LangChain's and LlamaIndex's."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from aisle_samples import saved_aisles
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from zeroshot_core.serving.mcp_server import mcp_application, mcp_server
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.tool_inputs import TOOL_INPUTS

TOOLS = {f"zero_shot_{does}": schema for does, schema in TOOL_INPUTS.items()}
TOKEN = {"Authorization": "Bearer sesame"}
# Clients of these versions are deprecated by the SDK, or leave streams to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_aisles(tmp_path_factory.mktemp("mcp") / "aisles")


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """Address of the tools by streamable HTTP, in this process."""
    app = mcp_application(mcp_server(ModelHandle(folder)), hosts=["127.0.0.1:*"], token="sesame")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    server.should_exit = True
    thread.join()


async def ask(session: ClientSession) -> None:
    """What any client must find."""
    await session.initialize()
    tools = {tool.name: tool for tool in (await session.list_tools()).tools}
    assert tools.keys() == TOOLS.keys()
    assert tools["zero_shot_predict"].inputSchema == TOOLS["zero_shot_predict"].model_json_schema()
    assert "drinks" in tools["zero_shot_predict"].description

    answer = await session.call_tool("zero_shot_predict", {"text": "red wine 9"})
    assert not answer.isError
    assert "drinks" in answer.content[0].text
    assert answer.structuredContent["value"] == "drinks"
    found = await session.call_tool("zero_shot_retrieve", {"query": "dog food", "k": 2})
    assert len(found.structuredContent["hits"]) == 2

    for wrong, said in (
        ({"txt": "wine"}, "did you mean 'text'?"),
        ({}, "text"),
        ({"text": " "}, "non-empty"),
    ):
        refused = await session.call_tool("zero_shot_predict", wrong)
        assert refused.isError
        assert said in refused.content[0].text
    assert (await session.call_tool("zero_shot_predicts", {})).isError


async def test_the_own_client_over_http(url: str) -> None:
    async with (
        streamablehttp_client(url, headers=TOKEN) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await ask(session)


async def test_the_own_client_over_stdio(folder: Path) -> None:
    command = "from zeroshot_core.cli.main import app; app()"
    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", command, "mcp", "--model", str(folder)],
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await ask(session)


async def test_langchains_client(url: str) -> None:
    adapters = pytest.importorskip("langchain_mcp_adapters.client")
    client = adapters.MultiServerMCPClient(
        {"aisles": {"transport": "streamable_http", "url": url, "headers": TOKEN}}
    )
    tools = {tool.name: tool for tool in await client.get_tools()}

    assert tools.keys() == TOOLS.keys()
    assert "drinks" in str(await tools["zero_shot_predict"].ainvoke({"text": "red wine 9"}))


async def test_llama_indexs_client(url: str) -> None:
    adapters = pytest.importorskip("llama_index.tools.mcp")
    tools = await adapters.McpToolSpec(
        client=adapters.BasicMCPClient(url, headers=TOKEN)
    ).to_tool_list_async()
    predict = next(tool for tool in tools if tool.metadata.name == "zero_shot_predict")

    assert {tool.metadata.name for tool in tools} == TOOLS.keys()
    assert "drinks" in str(await predict.acall(text="red wine 9"))


async def test_who_has_no_token_is_refused(url: str) -> None:
    import httpx

    async with httpx.AsyncClient() as client:
        assert (await client.post(url, json={})).status_code == 401
        assert (await client.post(url, json={}, headers={**TOKEN, "host": "evil.example"})).status_code == 421
