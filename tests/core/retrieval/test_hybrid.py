from dataclasses import replace

import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError, UnsupportedIndexError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import Condition, IndexParams, VectorIndex
from zeroshot_core.retrieval import Profile, Retriever, learn_fusion, recommend
from zeroshot_core.types import Concept, Item, Relation

COLOURS = ("red", "white", "blue", "green")
GRAPH = KnowledgeGraph(
    [Concept(id=colour, name=colour) for colour in COLOURS] + [Concept(id="any", name="any")],
    [Relation(head=colour, type="is_a", tail="any") for colour in COLOURS],
)


def parts_of_a_machine(n):
    """Items told apart by their codes alone."""
    return [
        Item(
            id=f"i{i}",
            text=f"spare part SKU {4000 + i // 3}-{'ABC'[i % 3]}",
            concepts=(COLOURS[i % 4],),
            metadata={"shelf": i % 2},
        )
        for i in range(n)
    ]


ITEMS = parts_of_a_machine(120)
CODES = [item.text.removeprefix("spare part ") for item in ITEMS]


@pytest.fixture(scope="module")
def flat_encoder():
    """All texts are nearly one to it, as codes are to a sentence encoder."""
    from zeroshot_core.encoders import FunctionEncoder

    def encode(texts):
        rows = np.array([[1.0, 0.01 * (hash_of(text) % 7), 0.01 * (hash_of(text) % 5)] for text in texts])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def hash_of(text):
        return sum(text.encode())

    return FunctionEncoder(encode, name="flat", dimension=3, fingerprint="f" * 16)


@pytest.fixture(scope="module")
def index(tmp_path_factory, flat_encoder):
    uri = tmp_path_factory.mktemp("words") / "shop.db"
    with VectorIndex.connect(uri, params=IndexParams(lexical=True)) as index:
        index.activate(index.build(ITEMS, flat_encoder, GRAPH))
        yield index


@pytest.fixture(scope="module")
def version(index, flat_encoder):
    return index.open(fingerprint=flat_encoder.fingerprint)


@pytest.fixture(scope="module")
def retriever(version, flat_encoder):
    return Retriever(version, flat_encoder, GRAPH, top_k=3, graph_weight=0.2, lexical_weight=0.5)


def test_a_code_finds_its_item_by_words_and_the_hit_says_how(retriever):
    found = retriever.retrieve(CODES)
    assert np.mean([hits[0].text.endswith(code) for code, hits in zip(CODES, found, strict=True)]) == 1
    by_vectors = retriever.retrieve(CODES, graph_weight=0, lexical_weight=0)
    assert np.mean([h[0].text.endswith(code) for code, h in zip(CODES, by_vectors, strict=True)]) < 0.5
    for hit in found[0]:
        vector, graph, lexical = (hit.parts[name] for name in ("vector", "graph", "lexical"))
        assert hit.score == pytest.approx(0.8 * (0.5 * vector + 0.5 * lexical) + 0.2 * graph)
    assert found[0][0].parts["lexical"] == 1


def test_what_words_alone_find_has_its_true_similarity_too(retriever, version, flat_encoder):
    (hits,) = retriever.retrieve(CODES[-1:], lexical_weight=1, graph_weight=0, top_k=1)
    near = version.search_items(flat_encoder.encode(CODES[-1:], role="query"), len(ITEMS))
    cosines = dict(zip(near.ids[0], near.scores[0].tolist(), strict=True))
    assert hits[0].parts["vector"] == pytest.approx(cosines[hits[0].id], abs=1e-6)
    assert hits[0].parts["graph"] == 0
    assert hits[0].path == ()


def test_weights_of_zero_are_the_search_of_an_index_without_words(retriever, flat_encoder, tmp_path):
    with VectorIndex.connect(tmp_path / "plain.db") as plain:
        plain.activate(plain.build(ITEMS, flat_encoder, GRAPH))
        without = Retriever(plain.open(fingerprint=flat_encoder.fingerprint), flat_encoder, GRAPH, top_k=3)
        with pytest.raises(
            InvalidInputError, match=r"words .* for lexical_weight=0\.5, got .* without; build"
        ):
            without.retrieve(CODES[:1], lexical_weight=0.5)
        for weight in (0.0, 0.3):
            hits = retriever.retrieve(CODES[:9], lexical_weight=0, graph_weight=weight)
            assert hits == without.retrieve(CODES[:9], graph_weight=weight)


def test_a_copy_in_memory_counts_words_as_milvus_does(version):
    asked = [*CODES[:5], "spare part", "SKU SKU 4003", "nothing of it", ""]
    for filter in (None, Condition("shelf", "==", 0)):
        by_milvus = version._items._begin_words(asked, len(ITEMS), filter)()  # as a server is asked
        by_copy = version.begin_lexical_search(asked, len(ITEMS), filter)()
        for one, other, scores, same in zip(
            by_milvus.ids, by_copy.ids, by_milvus.scores, by_copy.scores, strict=True
        ):
            assert dict(zip(one, scores, strict=True)) == pytest.approx(dict(zip(other, same, strict=True)))
            assert list(same) == sorted(same, reverse=True)
        assert by_copy.records[0][0].text.endswith(CODES[0])
        assert by_copy.vectors[by_copy.ids[0][0]] == pytest.approx(by_milvus.vectors[by_copy.ids[0][0]])


def test_words_written_later_count_like_those_before(flat_encoder, tmp_path):
    with VectorIndex.connect(tmp_path / "later.db", params=IndexParams(lexical=True)) as index:
        index.activate(index.build(ITEMS[:100], flat_encoder, GRAPH))
        version = index.open(fingerprint=flat_encoder.fingerprint)
        version.upsert(ITEMS[100:], flat_encoder)
        found = Retriever(version, flat_encoder, top_k=1, lexical_weight=1).retrieve(CODES)
    assert [hits[0].id for hits in found] == [item.id for item in ITEMS]


def test_words_keep_to_a_filter(retriever):
    (hits,) = retriever.retrieve(CODES[:1], filter=Condition("shelf", "==", 1))
    assert {hit.metadata["shelf"] for hit in hits} == {1}
    assert hits[0].parts["lexical"] == 1  # the best of those that may be found


def test_evidence_finds_by_words_what_retrieve_does(retriever):
    (evidence,), (hits,) = retriever.evidence(CODES[4:5]), retriever.retrieve(CODES[4:5])
    assert list(evidence.items) == hits
    assert evidence.concepts


def test_words_count_without_a_graph_and_for_items_without_words(version, flat_encoder):
    bare = Retriever(version, flat_encoder, top_k=2, lexical_weight=0.5)
    (hits,) = bare.retrieve(CODES[7:8])
    assert hits[0].id == "i7"
    assert hits[0].score == pytest.approx(0.5 * hits[0].parts["vector"] + 0.5)
    (hits,) = bare.retrieve(["?!"])
    assert {hit.parts["lexical"] for hit in hits} == {0}


def test_a_profile_is_not_searched_by_words(retriever):
    (hits,) = recommend(retriever, [Profile(liked=["i1"])], top_k=2)
    assert all("lexical" not in hit.parts for hit in hits)


def test_items_of_ones_own_hide_those_of_the_index_from_words(retriever, version, flat_encoder):
    own = [replace(ITEMS[5], text="something else")]
    over = retriever.over(version.with_items(own, flat_encoder.encode([own[0].text])))
    (hits,) = over.retrieve(CODES[5:6])
    assert "i5" not in [hit.id for hit in hits if hit.text != "something else"]
    assert len(hits) == 3


def test_all_three_weights_are_learned(retriever):
    learned = learn_fusion(retriever, CODES[::2], [[item.id] for item in ITEMS[::2]])
    assert learned.lexical_weight > 0
    assert learned.mrr > learned.mrr_vectors_only + 0.5
    other = retriever.weighted(graph_weight=learned.graph_weight, lexical_weight=learned.lexical_weight)
    found = other.retrieve(CODES[1::2])
    assert [hits[0].id for hits in found] == [item.id for item in ITEMS[1::2]]


def test_words_are_learned_without_a_graph(version, flat_encoder):
    bare = Retriever(version, flat_encoder, top_k=3)
    assert learn_fusion(bare, CODES[::4], [[item.id] for item in ITEMS[::4]]).lexical_weight > 0


def test_an_index_of_words_is_a_version_of_its_own_and_is_found_again(index, version, flat_encoder):
    assert index.build(ITEMS, flat_encoder, GRAPH) == version.info.id
    assert index.live.params.lexical
    plain = replace(version.info, params=IndexParams())
    assert "lexical" not in plain.params.to_dict()


def test_a_server_without_bm25_is_refused_by_name(index, monkeypatch):
    connection = index._connection
    monkeypatch.setattr(connection, "_file", None)
    for version in ("2.3.5", "v2.4.23"):
        monkeypatch.setattr(type(connection), "call", lambda *_, told=version: told)
        with pytest.raises(UnsupportedIndexError, match=f"server of 2.5 or later, .* got Milvus {version}"):
            connection.check_bm25()
    monkeypatch.setattr(type(connection), "call", lambda *_: "v2.5.4")
    connection.check_bm25()
