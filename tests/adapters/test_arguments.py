"""No public class swallows an argument that it doesn't know; numbers have the same rules in all of them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.load import dumps, loads
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore
from llama_index.core.callbacks import CallbackManager
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreQuery
from zeroshot_core import InvalidInputError
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving import model_handle
from zeroshot_core.serving.loading import open_model

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index
from langchain_zeroshot.vector_store import ZeroShotVectorStore

QUERY = "dry red wine"

CONSTRUCTORS = {
    "langchain embeddings": (langchain.ZeroShotEmbeddings, "modle", "model"),
    "langchain retriever": (langchain.ZeroShotRetriever, "filters", "filter"),
    "langchain predictor": (langchain.ZeroShotPredictor, "coverag", "coverage"),
    "langchain reranking": (langchain.ZeroShotReranker, "topn", "top_n"),
    "langchain vector store": (ZeroShotVectorStore, "url", "uri"),
    "llama-index embedding": (llama_index.ZeroShotEmbedding, "embed_batchsize", "embed_batch_size"),
    "llama-index reranking": (llama_index.ZeroShotRerank, "topn", "top_n"),
    "llama-index retriever": (llama_index.ZeroShotRetriever, "similar_top_k", "similarity_top_k"),
    "llama-index query engine": (llama_index.ZeroShotQueryEngine, "coverag", "coverage"),
    "llama-index graph store": (llama_index.ZeroShotPropertyGraphStore, "url", "uri"),
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_an_unknown_argument_is_told_the_nearest_known_one(name: str, saved_model: Path) -> None:
    kind, wrong, right = CONSTRUCTORS[name]
    message = rf"{kind.__name__} does not know '{wrong}'; did you mean '{right}'\?"
    with pytest.raises(ValueError, match=message):
        kind(model=saved_model, **{wrong: "x"})


@pytest.mark.parametrize("builder", [langchain.ZeroShotGraphBuilder, llama_index.ZeroShotGraphBuilder])
def test_a_graph_builder_refuses_unknown_arguments(builder: Callable[..., Any]) -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'concept_types'"):
        builder(None, concept_type=["wine"])


def test_an_argument_like_none_that_is_known_is_told_all_of_them() -> None:
    with pytest.raises(ValueError, match=r"does not know 'prompt'; it takes callback_manager, .* uri"):
        llama_index.ZeroShotEmbedding(model=HashEncoder(16), prompt="passage: ")


def test_options_of_a_call_are_refused_too(saved_model: Path) -> None:
    retriever = langchain.ZeroShotRetriever(model=saved_model)
    predictor = langchain.ZeroShotPredictor(model=saved_model)
    for call, right in [
        (lambda: retriever.invoke(QUERY, filters={"aisle": "pets"}), "filter"),
        (lambda: retriever.batch([QUERY], graphweight=0.5), "graph_weight"),
        (lambda: retriever.bind(n=3).invoke(QUERY), "it takes filter, graph_weight, k"),
        (lambda: retriever.invoke(QUERY, k=3, top_k=3), "expected 'k' once, got it as 'k' and as 'top_k'"),
        (lambda: retriever.invoke(QUERY, search_kwargs={"expr": "1 == 1"}), "search_kwargs does not know"),
        (lambda: predictor.invoke(QUERY, coverag=0.5), "coverage"),
        (lambda: predictor.batch([QUERY], topk=3), "top_k"),
        (lambda: list(predictor.stream(QUERY, promptings=None)), "prompting"),
    ]:
        with pytest.raises(InvalidInputError, match=right):
            call()
    store = llama_index.ZeroShotPropertyGraphStore(saved_model)
    with pytest.raises(InvalidInputError, match="vector_query does not know 'filters'"):
        store.vector_query(VectorStoreQuery(query_str=QUERY, similarity_top_k=1), filters=None)


def test_settings_of_a_retriever_over_an_existing_store_are_refused_too(saved_model: Path) -> None:
    store: VectorStore = ZeroShotVectorStore(saved_model)
    with pytest.raises(ValueError, match="did you mean 'filter'"):
        langchain.ZeroShotRetriever.from_milvus(store, filters={"aisle": "pets"})


def test_a_vector_store_answers_no_call_as_if_it_were_unfiltered(saved_model: Path) -> None:
    store = ZeroShotVectorStore(saved_model)
    searches: list[Callable[..., Any]] = [
        store.similarity_search,
        store.similarity_search_with_score,
        store.max_marginal_relevance_search,
        lambda query, **options: store.as_retriever(search_kwargs=options).invoke(query),
    ]
    for search in searches:
        assert search(QUERY, expr='metadata["aisle"] == "pets"')[0] is not None
        with pytest.raises(InvalidInputError, match=r"does not know 'filters'; did you mean 'filter'"):
            search(QUERY, filters={"aisle": "pets"})
    with pytest.raises(InvalidInputError, match="does not know 'id'; did you mean 'ids'"):
        store.add_texts(["a text"], id=["1"])
    with pytest.raises(InvalidInputError, match="does not know 'exprs'; did you mean 'expr'"):
        store.delete(exprs="")


@pytest.mark.parametrize("number", range(4))
def test_an_agent_that_gives_a_tool_a_wrong_name_is_told_the_right_one(
    saved_model: Path, number: int
) -> None:
    tool: BaseTool = langchain.zero_shot_tools(saved_model)[number]
    first = next(iter(tool.args))
    wrong, right = ("concept", "concepts") if first == "text" else ("quantity_k", "query")
    call = {"name": tool.name, "args": {first: QUERY, wrong: []}, "id": "1", "type": "tool_call"}
    message = tool.invoke(call)
    assert message.status == "error"
    assert f"does not know '{wrong}'" in message.content
    assert right in message.content


@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_what_langchain_itself_gives_is_known(saved_model: Path) -> None:
    own = {"name": "shop", "uri": None, "token": None}
    told = {"tags": ["shop"], "metadata": {"of": "the shop"}}
    for made in (
        langchain.ZeroShotPredictor(model=saved_model, **own),
        langchain.ZeroShotRetriever(model=saved_model, **own, **told),
        langchain.ZeroShotEmbeddings(model=saved_model, uri=None),
    ):
        again = loads(dumps(made), allowed_objects=[type(made)], valid_namespaces=["langchain_zeroshot"])
        assert vars(again) == vars(made)
        assert vars(pickle.loads(pickle.dumps(made))) == vars(made)


def test_what_llama_index_itself_gives_is_known(saved_model: Path) -> None:
    given = {"callback_manager": CallbackManager(), "num_workers": 2, "embed_batch_size": 8}
    embedding = llama_index.ZeroShotEmbedding(model=saved_model, model_name="shop", **given)
    rerank = llama_index.ZeroShotRerank(model=str(saved_model), top_n=3)
    for made in (embedding, rerank):
        for again in (
            type(made).from_dict(made.to_dict()),
            type(made).model_validate(made.model_dump()),
            pickle.loads(pickle.dumps(made)),
        ):
            assert again.to_dict() == made.to_dict()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (langchain.ZeroShotRetriever, "k"),
        (langchain.ZeroShotPredictor, "top_k"),
        (llama_index.ZeroShotRetriever, "k"),
        (llama_index.ZeroShotQueryEngine, "top_k"),
        (llama_index.ZeroShotRerank, "top_n"),
    ],
)
def test_a_number_has_the_same_rule_in_every_class(kind: Callable[..., Any], name: str) -> None:
    assert getattr(kind(model="a folder", **{name: np.int64(3)}), name) == 3
    for wrong in (0, True, 2.5):
        with pytest.raises(ValueError, match=f"expected {name} as a whole number of at least 1, got {wrong}"):
            kind(model="a folder", **{name: wrong})


@pytest.mark.parametrize("kind", [langchain.ZeroShotPredictor, llama_index.ZeroShotQueryEngine])
def test_a_coverage_has_the_same_rule_in_both(kind: Callable[..., Any]) -> None:
    assert kind(model="a folder", coverage=np.float32(0.5)).coverage == 0.5
    with pytest.raises(ValueError, match="expected coverage as a number above 0 and below 1, got 1"):
        kind(model="a folder", coverage=1)


def test_what_stands_on_a_folder_is_copied_and_what_holds_a_model_says_what_to_do(saved_model: Path) -> None:
    def over(model: Any) -> list[object]:
        return [
            langchain.ZeroShotPredictor(model=model),
            langchain.ZeroShotRetriever(model=model),
            langchain.ZeroShotEmbeddings(model=model),
            llama_index.ZeroShotEmbedding(model=model),
            llama_index.ZeroShotRetriever(model),
            llama_index.ZeroShotRerank(model=model),
        ]

    for made in over(str(saved_model)):
        assert type(copy.deepcopy(made)) is type(made)
    for made in over(open_model(saved_model)):
        for copied in (pickle.dumps, copy.deepcopy):
            with pytest.raises(InvalidInputError, match="save it, "):
                copied(made)


def test_the_names_of_the_frameworks_mean_what_they_mean_there(saved_model: Path) -> None:
    wine = {"aisle": "drinks"}
    asked = {"k": 3, "filter": wine, "score_threshold": 0.5}
    langchains = [
        langchain.ZeroShotRetriever(saved_model, **asked),
        langchain.ZeroShotRetriever(saved_model, top_k=3, filter=wine, score_threshold=0.5),
        langchain.ZeroShotRetriever(saved_model, search_kwargs=asked),
        langchain.ZeroShotRetriever(saved_model).bind(search_kwargs=asked),
        langchain.ZeroShotRetriever(saved_model).bind(top_k=3, filter=wine, score_threshold=0.5),
    ]
    llama_indexes = [
        llama_index.ZeroShotRetriever(saved_model, **asked),
        llama_index.ZeroShotRetriever(
            saved_model,
            similarity_top_k=3,
            filters=MetadataFilters(filters=[MetadataFilter(key="aisle", value="drinks")]),
            score_threshold=0.5,
        ),
    ]
    found = [[one.id for one in retriever.invoke(QUERY)] for retriever in langchains]
    found += [[one.node_id for one in retriever.retrieve(QUERY)] for retriever in llama_indexes]
    assert found == [found[0]] * 7
    assert len(found[0]) == 3


def test_a_threshold_leaves_out_what_is_farther(saved_model: Path) -> None:
    nodes = llama_index.ZeroShotRetriever(saved_model, k=20).retrieve(QUERY)
    near = llama_index.ZeroShotRetriever(saved_model, k=20, score_threshold=nodes[4].score).retrieve(QUERY)
    assert [node.node_id for node in near] == [node.node_id for node in nodes[:5]]
    for kind in (langchain.ZeroShotRetriever, llama_index.ZeroShotRetriever):
        with pytest.raises(ValueError, match="expected score_threshold as a number from -1 to 1, got 2"):
            kind(saved_model, score_threshold=2)


def test_one_thing_under_two_names_is_refused(saved_model: Path) -> None:
    for kind, given in [
        (langchain.ZeroShotRetriever, {"k": 2, "top_k": 2}),
        (langchain.ZeroShotRetriever, {"k": 2, "search_kwargs": {"k": 2}}),
        (llama_index.ZeroShotRetriever, {"k": 2, "similarity_top_k": 2}),
        (langchain.ZeroShotEmbeddings, {"model": saved_model, "model_name": saved_model}),
    ]:
        with pytest.raises(ValueError, match=r"once, got it .*; leave one out"):
            kind(**({"model": saved_model} | given))


def test_the_first_argument_is_the_model_everywhere(saved_model: Path) -> None:
    for kind in (
        langchain.ZeroShotEmbeddings,
        langchain.ZeroShotPredictor,
        langchain.ZeroShotRetriever,
        llama_index.ZeroShotEmbedding,
        llama_index.ZeroShotQueryEngine,
        llama_index.ZeroShotRerank,
        llama_index.ZeroShotRetriever,
    ):
        assert str(kind(saved_model).model) == str(saved_model)


def test_embeddings_have_the_default_encoder_and_know_it_as_the_model_s_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        model_handle, "open_encoder", lambda model, **address: opened.append(model) or HashEncoder(16)
    )
    for made in (langchain.ZeroShotEmbeddings(), langchain.ZeroShotEmbeddings(model_name="a folder")):
        assert len(made.embed_query(QUERY)) == 16
    for made in (llama_index.ZeroShotEmbedding(), llama_index.ZeroShotEmbedding(model_name="a folder")):
        assert len(made.get_query_embedding(QUERY)) == 16
        assert made.model_name == made.model
    assert opened == ["all-MiniLM-L6-v2", "a folder"] * 2
