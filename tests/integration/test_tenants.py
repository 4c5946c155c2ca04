"""Tenants share collections, and no read or write of one reaches another's items."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from milvus_targets import SERVER, fresh_index
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, VectorIndexError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import AnyOf, Condition, Not, VectorIndex
from zeroshot_core.prediction import ZeroShotRegressor
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Concept, Item, Relation

ENCODER = HashEncoder(32)
GRAPH = KnowledgeGraph(
    [Concept(id=f"c{n}", name=f"concept {n}") for n in range(3)],
    [Relation(head="c0", type="is_a", tail="c1"), Relation(head="c2", type="is_a", tail="c1")],
)


def stock(owner, n=30):
    """Items of the same ids and texts for every owner, but for what they say of him."""
    return [
        Item(
            id=f"i{row}", text=f"thing {row}", concepts=(f"c{row % 3}",), metadata={"owner": owner, "n": row}
        )
        for row in range(n)
    ]


def owners(items):
    return {item.metadata["owner"] for item in items}


def opened(index):
    index.activate(index.build(stock(index._catalog.tenant.name), ENCODER, GRAPH))
    return index.open(fingerprint=ENCODER.fingerprint)


def test_nothing_of_one_tenant_reaches_another(uri):
    with fresh_index(uri, tenant="acme") as acme:
        other = VectorIndex.connect(uri, name=acme.name, tenant="other-1")
        with other:
            ours, theirs = opened(acme), opened(other)
            assert ours.info.id == theirs.info.id
            assert [version.count() for version in (ours, theirs)] == [30, 30]
            check_reads(ours)
            check_writes(ours, theirs, acme)
            ids = theirs.all_ids()
            assert ids == sorted(item.id for item in stock("x"))
            assert theirs.items(ids) == sorted(stock("other-1"), key=lambda item: item.id)
            other.drop(theirs.info.id)
            assert (ours.count(), theirs.count()) == (30, 0)


def check_reads(ours):
    """Whatever is asked, the items are the tenant's own."""
    queries = ENCODER.encode(["thing 7", "thing 8"])
    theirs = Condition("owner", "==", "other-1")
    for filter_ in (
        None,
        Not(Condition("owner", "==", "acme")),
        theirs,
        AnyOf((theirs, Condition("n", ">", 3))),
    ):
        found = [item for row in ours.search_items(queries, 100, filter_).records for item in row]
        linked = ours.search_linked(queries, [["c0", "c1"], ["c2"]], 100, filter_)
        assert owners([*found, *(item for row in linked.records for item in row)]) <= {"acme"}
    everything = ours.search_items(queries, 100)
    assert [len(row) for row in everything.ids] == [30, 30]
    assert everything.ids[0][0] == "i7"
    np.testing.assert_allclose(everything.scores[0][0], 1, atol=1e-5)
    assert ours.nearest_items(queries, 2)[0][1][0] == "i8"
    assert owners(ours.items(ours.all_ids())) == {"acme"}
    for strange in ('i1" or tenant == "other-1', "other-1/i1", "acme/i1"):
        assert ours.known_items([strange]) == {}
    hits = Retriever(ours, encoder=ENCODER, graph=GRAPH).retrieve(["thing 7 concept 1"], top_k=30)[0]
    assert {hit.metadata["owner"] for hit in hits} == {"acme"}


def check_writes(ours, theirs, acme):
    """Writes of the same ids leave the other tenant's rows as they are."""
    ours.upsert([replace(stock("acme")[0], text="changed")], ENCODER)
    ours.delete(["i1"])
    assert (ours.count(), theirs.count()) == (29, 30)
    assert theirs.items(["i0"])[0].text == "thing 0"
    acme.activate(acme.build(stock("acme"), ENCODER, GRAPH))
    assert ours.items(["i0", "i1"]) == stock("acme")[:2]


STRANGE = ("other/i1", "acme-1/i1", 'i1" or tenant == "other', "i1', 'x", "tenant\\\\", "☃ %_*", "] or [")


def test_no_name_or_id_however_like_anothers_reaches_its_items(uri):
    """Tenants of like names, who write, change and delete under the same strange ids."""
    things = [Item(id=id_, text=f"thing {n}", metadata={"n": n}) for n, id_ in enumerate((*STRANGE, "i1"))]
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(fresh_index(uri, tenant="acme"))
        indexes = [first] + [
            stack.enter_context(VectorIndex.connect(uri, name=first.name, tenant=tenant))
            for tenant in ("acme-1", "ACME", "other")
        ]
        for index in indexes:
            index.activate(index.build(things, ENCODER))
        ours, *others = (index.open(fingerprint=ENCODER.fingerprint) for index in indexes)
        ours.upsert([replace(item, text="changed") for item in things[:4]], ENCODER)
        ours.delete([item.id for item in things[4:]])
        ours.delete([f"{tenant}/i1" for tenant in ("acme-1", "ACME", "other")])  # two ids of ours
        assert {item.text for item in ours.items(ours.all_ids())} == {"changed"}
        for version in others:
            assert version.items([item.id for item in things]) == things
            found = version.search_items(ENCODER.encode(["changed"]), 99)
            assert sorted(found.ids[0]) == version.all_ids()
            assert "changed" not in {item.text for item in found.records[0]}
        indexes[-1].drop(others[-1].info.id)
        assert [version.count() for version in (ours, *others)] == [2, len(things), len(things), 0]


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.skipif(not SERVER, reason="ZEROSHOT_TEST_URI is not set")
def test_a_thousand_tenants_each_find_their_own():
    """Few items each, written by eight of them at once."""

    def bring_in(number):
        with VectorIndex.connect(SERVER, name=name, tenant=f"t{number}") as index:
            index.activate(index.build(stock(number, 3), ENCODER, GRAPH))

    def ask(number):
        with VectorIndex.connect(SERVER, name=name, tenant=f"t{number}") as index:
            version = index.open(fingerprint=ENCODER.fingerprint)
            found = version.search_items(ENCODER.encode(["thing 1"]), 9)
            linked = version.search_linked(ENCODER.encode(["thing 1"]), [["c0", "c1", "c2"]], 9)
            return owners([*found.records[0], *linked.records[0]]), found.ids[0][0], len(found.ids[0])

    with fresh_index(SERVER, tenant="t0") as first, ThreadPoolExecutor(8) as pool:
        name = first.name
        bring_in(0)
        list(pool.map(bring_in, range(1, 1000)))
        assert list(pool.map(ask, range(1000))) == [({n}, "i1", 3) for n in range(1000)]
        assert len(first.versions()) == 1


def test_concepts_of_ones_own_are_a_version_of_ones_own(tmp_path):
    own = KnowledgeGraph([Concept(id="c9", name="secret")])
    with (
        VectorIndex.connect(tmp_path / "index.db", tenant="acme") as acme,
        VectorIndex.connect(tmp_path / "index.db", tenant="other") as other,
        VectorIndex.connect(tmp_path / "index.db") as alone,
    ):
        version = acme.build([Item(id="a", text="b", concepts=("c9",))], ENCODER, own)
        acme.activate(version)
        opened(other)
        assert acme.live.id == version != other.live.id
        assert alone.live is None
        assert other.open(fingerprint=ENCODER.fingerprint).known_concepts(["c9"]) == {}


def test_what_is_not_done_for_a_tenant_is_refused(tmp_path):
    with VectorIndex.connect(tmp_path / "index.db", tenant="acme") as index:
        version = opened(index)
        for ask in (
            lambda: version.address,
            lambda: index.export(tmp_path / "out"),
            lambda: index.import_version(tmp_path / "out"),
            lambda: index.update([], ENCODER),
            lambda: index.build_from(tmp_path, ENCODER),
            lambda: VectorIndex.of(version),
            lambda: ZeroShotRegressor(ENCODER, index=index).fit(["a", "b"] * 9, list(range(18))),
        ):
            with pytest.raises(InvalidInputError, match=r"expected an index that nobody shares .* 'acme'"):
                ask()
        with pytest.raises(VectorIndexError, match="bound to a tenant, got hybrid_search"):
            version._items._call("hybrid_search", filter="")
    for name in ("", "a b", 'x" or true', "y" * 65, None.__class__):
        with pytest.raises(InvalidInputError, match="expected a tenant of at most 64"):
            VectorIndex.connect(tmp_path / "index.db", tenant=name)
