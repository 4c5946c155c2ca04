"""Items that are near to any query give way to what is meant, by queries whose answers nobody has given."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Retriever, VectorIndex
from zeroshot_core.encoders import Encoder, FunctionEncoder, HashEncoder
from zeroshot_core.index import Condition, IndexParams
from zeroshot_core.retrieval import QueryBank

THINGS = 30


def beside_the_hub(texts: list[str]) -> list[list[float]]:
    """Put items where they are named, the hub in the middle, and queries between the two."""
    rows = []
    for text in texts:
        kind, name = text.split()
        row = np.zeros(THINGS + 1)
        row[-1] = {"item": 0.0, "hub": 1.0, "query": 0.75, "past": 0.75}[kind]
        if kind != "hub":
            row[int(name)] = 1.0 if kind == "item" else 0.6
        rows.append(row.tolist())
    return rows


ENCODER = FunctionEncoder(beside_the_hub, name="hub", dimension=THINGS + 1, fingerprint="a" * 16)
ITEMS = [
    Item(id="hub", text="hub 0", concepts=("any",), metadata={"is_hub": True}),
    *(Item(id=f"item {n}", text=f"item {n}", concepts=("any",), metadata={"n": n}) for n in range(THINGS)),
]
GRAPH = KnowledgeGraph([Concept(id="any", name="hub 0")])
# Of other things than those that are asked for.
PAST = [f"past {n}" for n in range(15)]
ASKED = ["query 20", "query 25"]


def bank() -> QueryBank:
    return QueryBank.fit(ENCODER, PAST)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[VectorIndex]:
    with VectorIndex.connect(tmp_path / "index.db", params=IndexParams(lexical=True)) as opened:
        opened.activate(opened.build(ITEMS, ENCODER, GRAPH))
        yield opened


def retriever(index: VectorIndex, *, encoder: Encoder = ENCODER, **settings: object) -> Retriever:
    return Retriever(index.open(fingerprint=encoder.fingerprint), encoder, **settings)


def first(hits: list[list[object]]) -> list[str]:
    return [found[0].id for found in hits]


def test_a_hub_gives_way_and_scores_say_by_how_much(index: VectorIndex) -> None:
    assert first(retriever(index).retrieve(ASKED)) == ["hub", "hub"]
    found = retriever(index, query_bank=bank()).retrieve(ASKED, top_k=1)
    assert first(found) == ["item 20", "item 25"]
    # None of the bank is near to this item, so that nothing is taken from it.
    query, item = ENCODER.encode(["query 20", "item 20"])
    assert found[0][0].score == pytest.approx(float(query @ item))
    hub = retriever(index, query_bank=bank()).retrieve(ASKED, filter=Condition("is_hub", "==", True))[0][0]
    nearest = float(query @ ENCODER.encode(["hub 0"])[0])
    assert hub.score == pytest.approx(nearest - nearest / 2)


def test_it_counts_beside_the_graph_and_words(index: VectorIndex) -> None:
    weighed = retriever(index, graph=GRAPH, graph_weight=0.3, lexical_weight=0.1, query_bank=bank())
    assert first(weighed.retrieve(ASKED)) == ["item 20", "item 25"]
    assert first(weighed.weighted(graph_weight=0.0).retrieve(ASKED)) == ["item 20", "item 25"]
    assert first(weighed.retrieve(ASKED, lexical_weight=0.0)) == ["item 20", "item 25"]
    assert first([weighed.evidence(ASKED)[0].items]) == ["item 20"]


def test_a_retriever_keeps_its_bank_in_a_folder(index: VectorIndex, tmp_path: Path) -> None:
    asked = retriever(index, query_bank=bank(), top_k=3)
    asked.save(tmp_path / "saved")
    loaded = Retriever.load(tmp_path / "saved", encoder=ENCODER)
    assert loaded.retrieve(ASKED) == asked.retrieve(ASKED)
    loaded.close()


def test_what_is_no_bank_of_this_encoder_is_refused(index: VectorIndex) -> None:
    with pytest.raises(InvalidInputError, match="expected at least 10 distinct queries in a bank, got 1; "):
        QueryBank.fit(ENCODER, ["past 1"] * 20)
    other = QueryBank.fit(HashEncoder(THINGS + 1), PAST)
    with pytest.raises(InvalidInputError, match="expected a query_bank of encoder 'hub' with fingerprint a"):
        retriever(index, query_bank=other)
    with pytest.raises(InvalidInputError, match=r"query_bank to be of class QueryBank.*QueryBank.fit makes"):
        retriever(index, query_bank=PAST)


def test_at_most_a_thousand_queries_are_kept() -> None:
    kept = QueryBank.fit(HashEncoder(8), [f"query {n}" for n in range(2500)])
    assert 800 < len(kept.vectors) <= 1000
