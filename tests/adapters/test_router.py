"""A router hands each text to what deals with its label: a Runnable, or a node of LangGraph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START, StateGraph
from zeroshot_core import InvalidInputError, ZeroShotClassifier, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder

from langchain_zeroshot import ZeroShotRouter

EXAMPLES = {
    "the invoice is wrong": "billing",
    "I was charged twice on my invoice": "billing",
    "the parcel is late": "delivery",
    "my parcel has not come": "delivery",
}


@pytest.fixture(scope="module")
def classifier() -> Iterator[ZeroShotClassifier]:
    model = ZeroShotClassifier(HashEncoder(256)).fit([*EXAMPLES], [*EXAMPLES.values()])
    yield model
    model.close()


def router(classifier: ZeroShotClassifier, **settings: Any) -> ZeroShotRouter:
    routes = {
        "billing": lambda text: f"bill: {text}",
        "delivery": RunnableLambda(lambda text: f"post: {text}"),
    }
    return ZeroShotRouter(classifier, routes, **settings)


async def test_an_input_goes_to_the_route_of_its_label(classifier: ZeroShotClassifier) -> None:
    routed = router(classifier)
    assert routed.invoke("a wrong invoice") == "bill: a wrong invoice"
    assert await routed.ainvoke("parcel late") == "post: parcel late"
    assert routed.batch(["parcel", "invoice"]) == ["post: parcel", "bill: invoice"]
    assert routed.label("invoice") == "billing"


def test_an_unknown_topic_goes_to_the_fallback_or_is_refused(classifier: ZeroShotClassifier) -> None:
    routed = router(classifier, threshold=0.99, fallback=lambda text: f"chat: {text}")
    assert routed.invoke("xylophone") == "chat: xylophone"
    assert routed.label("xylophone") == ""
    with pytest.raises(InvalidInputError, match="one that is none of them; give a fallback"):
        router(classifier, threshold=0.99).invoke("xylophone")
    part = ZeroShotRouter(classifier, {"billing": "desk"}, fallback="other")
    assert [part.invoke("parcel late"), part.invoke("wrong invoice")] == ["other", "desk"]


class State(TypedDict, total=False):
    messages: list[Any]
    done: str


def test_it_is_a_conditional_edge_of_langgraph(classifier: ZeroShotClassifier) -> None:
    routed = ZeroShotRouter(classifier, ["billing", "delivery"], threshold=0.99, fallback=END)
    graph = StateGraph(State)
    for name in ("billing", "delivery"):
        graph.add_node(name, lambda state, name=name: {"done": name})
        graph.add_edge(name, END)
    graph.add_conditional_edges(START, routed, [*routed.ends])
    compiled = graph.compile()
    assert routed.ends == ("billing", "delivery", END)
    texts = {text: label for text, label in EXAMPLES.items() if routed.label(text)}
    for text, label in texts.items():
        assert compiled.invoke({"messages": [("user", text)]})["done"] == label
    assert "done" not in compiled.invoke({"messages": [("user", "xylophone")]})


def test_what_cannot_be_routed_is_told(classifier: ZeroShotClassifier) -> None:
    with pytest.raises(InvalidInputError, match="did you mean 'billing'"):
        ZeroShotRouter(classifier, {"bilings": "x"}).invoke("x")
    with pytest.raises(ValueError, match="expected routes by the names of labels"):
        ZeroShotRouter(classifier, {})
    with pytest.raises(ValueError, match="did you mean 'fallback'"):
        ZeroShotRouter(classifier, ["billing"], fallbacks="x")
    regressor = ZeroShotRegressor(HashEncoder(8)).fit(list("abcdefghijkl"), range(12))
    with pytest.raises(InvalidInputError, match=r"expected a classifier.*got a ZeroShotRegressor"):
        ZeroShotRouter(regressor, ["billing"]).invoke("x")
    regressor.close()
