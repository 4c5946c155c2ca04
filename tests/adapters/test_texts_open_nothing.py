"""A text is only read, whatever it looks like: no door opens a file or asks a server for what it names.

The encoder is a real one of texts and images, whose own library would fetch and open such texts.
"""

import asyncio
import csv
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.schema import QueryBundle, TextNode
from PIL import Image
from tiny_models import save_clip
from typer.testing import CliRunner
from zeroshot_core import Item, ZeroShotClassifier
from zeroshot_core.cli.main import app
from zeroshot_core.retrieval import rerank
from zeroshot_core.serving.service import ServiceSettings, service_of

import langchain_zeroshot as lc
import llama_index_zeroshot as li
from langchain_zeroshot.vector_store import ZeroShotVectorStore

# Who meant pictures is told so.
pytestmark = pytest.mark.filterwarnings("ignore:.* look like an image, such as")


class _Counting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def asked() -> Iterator[tuple[str, list[str]]]:
    """The address of a server, and what it was asked for."""
    with HTTPServer(("127.0.0.1", 0), _Counting) as http:
        http.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", http.asked  # type: ignore[attr-defined]
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def texts(asked: tuple[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("private") / "dog.png"
    Image.new("RGB", (8, 8), "red").save(path)
    address = asked[0]
    return [f"{address}/dog.png", f"{address}/dog", str(path), path.as_uri(), "data:image/png;base64,aGk="]


@pytest.fixture(scope="module")
def folder(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A classifier and a store of texts, made of such texts too."""
    root = tmp_path_factory.mktemp("models")
    encoder = str(save_clip(root / "clip"))
    pets = [f"pet {number}" for number in range(8)]
    labels = ["name"] * len(texts) + ["pet"] * len(pets)
    model = ZeroShotClassifier(encoder).fit([*texts, *pets], labels)
    model.save(root / "model")
    model.close()
    return root / "model"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the pictures that were opened."""
    names: list[str] = []
    read, open_ = Path.read_bytes, Image.open
    monkeypatch.setattr(
        Path,
        "read_bytes",
        lambda self: (names.append(str(self)) if self.suffix == ".png" else None, read(self))[1],
    )
    monkeypatch.setattr(
        Image, "open", lambda *args, **named: (names.append(str(args[0])), open_(*args, **named))[1]
    )
    return names


def of_core(folder: Path, texts: list[str]) -> None:
    with closing(ZeroShotClassifier.load(folder)) as model:
        model.predict(texts)
        model.explain(texts)
        model.novelty_score(texts)
        model.partial_fit(texts[:2], ["name", "pet"])
        model.retriever_.retrieve(texts)
        rerank(model.retriever_, texts[0], [Item(id=str(n), text=text) for n, text in enumerate(texts)])


def of_langchain(folder: Path, texts: list[str]) -> None:
    predictor = lc.ZeroShotPredictor(model=str(folder))
    retriever = lc.ZeroShotRetriever(model=str(folder))
    embeddings = lc.ZeroShotEmbeddings(model=str(folder))
    for text in texts:
        predictor.invoke(text)
        predictor.invoke({"text": text})
        predictor.invoke([HumanMessage(text)])
        retriever.invoke(text)
        embeddings.embed_query(text)
        for tool in lc.zero_shot_tools(str(folder)):
            if "text" in tool.args:
                tool.invoke({"text": text})
    embeddings.embed_documents(texts)
    store = ZeroShotVectorStore(str(folder))
    store.add_texts(texts, [{"image": text, "zeroshot_image": text} for text in texts])
    store.similarity_search(texts[0])


def of_llama_index(folder: Path, texts: list[str]) -> None:
    engine = li.ZeroShotQueryEngine(model=str(folder))
    retriever = li.ZeroShotRetriever(model=str(folder))
    embedding = li.ZeroShotEmbedding(model=str(folder))
    for text in texts:
        engine.query(text)
        engine.query(QueryBundle(query_str=text))
        retriever.retrieve(text)
        embedding.get_query_embedding(text)
    embedding.get_text_embedding_batch(texts)
    li.from_nodes([TextNode(text=text, metadata={"image_path": text, "file_path": text}) for text in texts])


def of_command(folder: Path, texts: list[str]) -> None:
    path = folder.parent / "new.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text"], *([text] for text in texts)])
    result = CliRunner().invoke(app, ["classify", "--model", str(folder), "--text", "text", str(path)])
    assert result.exit_code == 0, result.output


def of_service(folder: Path, texts: list[str]) -> None:
    """A client names no file of the server either: an image is refused."""

    async def ask() -> None:
        service = service_of(ServiceSettings(model=str(folder)))
        transport = httpx.ASGITransport(app=service)
        async with (
            service.router.lifespan_context(service),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            while (await client.get("/ready")).status_code == 503:
                await asyncio.sleep(0.02)
            reply = await client.post("/classify", json={"inputs": [*texts, {"text": texts[0]}]})
            assert reply.status_code == 200, reply.text
            for given in ({"image": texts[2]}, {"text": "a", "image": texts[0]}, {"image": texts[3]}):
                reply = await client.post("/classify", json={"inputs": [given]})
                assert (reply.status_code, "image" in reply.text) == (422, True)

    asyncio.run(ask())


@pytest.mark.parametrize("door", [of_core, of_langchain, of_llama_index, of_command, of_service])
def test_a_text_opens_no_file_and_asks_no_server(
    door: Callable[[Path, list[str]], None],
    folder: Path,
    texts: list[str],
    asked: tuple[str, list[str]],
    opened: list[str],
    tmp_path: Path,
) -> None:
    door(Path(shutil.copytree(folder, tmp_path / "model")), texts)
    assert asked[1] == []
    assert opened == []
