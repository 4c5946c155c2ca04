"""One saved model says the same through both frameworks, and they stand on the core alone."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from zeroshot_core.encoders import Encoder
from zeroshot_core.index import Condition, IndexParams, VectorIndex
from zeroshot_core.retrieval import Retriever
from zeroshot_core.serving.loading import open_model
from zeroshot_core.types import Item

import langchain_zeroshot
import llama_index_zeroshot

QUERIES = ["dry red wine from Calabria, small bottle", "something for my cat", "what goes with pasta"]
ADAPTERS = [langchain_zeroshot, llama_index_zeroshot]


def test_both_retrievers_give_the_same_ids_scores_and_reasons(saved_model: Path) -> None:
    options = {"k": 7, "graph_weight": 0.4, "filter": Condition("rank", ">", 0)}
    langchain = langchain_zeroshot.ZeroShotRetriever(model=saved_model, **options)
    llama_index = llama_index_zeroshot.ZeroShotRetriever(model=saved_model, **options)
    for query in QUERIES:
        documents, nodes = langchain.invoke(query), llama_index.retrieve(query)
        assert [d.id for d in documents] == [n.node_id for n in nodes]
        assert [dict(d.metadata) for d in documents] == [n.metadata for n in nodes]
        assert [d.metadata["zeroshot_score"] for d in documents] == [n.score for n in nodes]
        assert [d.page_content for d in documents] == [n.text for n in nodes]


def test_both_give_what_was_found_as_a_graph(saved_model: Path) -> None:
    langchain = langchain_zeroshot.ZeroShotRetriever(model=saved_model, k=3)
    llama_index = llama_index_zeroshot.ZeroShotRetriever(model=saved_model, k=3)
    drawn, other = langchain.evidence_graph(QUERIES[0]), llama_index.evidence_graph(QUERIES[0])
    assert dict(drawn.nodes(data=True)) == dict(other.nodes(data=True))
    assert list(drawn.edges(keys=True)) == list(other.edges(keys=True))
    found = {node["id"] for _, node in drawn.nodes(data=True) if node["kind"] == "item"}
    assert found == {document.id for document in langchain.invoke(QUERIES[0])}
    assert len(langchain.evidence_graph(QUERIES[0], k=1)) < len(drawn)


def test_both_search_by_words_where_these_are_indexed(tmp_path: Path, hash_encoder: Encoder) -> None:
    items = [Item(id=f"i{i}", text=f"spare part SKU {4700 + i}") for i in range(40)]
    with VectorIndex.connect(tmp_path / "words.db", params=IndexParams(lexical=True)) as index:
        index.activate(index.build(items, hash_encoder))
        core = Retriever(index.open(fingerprint=hash_encoder.fingerprint), hash_encoder)
        documents = langchain_zeroshot.ZeroShotRetriever(model=core, k=2, lexical_weight=1).invoke("4711")
        nodes = llama_index_zeroshot.ZeroShotRetriever(core, k=2, lexical_weight=1).retrieve("4711")
    assert [d.id for d in documents] == [n.node_id for n in nodes]
    assert documents[0].id == "i11"
    assert [d.metadata["zeroshot_parts"]["lexical"] for d in documents] == [1, 0]
    assert [dict(d.metadata) for d in documents] == [n.metadata for n in nodes]


def test_both_predict_the_same_for_the_same_reasons(saved_model: Path) -> None:
    predictor = langchain_zeroshot.ZeroShotPredictor(model=saved_model)
    engine = llama_index_zeroshot.ZeroShotQueryEngine(model=saved_model)
    for query in QUERIES:
        output, response = predictor.invoke(query), engine.query(query)
        assert output.value == pytest.approx(response.metadata["value"])
        assert output.interval == pytest.approx(response.metadata["interval"])
        assert output.coverage == response.metadata["coverage"]
        assert output.explanation == str(response)
        assert [d.id for d in (*output.documents, *output.concepts)] == [
            n.node_id for n in response.source_nodes
        ]


def test_both_give_the_same_label_with_its_probabilities(saved_classifier: Path) -> None:
    output = langchain_zeroshot.ZeroShotPredictor(model=saved_classifier).invoke("dry red wine from Sicily")
    response = llama_index_zeroshot.ZeroShotQueryEngine(saved_classifier).query("dry red wine from Sicily")
    assert output.value == response.metadata["value"] == "red wine"
    assert output.probabilities == pytest.approx(response.metadata["probabilities"])
    assert sum(output.probabilities.values()) == pytest.approx(1.0)
    assert output.interval is None
    assert response.metadata["interval"] is None
    assert output.explanation == str(response)


def test_both_embed_alike(saved_model: Path) -> None:
    langchain = langchain_zeroshot.ZeroShotEmbeddings(model=saved_model)
    llama_index = llama_index_zeroshot.ZeroShotEmbedding(model=saved_model)
    assert langchain.embed_documents(QUERIES) == llama_index.get_text_embedding_batch(QUERIES)
    assert langchain.embed_query(QUERIES[0]) == llama_index.get_query_embedding(QUERIES[0])


def test_both_offer_tools_of_the_same_names_and_descriptions(saved_model: Path) -> None:
    langchain = langchain_zeroshot.zero_shot_tools(saved_model)
    llama_index = llama_index_zeroshot.zero_shot_tools(saved_model)
    assert [(t.name, t.description) for t in langchain] == [
        (t.metadata.name, t.metadata.description) for t in llama_index
    ]


def test_the_tools_of_both_find_and_say_the_same(saved_model: Path) -> None:
    langchain = langchain_zeroshot.zero_shot_tools(saved_model)
    llama_index = llama_index_zeroshot.zero_shot_tools(saved_model)
    for one, other in zip(langchain, llama_index, strict=True):
        name = next(name for name in ("text", "query") if name in one.args)
        call = {"name": one.name, "args": {name: QUERIES[0]}, "id": "1", "type": "tool_call"}
        message, output = one.invoke(call), other.call(input=QUERIES[0])
        if name == "text":
            assert message.content == output.content
        else:
            assert [d.id for d in message.artifact] == [n.node_id for n in output.raw_output]


def test_both_read_the_same_filters(saved_model: Path) -> None:
    filter = {"$or": [{"rank": {"$gte": 3}}, {"concepts": {"$all": ["kind:pasta"]}}], "size": "large"}
    options = {"k": 60, "graph_weight": 0.0, "filter": filter}
    documents = langchain_zeroshot.ZeroShotRetriever(model=saved_model, **options).invoke(QUERIES[0])
    nodes = llama_index_zeroshot.ZeroShotRetriever(saved_model, **options).retrieve(QUERIES[0])
    assert [d.id for d in documents] == [n.node_id for n in nodes]
    assert len(nodes) == 15
    assert all(n.metadata["rank"] >= 3 or n.metadata["zeroshot_concepts"] == ["kind:pasta"] for n in nodes)


def test_all_objects_over_one_folder_share_one_loaded_model(saved_model: Path) -> None:
    opened: list[object] = []
    threads = [threading.Thread(target=lambda: opened.append(open_model(saved_model))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {id(model) for model in opened} == {id(open_model(str(saved_model)))}


def test_arguments_come_in_the_same_order() -> None:
    for name, twin in [
        ("ZeroShotRetriever", "ZeroShotRetriever"),
        ("ZeroShotPredictor", "ZeroShotQueryEngine"),
    ]:
        names = list(inspect.signature(getattr(llama_index_zeroshot, twin)).parameters)
        fields = getattr(langchain_zeroshot, name).model_fields
        assert [field for field in names if field in fields] == names[: names.index("callback_manager")]
        assert names[0] == "model"


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_adapters_only_convert(adapter: object) -> None:
    files = sorted(Path(adapter.__file__).parent.glob("*.py"))
    assert {"_convert.py", "embeddings.py", "retriever.py", "predictor.py", "tools.py"} <= {
        f.name for f in files
    }
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    other = {module.__name__ for module in ADAPTERS if module is not adapter}
    assert not imported & {"numpy", "pymilvus", "torch", "transformers", *other}


@pytest.mark.parametrize(
    ("adapter", "framework", "extra"),
    [
        ("langchain_zeroshot", "langchain_core", "langchain"),
        ("llama_index_zeroshot", "llama_index", "llama-index"),
    ],
)
def test_a_missing_framework_is_named_with_the_line_that_installs_it(
    adapter: str, framework: str, extra: str
) -> None:
    script = f"""
import sys
sys.modules[{framework!r}] = None
try:
    import {adapter}
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "MissingExtraError" in done.stdout
    assert f"pip install 'zeroshot-milvus[{extra}]'" in done.stdout


@pytest.mark.parametrize(
    ("adapter", "framework"),
    [
        ("langchain_zeroshot", "langchain_core.language_models.base"),
        ("llama_index_zeroshot", "llama_index.core"),
    ],
)
def test_importing_an_adapter_opens_neither_torch_nor_milvus(adapter: str, framework: str) -> None:
    script = (
        f"import sys, {framework}; own = set(sys.modules); import {adapter}; "
        "print(sorted({'torch', 'pymilvus', 'transformers'} & (set(sys.modules) - own)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_label_alone_costs_no_search(saved_classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "dry red wine from Sicily"
    whole = langchain_zeroshot.ZeroShotPredictor(model=saved_classifier).invoke(query)
    searches: list[str] = []
    retriever = open_model(saved_classifier).retriever_
    for method in ("retrieve", "related_concepts", "evidence"):
        monkeypatch.setattr(
            retriever, method, lambda *args, method=method, **options: searches.append(method)
        )
    predictor = langchain_zeroshot.ZeroShotPredictor(model=saved_classifier, evidence=False)
    engine = llama_index_zeroshot.ZeroShotQueryEngine(saved_classifier, evidence=False)
    output, response = predictor.invoke(query), engine.query(query)
    assert not searches
    assert (output.value, output.documents, output.concepts) == (whole.value, [], [])
    assert output.probabilities == response.metadata["probabilities"] == pytest.approx(whole.probabilities)
    assert (response.source_nodes, response.metadata["paths"]) == ([], {})
    assert output.explanation == str(response) == whole.explanation.split(" Nearest known")[0]


def test_evidence_may_be_left_out_of_any_prediction(saved_model: Path) -> None:
    predictor = langchain_zeroshot.ZeroShotPredictor(model=saved_model)
    whole, bare = predictor.invoke(QUERIES[0]), predictor.invoke(QUERIES[0], evidence=False)
    assert whole.documents
    assert (bare.documents, bare.concepts) == ([], [])
    assert bare.value == pytest.approx(whole.value)
    assert bare.interval == pytest.approx(whole.interval)
