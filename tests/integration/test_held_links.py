"""With links in memory a search with the graph finds what it finds by asking Milvus for everything."""

from dataclasses import replace
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from milvus_targets import fresh_index
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Condition, link_table
from zeroshot_core.retrieval import Retriever, linked_candidates
from zeroshot_core.types import Concept, Item, Relation

ENCODER = HashEncoder(32)
CONCEPTS = 30
GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"concept {n}", type="ab"[n % 2]) for n in range(CONCEPTS)],
    [Relation(head=f"c{n}", type="is_a", tail=f"c{n // 3}", weight=1 + n / 9) for n in range(1, CONCEPTS)],
)
RNG = np.random.default_rng(0)
ITEMS = [
    Item(
        id=f"i{n:03}",
        text=f"thing {n} wörd {n % 17} of {n % 5}",
        # One in eight carries each of the first concepts, so that some links lead to over a hundred items.
        concepts=tuple(f"c{c}" for c in RNG.choice([*range(CONCEPTS), *[0, 1, 2] * 4], n % 4)),
        metadata={"number": n, "kind": "ü" * (n % 3), "share": n / 7, "is_new": n % 2 == 0},
    )
    for n in range(400)
]
QUERIES = [*ITEMS[:25], *(f"thing of {n} concept {n}" for n in range(15))]


@pytest.fixture(scope="module")
def index(uri):
    with fresh_index(uri) as opened:
        opened.activate(opened.build(ITEMS, ENCODER, GRAPH))
        yield opened


@pytest.fixture
def version(index):
    return index.open(fingerprint=ENCODER.fingerprint)


def rank(hit):
    """By score, but for those last digits, ties by id."""
    return -round(hit.score, 5), hit.id


def assert_same(found, expected):
    """Same hits, by all they say; similarities to six digits, for they are summed up in another order."""
    found, expected = ([sorted(hits, key=rank) for hits in each] for each in (found, expected))
    plain = [[replace(hit, score=0, parts={}, path=()) for hit in hits] for hits in found]
    assert plain == [[replace(hit, score=0, parts={}, path=()) for hit in hits] for hits in expected]
    for hit, other in zip(chain(*found), chain(*expected), strict=True):
        assert hit.parts == pytest.approx(other.parts, abs=1e-6)
        assert hit.score == pytest.approx(other.score, abs=1e-6)
        steps, others = ([(step.head, step.type, step.tail) for step in each.path] for each in (hit, other))
        assert steps == others


@pytest.mark.parametrize("graph", [GRAPH, "stored"])
@pytest.mark.parametrize(("top_k", "graph_weight"), [(10, 0.3), (2, 0.9), (3, 1.0), (30, 0.5)])
def test_answers_are_the_same_with_links_in_memory(version, index, graph, top_k, graph_weight):
    asked = {"top_k": top_k, "graph_weight": graph_weight}
    expected = Retriever(version, ENCODER, graph).retrieve(QUERIES, **asked)
    held = index.open(fingerprint=ENCODER.fingerprint)
    held.hold_links()
    assert held.links(1) is not None
    retriever = Retriever(held, ENCODER, graph)
    assert_same(retriever.retrieve(QUERIES, **asked), expected)
    alone = Retriever(version, ENCODER, graph)
    for query in QUERIES[:2]:
        assert_same(retriever.retrieve([query], **asked), alone.retrieve([query], **asked))
    held.links(1).records = None  # as if there were no room for them
    assert_same(retriever.retrieve(QUERIES, **asked), expected)


@pytest.mark.parametrize("most_linked", [0, 60, 10**6])
def test_answers_are_the_same_where_many_items_are_linked(version, index, monkeypatch, most_linked):
    expected = [Retriever(version, ENCODER, GRAPH, graph_weight=w).retrieve(QUERIES) for w in (0.2, 0.9)]
    monkeypatch.setattr(linked_candidates, "_FEW_LINKED", 0)
    monkeypatch.setattr(linked_candidates, "_MOST_LINKED", most_linked)
    monkeypatch.setattr(link_table, "_ROWS_PER_PART", 128)  # four parts
    held = index.open(fingerprint=ENCODER.fingerprint)
    held.hold_links()
    for weight, hits in zip((0.2, 0.9), expected, strict=True):
        assert_same(Retriever(held, ENCODER, GRAPH, graph_weight=weight).retrieve(QUERIES), hits)


def test_links_are_found_both_ways(version, monkeypatch):
    monkeypatch.setattr(link_table, "_ROWS_PER_PART", 128)
    table = link_table.LinkTable.read(version._items, version.info, 10**6)
    counts, numbers = table.links_of(table.rows_of(["i001", "i003", "i000"]))
    own = [tuple(dict.fromkeys(ITEMS[number].concepts)) for number in (1, 3, 0)]
    assert counts.tolist() == [len(each) for each in own]
    assert [table.concepts[number] for number in numbers] == [*own[0], *own[1]]
    counts, rows = table.carriers_of(np.array([table.numbers["c7"], table.numbers["c0"]]))
    carriers = [[item.id for item in ITEMS if id_ in item.concepts] for id_ in ("c7", "c0")]
    assert counts.tolist() == [len(each) for each in carriers]
    assert table.ids_of(rows) == [*carriers[0], *carriers[1]]
    assert table.n_carriers[table.numbers["c0"]] == len(carriers[1])


def test_evidence_and_filters_are_the_same_with_links_in_memory(version, index):
    held = index.open(fingerprint=ENCODER.fingerprint)
    held.hold_links()
    few = Condition("number", "<", 50)
    own, others = Retriever(version, ENCODER, GRAPH), Retriever(held, ENCODER, GRAPH)
    assert_same(others.retrieve(QUERIES, filter=few), own.retrieve(QUERIES, filter=few))
    found, expected = others.evidence(QUERIES), own.evidence(QUERIES)
    assert_same([each.items for each in found], [each.items for each in expected])
    assert_same([each.concepts for each in found], [each.concepts for each in expected])
    new = [Item(id="own", text=ITEMS[3].text, concepts=ITEMS[3].concepts)]
    over = held.with_items(new, ENCODER.encode([ITEMS[3].text]))
    assert over.links(1) is None
    assert {hit.id for hit in others.over(over).retrieve([ITEMS[3]], top_k=2)[0]} == {"i003", "own"}


def test_what_does_not_fit_is_asked_of_milvus(index, version):
    records = link_table.LinkTable.read(version._items, version.info, 10**6)
    links = link_table.LinkTable.read(version._items, version.info, 25_000)
    assert records.records is not None
    assert links.records is None
    assert links.ids_of(links.rows_of(["i007", "nothing", "i399"])[[0, 2]]) == ["i007", "i399"]
    assert links.rows_of(["nothing"]).tolist() == [-1]
    assert link_table.LinkTable.read(version._items, version.info, 1000) is None
    other = replace(version.info, id="v" + 12 * "0")
    assert link_table.LinkTable.read(version._items, other, 10**6) is None


def test_a_server_s_links_are_read_beside_the_first_queries(index, version, monkeypatch):
    monkeypatch.setattr(link_table, "Thread", lambda target, **_: SimpleNamespace(start=target))
    retriever = Retriever(version, ENCODER, GRAPH)
    retriever.retrieve(QUERIES)
    assert (version.links(1) is None) == index.is_lite


def test_links_of_a_version_built_from_files_are_held(uri, tmp_path):
    rows = [{"id": item.id, "text": item.text, "concepts": list(item.concepts)} for item in ITEMS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "items.parquet")
    with fresh_index(uri) as index:
        version = index.open(index.build_from(tmp_path, ENCODER, GRAPH), fingerprint=ENCODER.fingerprint)
        version.hold_links()
        assert version.links(1) is not None


def test_what_is_written_is_found_at_once(uri):
    with fresh_index(uri) as index:
        index.activate(index.build(ITEMS[:40], ENCODER, GRAPH))
        writer, reader = (index.open(fingerprint=ENCODER.fingerprint) for _ in range(2))
        reader.hold_links()
        retriever = Retriever(reader, ENCODER, GRAPH)
        assert retriever.retrieve([ITEMS[3]])[0][0].id == "i003"
        writer.upsert([Item(id="new", text=ITEMS[3].text, concepts=ITEMS[3].concepts)], ENCODER)
        writer.delete(["i003"])
        assert [hit.id for hit in retriever.retrieve([ITEMS[3]], top_k=1)[0]] == ["new"]
        assert reader.links(1) is None
        again = index.open(fingerprint=ENCODER.fingerprint)
        again.hold_links()
        assert again.links(1) is None
