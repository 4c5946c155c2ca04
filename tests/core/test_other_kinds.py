"""What is given where something of another kind is meant is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from zeroshot_core import (
    Findings,
    FunctionEncoder,
    InvalidInputError,
    Item,
    KnowledgeGraph,
    NoveltyDetector,
    Retriever,
    VectorIndex,
    ZeroShotClassifier,
    ZeroShotRanker,
    ZeroShotRegressor,
)
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.graph import smooth_vectors
from zeroshot_core.index import OpenVersion

ENCODER = HashEncoder(32)
ITEMS = [Item(id=f"i{n}", text=f"thing {n}") for n in range(6)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VectorIndex]:
    opened = VectorIndex.connect(tmp_path_factory.mktemp("index") / "other.db")
    opened.activate(opened.build(ITEMS, ENCODER))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def version(index: VectorIndex) -> OpenVersion:
    return index.open(fingerprint=ENCODER.fingerprint)


NO_ENCODER = "expected encoder to be of class Encoder, got "
NO_GRAPH = "expected graph to be of class KnowledgeGraph, got "


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda index, version: index.build(ITEMS, None), NO_ENCODER + "None"),
        (lambda index, version: index.build(ITEMS, ENCODER, 3), NO_GRAPH + "3"),
        (lambda index, version: index.drop(np.zeros(2)), "expected version as a text"),
        (lambda index, version: Retriever(None, ENCODER), "expected version.info to be of class"),
        (lambda index, version: Retriever(version, "name"), NO_ENCODER + "'name'"),
        (lambda index, version: Retriever(version, ENCODER, 2), NO_GRAPH + "2"),
        (lambda index, version: version.search_linked(np.ones((2, 32)), [[]], 3), "each of 2 queries, got 1"),
        (lambda index, version: version.search_linked(True, [[]], 3), "expected query vectors as"),
        (lambda index, version: version.search_linked(np.ones((1, 32)), [0.5], 3), "expected ids as a list"),
        (lambda index, version: version.search_linked(np.ones((1, 32)), 4, 3), "expected concept_ids as a"),
        (lambda index, version: version.neighbourhood([], 10**9), "n_hops as a whole number from 0 to 1000"),
        (lambda index, version: index.open(fingerprint=["a"]), "expected fingerprint as a text"),
        (lambda index, version: VectorIndex.connect("x.db", token=np.ones(2)), "expected token as a text"),
        (lambda index, version: version.search_concepts(10**999, 3), "expected query vectors as an array"),
        (lambda index, version: VectorIndex.connect("x.db", params=3), "expected params to be of class"),
        (
            lambda index, version: VectorIndex.connect("x.db", db_name=np.ones(2)),
            "expected db_name of letters",
        ),
        (
            lambda index, version: FunctionEncoder(len, name="f", query_function=np.ones(2)),
            "expected a function from a list of texts",
        ),
        (lambda index, version: VectorIndex.connect("x.db", db_name="\x08a"), "expected db_name of letters"),
        (
            lambda index, version: Retriever(version, ENCODER, relation_weights=5),
            "relation_weights as a dict",
        ),
        (
            lambda index, version: (
                ZeroShotClassifier(ENCODER)
                .fit(labels=["a", "b"])
                .explain(["a"], reject=np.array([True, False]))
            ),
            "expected reject as True or False",
        ),
        (lambda index, version: Retriever(version, ENCODER).retrieve(["a"], with_paths=[1]), "with_paths as"),
        (lambda index, version: smooth_vectors(KnowledgeGraph([]), None, 0.5), "vectors to be of class"),
        (lambda index, version: Findings(id=np.ones((9, 9))), "expected the id of findings as a text"),
        (
            lambda index, version: (
                ZeroShotClassifier(ENCODER).fit(labels=["a", "b"]).save("x", extra=np.array([None, "a"]))
            ),
            "expected extra to be of class dict",
        ),
        (lambda index, version: NoveltyDetector(ENCODER).load("x", trust_uri=[1]), "trust_uri as True or"),
        (lambda index, version: smooth_vectors(2, np.ones((1, 2)), 0.5), NO_GRAPH + "2"),
        (lambda index, version: ZeroShotClassifier(ENCODER, 3).fit(labels=["a", "b"]), NO_GRAPH + "3"),
        (lambda index, version: ZeroShotRegressor(ENCODER, 3).fit(ITEMS, range(6)), NO_GRAPH + "3"),
        (lambda index, version: ZeroShotRanker(ENCODER, None).fit(), NO_GRAPH + "None"),
    ],
)
def test_something_of_another_kind_is_refused(
    index: VectorIndex, version: OpenVersion, ask: Callable[..., Any], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(index, version)


def test_a_message_is_one_line_that_ends_with_the_remedy_whatever_it_repeats():
    message = str(InvalidInputError(f"expected a name, got {'x' * 5000}\nor\u2028so; give another"))

    assert len(message) <= 1000
    assert message.startswith("expected a name, got xxx")
    assert message.endswith("xxx or so; give another")


def test_relations_are_followed_as_far_as_there_are_any(version):
    assert len(version.neighbourhood([], 1000)) == 0


def test_a_list_without_end_is_refused_as_an_example():
    endless = []
    for _ in range(5000):
        endless = [endless]
    model = ZeroShotClassifier(ENCODER).fit(labels=["a", "b"])

    with pytest.raises(InvalidInputError, match="expected items or texts, got list in row 0"):
        model.partial_fit([endless], ["a"])
