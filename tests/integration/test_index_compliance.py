"""What every Milvus must do for us, local file and server alike: the same cases on both.

What a collection is read for must hold of one that another library made, too.
"""

import contextlib
import itertools
import threading
import time
import uuid
from dataclasses import replace

import numpy as np
import pytest
from milvus_targets import SERVER, fresh_index
from pymilvus import DataType, MilvusClient
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import (
    FingerprintMismatchError,
    InvalidInputError,
    UnknownConceptError,
    UnsupportedIndexError,
    VectorIndexError,
    VersionNotFoundError,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import AllOf, AnyOf, Condition, IndexParams, Not, VectorIndex, builder
from zeroshot_core.index.existing_collection import CollectionFields, ExistingCollection
from zeroshot_core.index.schema import KINDS, item_row
from zeroshot_core.types import Concept, Item, Relation

NASTY = [
    'say "hi"',
    "back\\slash\\",
    "it's",
    "a\nb",
    "☃ ünï",
    '" or id != "',
    '\\" or true or "',
    "%",
    "x" * 300,
]
# No filter can express a control character in an id or a key.
NASTY_IDS = [text for text in NASTY if "\n" not in text]


class CountingEncoder(HashEncoder):
    """Remembers what it encoded, and can be interrupted."""

    def __init__(self, dimension=32, *, interrupt_after=10**9):
        super().__init__(dimension)
        self.encoded = []
        self.interrupt_after = interrupt_after

    def encode(self, contents, *, role="document", show_progress=False):
        if len(self.encoded) + len(contents) > self.interrupt_after:
            raise KeyboardInterrupt
        self.encoded += contents
        return super().encode(contents, role=role)


@pytest.fixture
def index(uri):
    with fresh_index(uri) as fresh:
        yield fresh


def goods(n=300):
    """Items of which every third text comes twice, with metadata of all kinds."""
    return [
        Item(
            id=f"id-{number:03d}" if number >= len(NASTY_IDS) else NASTY_IDS[number],
            text=f"thing {number % 200} {'shiny' if number % 2 else 'dull'} {NASTY[number % len(NASTY)]}",
            concepts=(f"color:{number % 7}", f"shape:{number % 3}"),
            metadata={
                "price": number / 4,
                "size": number,
                "on": number % 2 == 0,
                "note": NASTY[number % len(NASTY)],
            }
            | ({"rare": number} if number % 10 == 0 else {}),
        )
        for number in range(n)
    ]


def palette():
    concepts = [Concept(id=f"color:{n}", name=f"color number {n}", type="color") for n in range(7)]
    concepts += [Concept(id=f"shape:{n}", name=f"shape {n}", synonyms=(f"form {n}",)) for n in range(3)]
    relations = [
        Relation(head=f"color:{n}", type="fits", tail=f"shape:{n % 3}", weight=n + 1) for n in range(7)
    ]
    return KnowledgeGraph(concepts, relations)


class Stock:
    """Items in a collection, to be read by `open`."""

    def __init__(self, items):
        self.items = items
        self.encoder = HashEncoder(32)
        self.graph = palette()
        self.vectors = self.encoder.encode([item.text for item in self.items])

    def ids_where(self, holds):
        return {item.id for item in self.items if holds(item)}


class Shop(Stock):
    """An index of ours that the reading tests share."""

    def __init__(self, index):
        super().__init__(goods())
        self.index = index
        self.version = index.build(self.items, self.encoder, self.graph)
        index.activate(self.version)
        self.open = index.open(fingerprint=self.encoder.fingerprint)


class ExtendedShop(Stock):
    """The same items, of which a version of ours holds a part, some of them as they were before."""

    def __init__(self, index):
        super().__init__(goods())
        own = [*range(150, 180), *range(240, 300)]
        old = [
            replace(item, text=f"{item.text} before", concepts=("color:0",), metadata={"size": 12})
            if row in own
            else item
            for row, item in enumerate(self.items[:240])
        ]
        index.activate(index.build(old, self.encoder, self.graph))
        self.index = index
        self.below = index.open(fingerprint=self.encoder.fingerprint)
        first = self.below.with_items([self.items[row] for row in own[:60]], self.vectors[own[:60]])
        self.open = first.with_items([self.items[row] for row in own[50:]], self.vectors[own[50:]])


class OtherShop(Stock):
    """The same items in a collection such as langchain-milvus makes, their links among the metadata."""

    def __init__(self, client, name):
        super().__init__([self.linked(item) for item in goods()])
        schema = client.create_schema(enable_dynamic_field=True)
        schema.add_field("pk", DataType.VARCHAR, is_primary=True, max_length=65535)
        schema.add_field("text", DataType.VARCHAR, max_length=65535)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=32)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="L2")
        client.create_collection(name, schema=schema, index_params=index, consistency_level="Strong")
        rows = [
            {"pk": item.id, "text": item.text, "vector": vector, **item.metadata}
            for item, vector in zip(self.items, self.vectors, strict=True)
        ]
        client.insert(name, rows)
        fields = CollectionFields(concepts=("color", "shape"))
        self.open = ExistingCollection.open(client, name, self.encoder, self.graph, fields=fields)

    @staticmethod
    def linked(item):
        links = dict(concept.split(":") for concept in item.concepts)
        return replace(item, metadata={**item.metadata, **links})


@contextlib.contextmanager
def our_shop(uri):
    with fresh_index(uri) as index:
        yield Shop(index)


@contextlib.contextmanager
def extended_shop(uri):
    with fresh_index(uri) as index:
        yield ExtendedShop(index)


@contextlib.contextmanager
def other_shop(uri):
    name = f"theirs_{uuid.uuid4().hex[:10]}"
    with contextlib.closing(MilvusClient(uri)) as client:
        try:
            yield OtherShop(client, name)
        finally:
            client.drop_collection(name)


@pytest.fixture(scope="module")
def shop(uri):
    with our_shop(uri) as shop:
        yield shop


@pytest.fixture(
    scope="module", params=[our_shop, extended_shop, other_shop], ids=lambda open_: open_.__name__
)
def stock(request, uri):
    with request.param(uri) as stock:
        yield stock


def test_every_item_finds_itself_with_score_one(stock):
    found = stock.open.search_items(stock.vectors, top_k=5)
    for item, ids, scores, records in zip(stock.items, found.ids, found.scores, found.records, strict=True):
        assert item.id in ids
        assert scores[ids.index(item.id)] == pytest.approx(1.0, abs=1e-5)
        assert records[ids.index(item.id)] == item


def test_scores_are_the_exact_cosines_best_first(stock):
    queries = stock.encoder.encode(["shiny thing 12", "dull", "snowman ☃"])
    found = stock.open.search_items(queries, top_k=50)
    expected = -np.sort(-(queries @ stock.vectors.T), axis=1)[:, :50]
    np.testing.assert_allclose(np.stack(found.scores), expected, atol=1e-5)


def test_many_queries_give_what_each_gives_alone(stock):
    # Of ours so many are answered from memory; Milvus Lite takes .4 ms for each hit of another library's.
    n_queries = 50 if isinstance(stock, OtherShop) else 250
    queries = stock.encoder.encode([f"thing {number}" for number in range(n_queries)])
    together = stock.open.search_items(queries, top_k=100)
    for place in (0, 7, n_queries - 1):
        alone = stock.open.search_items(queries[place : place + 1], top_k=100)
        np.testing.assert_allclose(alone.scores[0], together.scores[place], atol=1e-5)
        certain = alone.scores[0] > alone.scores[0][-1] + 1e-4  # ties at the end may fall either way
        assert set(np.array(alone.ids[0])[certain]) <= set(together.ids[place])


def test_more_hits_than_items_gives_all_items(stock):
    assert len(stock.open.search_items(stock.vectors[:1], top_k=1000).ids[0]) == 300


@pytest.mark.parametrize(
    ("filter", "holds"),
    [
        (Condition("size", "==", 12), lambda item: item.metadata["size"] == 12),
        (Condition("size", "!=", 12), lambda item: item.metadata["size"] != 12),
        (Condition("price", ">=", 70.25), lambda item: item.metadata["price"] >= 70.25),
        (Condition("price", "<", 3), lambda item: item.metadata["price"] < 3),
        (Condition("on", "==", True), lambda item: item.metadata["on"]),
        (Condition("size", "in", (3, 5, 999)), lambda item: item.metadata["size"] in (3, 5)),
        (Condition("size", "not in", (3, 5)), lambda item: item.metadata["size"] not in (3, 5)),
        (Condition("note", "in", NASTY[:3]), lambda item: item.metadata["note"] in NASTY[:3]),
        (Condition("id", "in", ["id-010", "id-020"]), lambda item: item.id in ("id-010", "id-020")),
        (Condition("rare", "<", 100), lambda item: item.metadata.get("rare", 1000) < 100),
        (Condition("rare", "!=", 20), lambda item: item.metadata.get("rare") != 20),
        (Not(Condition("rare", "<", 100)), lambda item: not item.metadata.get("rare", 1000) < 100),
        (Condition("concepts", "contains", "color:3"), lambda item: "color:3" in item.concepts),
        (
            Not(Condition("concepts", "contains", ("color:3", "shape:1"))),
            lambda item: not {"color:3", "shape:1"} & set(item.concepts),
        ),
        (
            AllOf(
                [
                    Condition("size", ">", 20),
                    AnyOf([Condition("on", "==", False), Condition("price", ">", 50)]),
                ]
            ),
            lambda item: (
                item.metadata["size"] > 20 and (not item.metadata["on"] or item.metadata["price"] > 50)
            ),
        ),
        (AnyOf([]), lambda item: False),
        (AllOf([]), lambda item: True),
        (Condition("size", "in", []), lambda item: False),
    ],
    ids=lambda value: "kept" if callable(value) else str(value),
)
def test_filter_keeps_what_it_says(stock, filter, holds):
    found = stock.open.search_items(stock.vectors[:2], top_k=300, filter=filter)
    assert set(found.ids[0]) == set(found.ids[1]) == stock.ids_where(holds)


@pytest.mark.parametrize("value", NASTY)
def test_text_in_a_filter_is_text_and_nothing_else(stock, value):
    cases = [(Condition("note", "==", value), stock.ids_where(lambda item: item.metadata["note"] == value))]
    if value in NASTY_IDS:
        cases += [
            (Condition("id", "==", value), {value}),
            (Condition(value, "==", 1), set()),
            (Condition("concepts", "contains", value), set()),
        ]
    for filter, expected in cases:
        assert set(stock.open.search_items(stock.vectors[:1], top_k=300, filter=filter).ids[0]) == expected


def test_a_list_of_thousands_of_values_is_a_filter_too(shop):
    wanted = [*range(0, 5000, 2), *(f"none {n}" for n in range(500)), 0.5, True]
    for filter in (
        Condition("size", "in", wanted),
        AnyOf([Condition("size", "==", value) for value in wanted]),
        Not(AllOf([Condition("size", "!=", value) for value in wanted])),
        Not(Condition("size", "not in", wanted)),
    ):
        start = time.monotonic()
        found = shop.open.search_items(shop.vectors[:2], top_k=300, filter=filter)
        linked = shop.open.search_linked(shop.vectors[:1], [["color:3"]], 300, filter)
        assert time.monotonic() - start < 10
        even = shop.ids_where(lambda item: item.metadata["size"] % 2 == 0)
        assert set(found.ids[0]) == set(found.ids[1]) == even
        assert set(linked.ids[0]) == even & shop.ids_where(lambda item: "color:3" in item.concepts)


def test_filter_holds_in_large_batches_too(stock):
    found = stock.open.search_items(stock.vectors, top_k=100, filter=Condition("size", "<", 20))
    assert {len(ids) for ids in found.ids} == {20}
    assert set(found.ids[0]) == stock.ids_where(lambda item: item.metadata["size"] < 20)


def test_concepts_are_found_by_their_names(stock):
    found = stock.open.search_concepts(stock.encoder.encode(["color number 4"]), top_k=3)
    assert found.records[0][0] == stock.graph.concepts["color:4"]
    expected = stock.encoder.encode(["color number 4", "color number 2"])
    np.testing.assert_allclose(stock.open.concept_vectors(["color:4", "color:2"]), expected, atol=1e-6)
    assert found.scores[0][0] == pytest.approx(1.0, abs=1e-5)


def test_relations_are_searched(shop):
    assert len(shop.open.search_relations(shop.vectors[:1], top_k=100).records[0]) == 7


def test_relations_are_read_from_either_end(stock):
    out = stock.open.relations_of(["color:1", "color:4"], "out")
    assert {(r.head, r.tail, r.weight) for r in out} == {
        ("color:1", "shape:1", 2.0),
        ("color:4", "shape:1", 5.0),
    }
    assert {r.head for r in stock.open.relations_of(["shape:1"], "in")} == {"color:1", "color:4"}
    assert len(stock.open.relations_of([f"color:{n}" for n in range(7)] + ["shape:1"])) == 7
    assert stock.open.relations_of([]) == []
    assert list(stock.open.known_concepts(["shape:1", "nothing", "color:3"])) == ["shape:1", "color:3"]


def test_linked_items_are_the_nearest_of_those_with_a_query_s_concepts(stock):
    queries = stock.vectors[[0, 5, 9, 11]]
    wanted = [("color:2", "shape:0"), (), ("color:2",), ("nowhere",)]
    small = Condition("size", "<", 10)
    all_ids = [item.id for item in stock.items]
    for top_k, filter in ((50, None), (4, None), (50, small)):
        found = stock.open.search_linked(queries, wanted, top_k, filter)
        allowed = stock.ids_where(lambda item: item.metadata["size"] < 10) if filter else {*all_ids}
        for query, concepts, ids, scores in zip(queries, wanted, found.ids, found.scores, strict=True):
            similarity = dict(zip(all_ids, (stock.vectors @ query).tolist(), strict=True))
            linked = allowed & {item.id for item in stock.items if {*concepts} & {*item.concepts}}
            expected = sorted(linked, key=lambda id_: -similarity[id_])[:top_k]
            assert [similarity[id_] for id_ in expected] == pytest.approx(scores, abs=1e-5)
            assert len(set(ids)) == len(ids)
            assert set(ids) <= linked
    assert [[item.id for item in items] for items in found.records] == found.ids


def test_items_and_vectors_are_read_back_in_order(stock):
    ids = [item.id for item in reversed(stock.items)] + [stock.items[0].id]
    assert [item.id for item in stock.open.items(ids)] == ids
    # Those of another library are made to have unit length.
    rounding = 1e-6 if isinstance(stock, OtherShop) else 0
    np.testing.assert_allclose(stock.open.item_vectors(ids)[:-1], stock.vectors[::-1], rtol=0, atol=rounding)
    assert stock.open.item_vectors([]).shape == (0, 32)
    assert stock.open.count() == 300
    # When it was built; what came over it later does not count.
    assert stock.open.info.counts["items"] == (240 if isinstance(stock, ExtendedShop) else 300)


def test_all_ids_are_read(shop):
    assert shop.open.all_ids() == sorted(item.id for item in shop.items)


def test_unknown_ids_are_named(stock):
    with pytest.raises(InvalidInputError, match=r"ids of indexed items, got 1 unknown: \['nobody'\]"):
        stock.open.items(["id-010", "nobody"])
    with pytest.raises(InvalidInputError, match=r"ids of indexed items, got 1 unknown: \['nobody'\]"):
        stock.open.item_vectors(["id-010", "nobody"])
    with pytest.raises(InvalidInputError, match=r"ids of indexed concepts, got 1 unknown: \['nothing'\]"):
        stock.open.concept_vectors(["color:1", "nothing"])


def test_query_of_another_dimension_names_both(stock):
    with pytest.raises(InvalidInputError, match=r"shape \(any, 32\), got shape \(2, 64\); encode them"):
        stock.open.search_items(np.zeros((2, 64), dtype=np.float32), top_k=3)


@pytest.mark.parametrize("top_k", [0, 16385, True, 2.5])
def test_number_of_hits_out_of_range_is_refused(stock, top_k):
    with pytest.raises(
        InvalidInputError, match=f"expected top_k as a whole number from 1 to 16384, got {top_k}"
    ):
        stock.open.search_items(stock.vectors[:1], top_k=top_k)


def test_other_encoder_is_refused_and_both_are_named(shop):
    other = HashEncoder(64)
    with pytest.raises(
        FingerprintMismatchError, match=f"{other.fingerprint}, got {shop.encoder.fingerprint}"
    ):
        shop.index.open(fingerprint=other.fingerprint)
    with pytest.raises(FingerprintMismatchError, match="load the encoder that the version was built with"):
        shop.open.upsert([Item(id="a", text="b")], other)


def test_unknown_version_names_those_there_are(shop):
    with pytest.raises(VersionNotFoundError, match=rf"\({shop.version}\), got 'v0'; build it first"):
        shop.index.open("v0", fingerprint=shop.encoder.fingerprint)
    for use in (shop.index.activate, shop.index.drop):
        with pytest.raises(VersionNotFoundError, match="got 'v0'"):
            use("v0")


def test_version_says_what_it_was_built_from(shop):
    info = shop.index.live
    assert (info.id, info.is_live, info.state) == (shop.version, True, "ready")
    assert (info.fingerprint, info.encoder, info.dimension) == (shop.encoder.fingerprint, "hash-32", 32)
    assert info.graph_digest == shop.graph.digest
    assert info.counts == {"items": 300, "concepts": 10, "relations": 7, "names": 13}
    assert info.params == IndexParams()


def test_building_again_is_the_same_version_and_encodes_nothing(index):
    items, encoder = goods(60), CountingEncoder()
    version = index.build(items, encoder)
    encoder.encoded.clear()
    assert index.build(list(reversed(items)), encoder) == version
    assert encoder.encoded == []


def test_interrupted_build_is_resumed_where_it_stopped(index, monkeypatch):
    monkeypatch.setattr(builder, "_CONTENTS_PER_CHUNK", 16)
    items = goods(120)
    with pytest.raises(KeyboardInterrupt):
        index.build(items, CountingEncoder(interrupt_after=70))
    assert [version.state for version in index.versions()] == ["building"]
    with pytest.raises(VectorIndexError, match="half built; run build again"):
        index.activate(index.versions()[0].id)
    assert index.live is None
    encoder = CountingEncoder()
    version = index.build(items, encoder, show_progress=True)
    probes = 8
    assert len(encoder.encoded) - probes == 120 - 64
    index.activate(version)
    opened = index.open(fingerprint=encoder.fingerprint)
    assert opened.count() == 120
    assert opened.items([item.id for item in items]) == items


def test_build_is_resumed_after_one_of_its_writes_failed(index, monkeypatch):
    monkeypatch.setattr(builder, "_CONTENTS_PER_CHUNK", 16)
    items, encoder = goods(160), CountingEncoder()
    call, lock = index._connection.call, threading.Lock()
    writes, under_way, most_at_once = itertools.count(1), 0, 0

    def failing(method, *arguments, **options):
        nonlocal under_way, most_at_once
        if method not in {"insert", "upsert"}:
            return call(method, *arguments, **options)
        with lock:
            number, under_way = next(writes), under_way + 1
            most_at_once = max(most_at_once, under_way)
        try:
            time.sleep(0.02)
            if number == 3:
                raise VectorIndexError("the disk is full")
            return call(method, *arguments, **options)
        finally:
            with lock:
                under_way -= 1

    with monkeypatch.context() as patch:
        patch.setattr(index._connection, "call", failing)
        with pytest.raises(VectorIndexError, match="the disk is full"):
            index.build(items, encoder)
    assert (most_at_once > 1) is not index.is_lite
    assert most_at_once <= 4
    assert [version.state for version in index.versions()] == ["building"]
    encoder.encoded.clear()
    version = index.build(items, encoder)
    probes = 8
    assert 16 <= len(encoder.encoded) - probes < 160
    index.activate(version)
    opened = index.open(fingerprint=encoder.fingerprint)
    assert opened.count() == 160
    assert opened.items([item.id for item in items]) == items


def test_new_version_goes_live_in_one_swap(index):
    old, new = HashEncoder(16), HashEncoder(32)
    first = index.build(goods(40), old)
    with pytest.raises(VersionNotFoundError, match="expected a live version"):
        index.open(fingerprint=old.fingerprint)
    index.activate(first)
    reader = index.open(fingerprint=old.fingerprint)
    second = index.build(goods(50), new)
    assert index.live.id == first
    index.activate(second)
    assert index.live.id == second
    assert reader.count() == 40
    assert index.open(fingerprint=new.fingerprint).count() == 50
    index.activate(first)
    index.drop(second)
    assert [version.id for version in index.versions()] == [first]
    index.drop(first)
    assert index.live is None


def test_damaged_version_does_not_go_live(uri, index):
    encoder = HashEncoder(32)
    first = index.build(goods(40), encoder)
    index.activate(first)
    second = index.build(goods(50), encoder)
    with contextlib.closing(MilvusClient(uri)) as client:
        client.delete(f"{index.name}_{second}_items", ids=["id-020"])
    with pytest.raises(
        VectorIndexError, match=rf"expected version {second} to hold .*'items': 50.*'items': 49"
    ):
        index.activate(second)
    assert index.live.id == first


def test_vectors_of_another_scale_do_not_go_live(index):
    class Unscaled(HashEncoder):
        def encode(self, contents, *, role="document", show_progress=False):
            return 2 * super().encode(contents, role=role)

    version = index.build(goods(40), Unscaled(32))
    with pytest.raises(VectorIndexError, match="to have unit length and to find themselves, got norms"):
        index.activate(version)


def test_swap_that_is_interrupted_mixes_no_versions(index, monkeypatch):
    old, new = HashEncoder(16), HashEncoder(32)
    first = index.build(goods(40), old, palette())
    index.activate(first)
    second = index.build(goods(50), new, palette())
    call = index._connection.call
    for kind in KINDS:

        def interrupted(method, *arguments, kind=kind, **options):
            if method == "alter_alias" and arguments[-1].endswith(kind.name):
                raise KeyboardInterrupt
            return call(method, *arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(index._connection, "call", interrupted)
            with pytest.raises(KeyboardInterrupt):
                index.activate(second)
        assert index.live.id == first
        opened = index.open(fingerprint=old.fingerprint)
        assert opened.search_concepts(old.encode(["color number 4"]), top_k=1).ids == [["color:4"]]
    index.activate(second)
    assert index.live.id == second


def test_edits_of_a_live_version_are_read_at_once(index):
    encoder = HashEncoder(32)
    index.activate(index.build(goods(50), encoder, palette()))
    opened = index.open(fingerprint=encoder.fingerprint)
    query = encoder.encode(["something quite new"])
    opened.search_items(np.repeat(query, 210, axis=0), top_k=100)
    opened.upsert(
        [Item(id="id-040", text="something quite new", concepts=("color:6",)), Item(id="extra", text="more")],
        encoder,
    )
    for queries in (query, np.repeat(query, 210, axis=0)):
        found = opened.search_items(queries, top_k=100)
        assert found.ids[0][0] == "id-040"
        assert found.scores[0][0] == pytest.approx(1.0, abs=1e-5)
        assert "extra" in found.ids[0]
    assert "id-040" in opened.search_linked(query, [["color:6"]], top_k=100).ids[0]
    assert opened.count() == 51
    opened.delete(["id-040", "unknown"])
    assert opened.count() == 50
    assert "id-040" not in opened.search_items(query, top_k=100).ids[0]
    index.activate(index.live.id)
    assert index.live.state == "edited"


def test_build_takes_back_the_edits_of_a_version(index):
    encoder = CountingEncoder()
    version = index.build(goods(50), encoder)
    opened = index.open(version, fingerprint=encoder.fingerprint)
    opened.upsert([Item(id="extra", text="more"), Item(id="id-040", text="changed")], encoder)
    opened.delete(["id-030"])
    assert index.build(goods(50), encoder) == version
    assert opened.items(opened.all_ids()) == sorted(goods(50), key=lambda item: item.id)


def test_wrong_items_are_refused_before_anything_is_written(index):
    encoder, graph = HashEncoder(32), palette()
    for items, message in (
        (
            [Item(id="a", text="x"), Item(id="b", text="x"), Item(id="a", text="y")],
            r"1 twice or more: \['a'\]",
        ),
        ([Item(id="a", text="x" * 65536)], "item 'a': expected text of at most 65535 bytes, got 65536"),
        (["text"], "expected items of type Item, got 'text'"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            index.build(items, encoder, graph)
    unknown = [Item(id="a", text="x", concepts=("color:99",))]
    with pytest.raises(UnknownConceptError, match="got 1 unknown: 'color:99' of item 'a'"):
        index.build(unknown, encoder, graph)
    assert index.versions() == []
    index.activate(index.build(goods(10), encoder, graph))
    opened = index.open(fingerprint=encoder.fingerprint)
    with pytest.raises(UnknownConceptError, match="got 1 unknown: 'color:99' of item 'a'"):
        opened.upsert([Item(id="good", text="x"), *unknown], encoder)
    assert opened.count() == 10


def test_longest_texts_fit_whole(index):
    encoder = HashEncoder(32)
    items = [Item(id=f"{number}", text=chr(65 + number) * 65535) for number in range(5)]
    version = index.build(items, encoder)
    assert index.open(version, fingerprint=encoder.fingerprint).items(["3"]) == [items[3]]


def test_empty_index_answers_with_nothing(index):
    encoder = HashEncoder(32)
    index.activate(index.build([], encoder))
    opened = index.open(fingerprint=encoder.fingerprint)
    assert opened.search_items(encoder.encode(["x"]), top_k=3).ids == [[]]
    assert opened.search_concepts(encoder.encode(["x"]), top_k=3).ids == [[]]
    assert (opened.count(), opened.all_ids()) == (0, [])


def test_faulty_encoder_never_reaches_the_index(index):
    class Faulty(HashEncoder):
        def encode(self, contents, *, role="document", show_progress=False):
            return np.full((len(contents), 32), np.nan, dtype=np.float32)

    with pytest.raises(
        InvalidInputError,
        match=r"vectors of the encoder 'hash-32' as finite numbers of shape \(\d+, 32\), got values that are",
    ):
        index.build(goods(5), Faulty(32))


@pytest.mark.parametrize(
    "params",
    [
        IndexParams("FLAT", "L2"),
        IndexParams("HNSW", "IP", build={"M": 8, "efConstruction": 64}, search={"ef": 32}),
        IndexParams("IVF_FLAT", "COSINE", build={"nlist": 8}, search={"nprobe": 8}),
        IndexParams("IVF_SQ8", "L2", build={"nlist": 8}, search={"nprobe": 8}),
        IndexParams("IVF_PQ", "IP", build={"nlist": 8, "m": 16}, search={"nprobe": 8}),
        IndexParams("SCANN", "COSINE", build={"nlist": 8}, search={"nprobe": 8}),
        IndexParams("DISKANN", "L2", search={"search_list": 50}),
    ],
    ids=lambda params: f"{params.index_type}-{params.metric}",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_index_type_and_metric_gives_cosines(uri, params):
    if uri != SERVER and params.index_type in ("IVF_PQ", "SCANN", "DISKANN"):
        pytest.skip("only a server builds it")
    encoder = HashEncoder(32)
    # A server indexes no fewer.
    items = goods(2100 if uri == SERVER else 400)
    vectors = encoder.encode([item.text for item in items])
    with fresh_index(uri, params=params) as index:
        index.activate(index.build(items, encoder))
        found = index.open(fingerprint=encoder.fingerprint).search_items(vectors[:50], top_k=10)
    exact = -np.sort(-(vectors[:50] @ vectors.T), axis=1)[:, :10]
    assert np.abs(np.stack(found.scores) - exact).mean() < 0.02


def test_words_are_indexed_or_refused_by_name_before_anything_is_written(uri):
    encoder, items = HashEncoder(32), goods()
    with fresh_index(uri, params=IndexParams(lexical=True)) as index:
        if uri == SERVER and index._connection.call("get_server_version").lstrip("v") < "2.5":
            with pytest.raises(UnsupportedIndexError, match=r"a server of 2\.5 or later"):
                index.build(items, encoder)
            assert index.versions() == []
            return
        index.activate(index.build(items, encoder))
        version = index.open(fingerprint=encoder.fingerprint)
        version.upsert([replace(items[5], text="a unicorn, SKU 4711-B")], encoder)
        found = version.begin_lexical_search(["SKU 4711-B", "shiny 17", ""], 3)()
    assert found.ids[0][0] == items[5].id
    assert {items[17].text, items[217].text} <= {item.text for item in found.records[1]}
    assert found.ids[2] == []


def test_items_over_a_version_are_seen_by_nobody_else_until_they_are_written(uri):
    with extended_shop(uri) as shop:
        assert [item.text for item in shop.below.items(["id-150"])] == [f"{shop.items[150].text} before"]
        assert shop.below.count() == shop.index.open(fingerprint=shop.encoder.fingerprint).count() == 240
        assert "id-299" not in shop.below.all_ids()
        assert shop.below.own_rows[0] == []
        rows, vectors = shop.open.own_rows
        again = shop.below.with_rows(rows, vectors)
        assert again.items(again.all_ids()) == shop.open.items(shop.open.all_ids())
        shop.open.delete(["id-150", "id-299", "id-010"])
        assert (shop.open.count(), shop.below.count()) == (297, 238)
        shop.open.upsert([shop.items[299], shop.items[298]], shop.encoder)
        assert shop.below.items(["id-299", "id-298"]) == [shop.items[299], shop.items[298]]
        with pytest.raises(UnknownConceptError, match="color:99"):
            shop.below.with_items([Item(id="a", text="b", concepts=("color:99",))], shop.vectors[:1])
        with pytest.raises(InvalidInputError, match=r"vectors of items as finite numbers of shape \(1, 32\)"):
            shop.below.with_items([shop.items[0]], shop.vectors[:2])
        assert shop.below.with_items([], shop.vectors[:0]) is shop.below


def test_an_item_among_few_is_found_by_its_filter(uri):
    if uri != SERVER:
        pytest.skip("a local file compares all rows that a filter leaves")
    encoder = HashEncoder(32)
    items = [Item(id=f"i{n}", text=f"thing {n * 7919}", metadata={"number": n}) for n in range(1000)]
    queries = encoder.encode([item.text for item in reversed(items)])
    with fresh_index(uri) as index:
        index.activate(index.build(items[:900], encoder))
        opened = index.open(fingerprint=encoder.fingerprint)
        opened.upsert(items[900:], encoder)
        found = [
            opened.search_items(queries[[n]], 1, Condition("number", "==", n)).ids for n in range(len(items))
        ]
    assert found == [[[item.id]] for item in items]


def test_an_id_with_nul_is_found_and_deleted_and_no_build_stumbles_over_it(index, monkeypatch):
    monkeypatch.setattr("zeroshot_core.index.record_table._READS_OF_HITS", 0)  # as a large search
    encoder = HashEncoder(32)
    items = goods(20)
    version = index.build(items, encoder)
    index.activate(version)
    opened = index.open(fingerprint=encoder.fingerprint)
    strays = ["a\0b", "a\0", "\0"]
    # What builds took before ids were checked.
    rows = [{**item_row(Item(id="stray", text=f"stray {id_!r}")), "id": id_} for id_ in strays]
    opened._items.write(rows, encoder.encode([row["text"] for row in rows]), replace=False)
    opened._items.wait_for_writes()
    assert set(opened.all_ids()) == {*strays, *(item.id for item in items)}
    found = opened.search_items(encoder.encode([row["text"] for row in rows]), 23)
    assert [hits[0] for hits in found.ids] == strays
    assert [len(set(hits)) for hits in found.ids] == [23] * 3
    assert opened.known_items(strays).keys() == set(strays)
    opened.delete(strays[:1])
    assert opened.known_items(strays).keys() == set(strays[1:])
    index._catalog.set_state(version, "building")
    assert index.build(items, encoder) == version
    assert set(opened.all_ids()) == {item.id for item in items}


def test_index_lives_in_its_own_database(uri):
    name, database = f"test_{uuid.uuid4().hex[:10]}", f"db_{uuid.uuid4().hex[:10]}"
    encoder = HashEncoder(32)
    with VectorIndex.connect(uri, name=name) as outside:
        client = MilvusClient(uri)
        client.create_database(database)
        try:
            with VectorIndex.connect(uri, name=name, db_name=database) as inside:
                version = inside.build(goods(20), encoder)
                inside.activate(version)
                assert (inside.db_name, outside.db_name) == (database, None)
                assert inside.is_lite is (uri != SERVER)
                assert inside.uri.endswith(uri)
                assert outside.versions() == []
                assert inside.open(fingerprint=encoder.fingerprint).count() == 20
                inside.drop(version)
        finally:
            client.drop_database(database)
            client.close()


def test_two_names_in_one_place_know_nothing_of_each_other(uri):
    encoder = HashEncoder(32)
    with fresh_index(uri) as one, fresh_index(uri) as two:
        one.activate(one.build(goods(10), encoder))
        assert two.live is None
        assert two.versions() == []
