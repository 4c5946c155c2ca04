"""Images in both frameworks: embeddings, stores, predictors, retrievers and nodes."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool
from llama_index.core import StorageContext, load_index_from_storage
from llama_index.core.embeddings.multi_modal_base import MultiModalEmbedding
from llama_index.core.indices import MultiModalVectorStoreIndex
from llama_index.core.schema import ImageNode, MediaResource, Node, QueryBundle, TextNode
from mcp.shared.memory import create_connected_server_and_client_session
from PIL import Image
from tiny_models import save_clip
from zeroshot_core import InvalidInputError, Item, VectorIndex, ZeroShotClassifier
from zeroshot_core import Retriever as CoreRetriever
from zeroshot_core.encoders import FunctionEncoder, HashEncoder
from zeroshot_core.serving.inputs import to_item
from zeroshot_core.serving.mcp_server import mcp_server
from zeroshot_core.serving.model_handle import ModelHandle

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotPredictor, ZeroShotReranker, zero_shot_tools
from langchain_zeroshot import ZeroShotRetriever as Retriever
from langchain_zeroshot.vector_store import ZeroShotVectorStore
from llama_index_zeroshot import ZeroShotEmbedding, ZeroShotQueryEngine, ZeroShotRerank, from_nodes
from llama_index_zeroshot import ZeroShotRetriever as NodeRetriever
from llama_index_zeroshot import zero_shot_tools as node_tools

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


def of_words(texts: list[str]) -> list[list[float]]:
    return [[0.05 + text.count(name) for name in COLOURS] for text in texts]


def of_pixels(images: list[Image.Image]) -> list[list[float]]:
    return [(np.asarray(image).mean(axis=(0, 1)) / 255).tolist() for image in images]


@pytest.fixture(scope="module")
def encoder() -> FunctionEncoder:
    return FunctionEncoder(of_words, image_function=of_pixels, name="colours", dimension=3)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(COLOURS.values()):
        Image.new("RGB", (8, 8), colour).save(folder / f"{number}.png")
    return {name: str(folder / f"{number}.png") for number, name in enumerate(COLOURS)}


@pytest.fixture(scope="module")
def classifier(encoder: FunctionEncoder, pictures: dict[str, str]) -> Iterator[ZeroShotClassifier]:
    items = [Item(id=f"{name} picture", image=path) for name, path in pictures.items()]
    model = ZeroShotClassifier(encoder).fit(items, [*COLOURS])
    yield model
    model.close()


@pytest.fixture
def retriever(encoder: FunctionEncoder, pictures: dict[str, str], tmp_path: Path) -> Iterator[CoreRetriever]:
    items = [Item(id=name, image=path) for name, path in pictures.items()]
    with VectorIndex.connect(tmp_path / "index.db") as index:
        index.activate(index.build([*items, Item(id="text", text="red words")], encoder))
        yield CoreRetriever(index.open(fingerprint=encoder.fingerprint), encoder, top_k=2)


def data_uri(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode()


def tool_call(tool: BaseTool, **given: object) -> dict[str, object]:
    return {"name": tool.name, "args": given, "id": "1", "type": "tool_call"}


def test_embeddings_take_images(encoder: FunctionEncoder, pictures: dict[str, str]) -> None:
    expected = encoder.encode([Path(path) for path in pictures.values()])
    embedding = ZeroShotEmbedding(model=encoder)

    np.testing.assert_allclose(ZeroShotEmbeddings(model=encoder).embed_image([*pictures.values()]), expected)
    assert isinstance(embedding, MultiModalEmbedding)
    np.testing.assert_allclose(embedding.get_image_embedding_batch([*pictures.values()]), expected)
    with pytest.raises(InvalidInputError, match="takes texts only"):
        ZeroShotEmbeddings(model=HashEncoder(8)).embed_image([pictures["red"]])


def test_a_store_of_langchain_keeps_and_finds_images(
    encoder: FunctionEncoder, pictures: dict[str, str], tmp_path: Path
) -> None:
    store = ZeroShotVectorStore.from_texts(
        ["red words"], ZeroShotEmbeddings(model=encoder), ids=["words"], uri=str(tmp_path / "store.db")
    )
    paths = [*pictures.values()]
    assert store.add_images(paths, [{"price": 1}, {}, {}], ids=[*pictures]) == [*pictures]

    (found,) = store.similarity_search_by_image(pictures["blue"], k=1)
    assert (found.id, found.page_content, found.metadata) == (
        "blue",
        "",
        {"zeroshot_image": pictures["blue"]},
    )
    assert {each.id for each in store.similarity_search("red", k=2)} == {"red", "words"}
    (kept,) = store.get_by_ids(["red"])
    assert kept.metadata == {"price": 1, "zeroshot_image": pictures["red"]}
    with pytest.raises(InvalidInputError, match=r"/no/such/dog\.png"):
        store.add_images(["/no/such/dog.png"])


def two_sides(texts: list[str]) -> list[list[float]]:
    """Put all words to one side."""
    return [[*(0.05 + text.count(name) for name in COLOURS), 3.0, 0.0] for text in texts]


def other_side(images: list[Image.Image]) -> list[list[float]]:
    """Put all pictures to the other side."""
    return [[*(np.asarray(image).mean(axis=(0, 1)) / 255), 0.0, 3.0] for image in images]


async def test_a_store_of_langchain_puts_texts_and_images_on_one_scale(tmp_path: Path) -> None:
    encoder = FunctionEncoder(two_sides, image_function=other_side, name="two sides", dimension=5)
    texts = [f"{name} number {n}" for n in range(4) for name in COLOURS]
    paths = []
    for number in range(4):
        for name, colour in COLOURS.items():
            paths.append(str(tmp_path / f"{name}-{number}.png"))
            Image.new("RGB", (4, 4), tuple(max(part - number, 0) for part in colour)).save(paths[-1])
    store = ZeroShotVectorStore.from_texts(
        texts, ZeroShotEmbeddings(model=encoder), ids=texts, uri=str(tmp_path / "store.db")
    )
    alone = store.similarity_search_with_score("red", k=12)
    cosines = dict(
        zip(texts, (encoder.encode(texts) @ encoder.encode(["red"]).T)[:, 0].tolist(), strict=True)
    )
    assert {document.id: score for document, score in alone} == pytest.approx(cosines, abs=1e-6)
    diverse = [each.id for each in store.max_marginal_relevance_search("red", k=4)]
    assert len(diverse) == 4

    store.add_images(paths, [{"price": number} for number in range(12)], ids=[Path(p).stem for p in paths])
    (vector,) = encoder.encode(["red"]).tolist()
    # By cosines all twelve texts come before any picture.
    for found in (
        store.similarity_search("red", k=8),
        [document for document, _ in store.similarity_search_with_score("red", k=8)],
        store.similarity_search_by_vector(vector, k=8),
        await store.asimilarity_search("red", k=8),
    ):
        assert {each.id for each in found} == {f"red number {n}" for n in range(4)} | {
            f"red-{n}" for n in range(4)
        }
    asked = store.similarity_search_by_image(paths[1], k=8)
    assert asked[0].id == "green-0"
    assert sum(each.page_content.startswith("green") for each in asked) == 4
    scores = [score for _, score in store.similarity_search_with_relevance_scores("red", k=24)]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= scores[-1] <= scores[0] <= 1
    for mixed in (
        store.max_marginal_relevance_search("red", k=4, fetch_k=8, lambda_mult=0.9),
        await store.amax_marginal_relevance_search("red", k=4, fetch_k=8, lambda_mult=0.9),
    ):
        assert {bool(each.page_content) for each in mixed} == {True, False}
        assert all("red" in each.id for each in mixed)
    (cheap,) = store.similarity_search("red", k=1, filter={"price": {"$lt": 1}})
    assert cheap.id == "red-0"


def test_langchain_asks_by_images(
    classifier: ZeroShotClassifier, retriever: CoreRetriever, pictures: dict[str, str]
) -> None:
    predictor = ZeroShotPredictor(model=classifier)
    uri = data_uri(pictures["green"])
    blocks = [{"type": "text", "text": ""}, {"type": "image_url", "image_url": {"url": uri}}]
    asked = [{"image": pictures["green"]}, {"image": uri}, [HumanMessage(blocks)], Path(pictures["green"])]
    assert [predictor.invoke(one).value for one in asked] == ["green"] * 4
    (found, *_) = Retriever(model=retriever).invoke({"image": pictures["blue"]})
    assert (found.id, found.page_content, found.metadata["zeroshot_image"]) == ("blue", "", pictures["blue"])


def test_what_others_wrote_opens_no_file(classifier: ZeroShotClassifier, pictures: dict[str, str]) -> None:
    block = {"type": "image", "url": pictures["green"]}
    with pytest.raises(InvalidInputError, match="as base64, a data URI or a URL"):
        ZeroShotPredictor(model=classifier).invoke([HumanMessage([block])])
    for given in ({"text": "red", "image": pictures["green"]}, {"image": pictures["green"]}):
        with pytest.raises(InvalidInputError, match="no path or URL is opened for others"):
            to_item(given, "a", classifier)
        with pytest.raises(InvalidInputError, match="got an image, and the model reads texts only"):
            to_item(given, "a")


def test_tools_take_data_uris_where_the_model_reads_images(
    classifier: ZeroShotClassifier, pictures: dict[str, str], tmp_path: Path
) -> None:
    uri = data_uri(pictures["green"])
    predict, retrieve, explain, related = zero_shot_tools(classifier)
    for tool in (predict, explain):
        assert tool.args.keys() >= {"text", "image"}
        assert "green" in tool.invoke({"image": uri})
        assert "green" in tool.invoke({"image": uri, "text": "a thing"})
    for tool in (retrieve, related):
        (best, *_) = tool.invoke(tool_call(tool, image=uri)).artifact
        assert best.id in {"green", "green picture"}
    nodes = node_tools(classifier)
    assert nodes[0].call(image=uri).raw_output.metadata["value"] == "green"
    assert nodes[1].call({"image": uri, "k": 1}).raw_output[0].node.node_id == "green picture"
    for tool in (predict, retrieve, explain, related):
        for wrong in (pictures["green"], Path(pictures["green"]).as_uri(), "http://127.0.0.1/a.png"):
            assert "no path or URL is opened for others" in tool.invoke({"image": wrong})
        assert tool.invoke({}).startswith("expected 'text' or 'image'")
    with pytest.raises(InvalidInputError, match="no path or URL is opened for others"):
        nodes[0].call(image=pictures["green"])


def test_tools_over_a_model_of_texts_know_no_image() -> None:
    model = ZeroShotClassifier(HashEncoder(8)).fit(labels=["red", "green"])
    for tool in zero_shot_tools(model):
        assert "image" not in tool.args
    model.close()


async def test_the_model_context_protocol_takes_data_uris(tmp_path: Path) -> None:
    made = ZeroShotClassifier(str(save_clip(tmp_path / "clip"))).fit(labels=["red", "green"])
    made.save(tmp_path / "model")
    made.close()
    picture = Image.new("RGB", (8, 8), "red")
    picture.save(tmp_path / "red.png")
    server = mcp_server(ModelHandle(tmp_path / "model", read_only=True))
    async with create_connected_server_and_client_session(server) as session:
        tools = {tool.name: tool.inputSchema for tool in (await session.list_tools()).tools}
        assert all("data URI" in each["properties"]["image"]["description"] for each in tools.values())
        uri = data_uri(str(tmp_path / "red.png"))
        answer = await session.call_tool("zero_shot_predict", {"image": uri})
        assert answer.structuredContent["value"] in {"red", "green"}
        refused = await session.call_tool("zero_shot_predict", {"image": str(tmp_path / "red.png")})
        assert refused.isError
        assert "no path or URL is opened for others" in refused.content[0].text


def test_llama_index_asks_by_images_and_gets_image_nodes(
    classifier: ZeroShotClassifier, retriever: CoreRetriever, pictures: dict[str, str]
) -> None:
    query = QueryBundle(query_str="", image_path=pictures["green"])
    response = ZeroShotQueryEngine(classifier).query(query)
    assert response.metadata["value"] == "green"
    best, *_ = NodeRetriever(retriever).retrieve(query)
    assert isinstance(best.node, ImageNode)
    assert (best.node.node_id, best.node.image_path, best.node.text) == ("green", pictures["green"], "")
    assert pictures["green"] not in best.node.get_content(metadata_mode="llm")


def test_pictures_are_reranked_and_rank_others(
    retriever: CoreRetriever, pictures: dict[str, str], tmp_path: Path
) -> None:
    asked = {"image": pictures["blue"]}
    documents = Retriever(model=retriever, k=4).invoke(asked)
    (best, *_) = ZeroShotReranker(model=retriever, top_n=1).compress_documents(documents[::-1], "green")
    assert (best.id, best.metadata["zeroshot_image"]) == ("green", pictures["green"])
    (best,) = ZeroShotReranker(model=retriever, top_n=1).compress_documents(documents, Path(pictures["red"]))
    assert best.id == "red"
    stranger = Document(id="stranger", page_content="", metadata={"zeroshot_image": pictures["red"]})
    with pytest.raises(InvalidInputError, match="item 'stranger': expected a non-empty text"):
        ZeroShotReranker(model=retriever).compress_documents([stranger], "green")

    nodes = NodeRetriever(retriever, similarity_top_k=4).retrieve("blue")
    query = QueryBundle(query_str="", image_path=pictures["green"])
    (best, *_) = ZeroShotRerank(retriever, top_n=1).postprocess_nodes(nodes, query_bundle=query)
    assert best.node.node_id == "green"


def test_nodes_with_images_are_items(pictures: dict[str, str], encoder: FunctionEncoder) -> None:
    data = Path(pictures["red"]).read_bytes()
    nodes = [
        ImageNode(id_="path", image_path=pictures["red"]),
        ImageNode(id_="data", image=base64.b64encode(data).decode(), text="red"),
        Node(id_="resource", image_resource=MediaResource(path=Path(pictures["red"]))),
        TextNode(id_="text", text="red"),
    ]
    items = from_nodes(nodes)
    assert [item.modality for item in items] == ["image", "text+image", "image", "text"]
    assert (encoder.encode(items) @ encoder.encode([Path(pictures["red"])]).T).min() > 0.99


def test_llama_index_s_own_index_of_images_and_texts_is_built_and_reopened(
    encoder: FunctionEncoder, pictures: dict[str, str], tmp_path: Path
) -> None:
    embedding = ZeroShotEmbedding(model=encoder)
    # Nodes without text or metadata are skipped there.
    nodes = [
        ImageNode(id_=name, image_path=path, metadata={"shop": "north"}) for name, path in pictures.items()
    ]
    models = {"embed_model": embedding, "image_embed_model": embedding}
    made = MultiModalVectorStoreIndex([*nodes, TextNode(id_="words", text="red words")], **models)
    made.storage_context.persist(str(tmp_path))
    stored = StorageContext.from_defaults(persist_dir=str(tmp_path))
    for index in (made, load_index_from_storage(stored, **models)):
        retriever = index.as_retriever(similarity_top_k=1, image_similarity_top_k=1)
        found = [
            retriever.text_to_image_retrieve("green"),
            retriever.image_to_image_retrieve(pictures["blue"]),
        ]
        assert [nodes[0].node.node_id for nodes in found] == ["green", "blue"]
        assert [hit.node.node_id for hit in retriever.retrieve("red")] == ["words", "red"]
