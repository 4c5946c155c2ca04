from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Condition, OpenVersion, VectorIndex
from zeroshot_core.retrieval import Profile, Retriever, diversify, recommend, similar_items
from zeroshot_core.types import Concept, Item, Relation

# Three dimensions, so that every score can be worked out on paper.
VECTORS = {
    "wine": [1.0, 0.0, 0.0],
    "claret": [0.96, 0.28, 0.0],
    "port": [0.936, 0.352, 0.0],
    "juice": [0.6, 0.8, 0.0],
    "soda": [0.6, 0.0, 0.8],
    "bleach": [0.0, 0.0, 1.0],
    "drink": [0.8, 0.6, 0.0],
    "cleaner": [0.0, 0.6, 0.8],
}
LINKS = {"wine": ("drink",), "bleach": ("cleaner",), "soda": ("drink", "cleaner"), "juice": ("drink",)}


@pytest.fixture(scope="module")
def encoder() -> FunctionEncoder:
    return FunctionEncoder(
        lambda texts: [VECTORS[text] for text in texts], name="paper", dimension=3, fingerprint="0" * 16
    )


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    ends = [Concept(id=name, name=name, type="use") for name in ("drink", "cleaner")]
    return KnowledgeGraph(ends, [Relation(head="cleaner", type="unlike", tail="drink")])


@pytest.fixture(scope="module")
def version(
    encoder: FunctionEncoder, graph: KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenVersion]:
    items = [
        Item(id=name, text=name, concepts=LINKS.get(name, ()), metadata={"price": price})
        for price, name in enumerate(list(VECTORS)[:6])
    ]
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("index") / "shop.db"))
    index.activate(index.build(items, encoder, graph))
    yield index.open(fingerprint=encoder.fingerprint)
    index.close()


@pytest.fixture
def by_vectors(version: OpenVersion, encoder: FunctionEncoder) -> Retriever:
    return Retriever(version, encoder, top_k=3)


def ids(rows: Any) -> list[list[str]]:
    return [[hit.id for hit in row] for row in rows]


def test_similar_items_are_the_nearest_others(by_vectors: Retriever) -> None:
    rows = similar_items(by_vectors, ["wine", "bleach"])
    assert ids(rows) == [["claret", "port", "juice"], ["soda", "claret", "juice"]]
    assert [hit.score for hit in rows[0]] == pytest.approx([0.96, 0.936, 0.6], abs=1e-6)


def test_an_item_that_is_not_in_the_index_has_similar_ones_too(by_vectors: Retriever) -> None:
    new = Item(id="new", text="wine")
    assert ids(similar_items(by_vectors, [new], top_k=2)) == [["wine", "claret"]]


def test_what_is_disliked_moves_the_profile_away(by_vectors: Retriever) -> None:
    profile = Profile(liked=["wine", "bleach"], disliked=["claret"])
    (hits,) = recommend(by_vectors, [profile], top_k=2, dislike_weight=0.5)
    vector = np.array([0.5, 0, 0.5]) - 0.5 * np.array([0.96, 0.28, 0])
    vector /= np.linalg.norm(vector)
    assert [hit.id for hit in hits] == ["soda", "port"]
    assert hits[0].score == pytest.approx(float(vector @ VECTORS["soda"]), abs=1e-6)
    assert hits[1].score == pytest.approx(float(vector @ VECTORS["port"]), abs=1e-6)
    (without,) = recommend(by_vectors, [profile], top_k=2, dislike_weight=0)
    assert without[1].score == pytest.approx(0.936 / np.sqrt(2), abs=1e-6)


def test_what_is_in_the_profile_is_left_out_and_the_rest_fills_up(by_vectors: Retriever) -> None:
    profiles = [Profile(liked=["wine"], disliked=["claret"]), Profile(liked=["wine", "port"])]
    rows = recommend(by_vectors, profiles, top_k=6)
    assert [set(row) for row in ids(rows)] == [
        {"port", "juice", "soda", "bleach"},
        {"claret", "juice", "soda", "bleach"},
    ]
    assert [len(row) for row in recommend(by_vectors, profiles)] == [3, 3]


def test_only_items_that_pass_the_filter_are_recommended(by_vectors: Retriever) -> None:
    assert ids(similar_items(by_vectors, ["wine"], filter=Condition("price", ">", 2))) == [
        ["juice", "soda", "bleach"]
    ]


def test_concepts_that_are_liked_but_not_disliked_count_with_their_paths(
    version: OpenVersion, encoder: FunctionEncoder, graph: KnowledgeGraph
) -> None:
    retriever = Retriever(version, encoder, graph, graph_weight=0.5, n_hops=0)
    (hits,) = recommend(retriever, [Profile(liked=["soda"], disliked=["bleach"])], dislike_weight=0)
    parts = {hit.id: hit.parts["graph"] for hit in hits}
    assert parts == {"wine": 1.0, "juice": 1.0, "claret": 0.0, "port": 0.0}
    path = next(hit.path for hit in hits if hit.id == "juice")
    assert [(step.head, step.tail) for step in path] == [("query", "drink"), ("juice", "drink")]


def test_all_profiles_are_answered_by_one_search(
    by_vectors: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, whole = [], by_vectors.version.search_items

    def counted(vectors: Any, *args: Any) -> Any:
        sizes.append(len(vectors))
        return whole(vectors, *args)

    monkeypatch.setattr(by_vectors.version, "search_items", counted)
    together = recommend(by_vectors, [Profile(liked=[name]) for name in ("wine", "soda")], diversity=0.5)
    assert sizes == [2]
    assert together == [
        recommend(by_vectors, [Profile(liked=[n])], diversity=0.5)[0] for n in ("wine", "soda")
    ]


def test_diverse_hits_are_those_of_maximal_marginal_relevance(
    by_vectors: Retriever, version: OpenVersion
) -> None:
    hits = by_vectors.retrieve(["wine", "bleach"], top_k=6)
    order = ids(diversify(version, hits, top_k=3, diversity=0.6))[0]
    assert order == expected(hits[0], 3, 0.6)
    assert order[:2] == ["wine", "bleach"]
    assert ids(diversify(version, hits, top_k=3, diversity=0)) == [row[:3] for row in ids(hits)]


def expected(hits: Any, top_k: int, diversity: float) -> list[str]:
    """Maximal marginal relevance as its definition says it."""
    chosen: list[Any] = [hits[0]]
    while len(chosen) < top_k:
        left = [hit for hit in hits if hit not in chosen]
        nearest = [max(np.dot(VECTORS[hit.id], VECTORS[c.id]) for c in chosen) for hit in left]
        gains = [(1 - diversity) * h.score - diversity * n for h, n in zip(left, nearest, strict=True)]
        chosen.append(left[int(np.argmax(gains))])
    return [hit.id for hit in chosen]


@pytest.mark.parametrize("diversity", [0.2, 0.5, 0.8, 1.0])
def test_lists_of_different_lengths_are_diversified_each_for_itself(
    by_vectors: Retriever, version: OpenVersion, diversity: float
) -> None:
    long, short = by_vectors.retrieve(["juice", "soda"], top_k=6)
    rows = ids(diversify(version, [long, short[:2], []], top_k=4, diversity=diversity))
    assert rows[0] == expected(long, 4, diversity)
    assert sorted(rows[1]) == sorted(hit.id for hit in short[:2])
    assert rows[2] == []


def test_a_diverse_recommendation_looks_beyond_the_nearest(by_vectors: Retriever) -> None:
    assert ids(similar_items(by_vectors, ["wine"], top_k=2)) == [["claret", "port"]]
    assert ids(similar_items(by_vectors, ["wine"], top_k=2, diversity=0.7)) == [["claret", "bleach"]]


def test_no_profiles_have_no_recommendations(by_vectors: Retriever) -> None:
    assert recommend(by_vectors, []) == []


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda r: similar_items(r, "wine"),
            r"expected items as a list of ids or Items, got one: 'wine'; wrap it in a list",
        ),
        (lambda r: similar_items(r, ["cider"]), r"expected ids of indexed items, got 1 unknown: \['cider'\]"),
        (lambda r: Profile(liked=[]), r"expected at least one item that is liked, got none"),
        (lambda r: Profile(liked="wine"), r"expected liked as a list of items, got one: 'wine'"),
        (lambda r: Profile(liked=[3]), r"expected ids or items in a profile, got 3"),
        (lambda r: Profile(liked=["wine"], disliked=["wine"]), r"liked or disliked, got both for \['wine'\]"),
        (
            lambda r: similar_items(r, ["wine"], diversity=1.5),
            r"expected diversity as a number from 0 to 1, got 1.5",
        ),
        (lambda r: similar_items(r, ["wine"], top_k=0), r"expected top_k as a whole number of at least 1"),
        (
            lambda r: recommend(
                r, [Profile(liked=["wine"], disliked=[Item(id="x", text="wine")])], dislike_weight=1
            ),
            r"profile 0: expected likes and dislikes that leave a direction",
        ),
        (
            lambda r: recommend(r, [Profile(liked=["wine"])], dislike_weight=-1),
            r"expected dislike_weight as a number of at least 0, got -1",
        ),
    ],
)
def test_what_cannot_be_recommended_from_is_refused(by_vectors: Retriever, ask: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ask(by_vectors)
