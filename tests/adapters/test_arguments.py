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
from llama_index.core.vector_stores import VectorStoreQuery
from zeroshot_core import InvalidInputError
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.serving.loading import open_model

import langchain_zeroshot as langchain
import llama_index_zeroshot as llama_index
from langchain_zeroshot.vector_store import ZeroShotVectorStore

QUERY = "dry red wine"

CONSTRUCTORS = {
    "langchain embeddings": (langchain.ZeroShotEmbeddings, "modle", "model"),
    "langchain retriever": (langchain.ZeroShotRetriever, "filters", "filter"),
    "langchain predictor": (langchain.ZeroShotPredictor, "coverag", "coverage"),
    "langchain vector store": (ZeroShotVectorStore, "url", "uri"),
    "llama-index embedding": (llama_index.ZeroShotEmbedding, "embed_batchsize", "embed_batch_size"),
    "llama-index reranking": (llama_index.ZeroShotRerank, "topn", "top_n"),
    "llama-index retriever": (llama_index.ZeroShotRetriever, "filters", "filter"),
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
        (lambda: retriever.bind(top_k=3).invoke(QUERY), "it takes filter, graph_weight, k"),
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
        with pytest.raises(InvalidInputError, match=r"does not know 'filters'; it takes .*expr"):
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
