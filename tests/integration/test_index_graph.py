"""The graph in Milvus answers as the graph in memory does, and concepts are found by each of their names."""

import numpy as np
import pytest
from milvus_targets import fresh_index
from scipy import sparse
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import (
    KnowledgeGraph,
    PathFinder,
    activations,
    adjacency,
    concept_vectors,
    expand,
    relation_vectors,
    smooth_vectors,
)
from zeroshot_core.index import ConceptName, open_version
from zeroshot_core.index.connection import Connection
from zeroshot_core.types import Concept, Relation

N_CONCEPTS = 200


def random_graph(seed=0):
    """A graph with hubs, equal weights and parallel relations, in no particular order."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(N_CONCEPTS)
    concepts = [Concept(id=f"c{n}", name=f"concept {n}") for n in order]
    ends = np.minimum(rng.integers(0, N_CONCEPTS, (300, 2)), rng.integers(0, N_CONCEPTS, (300, 2)))
    keys = {(f"c{head}", f"is {head % 3}", f"c{tail}") for head, tail in ends.tolist()}
    keys |= {(head, "same as", tail) for head, _, tail in sorted(keys)[:40]}
    relations = [
        Relation(head=head, type=type_, tail=tail, weight=weight)
        for (head, type_, tail), weight in zip(
            sorted(keys), rng.choice([0.3, 0.7, 1.0], len(keys)), strict=True
        )
    ]
    return KnowledgeGraph(concepts, [relations[place] for place in rng.permutation(len(relations))])


@pytest.fixture(scope="module")
def graph():
    return random_graph()


@pytest.fixture(scope="module")
def opened(uri, graph):
    encoder = HashEncoder(16)
    with fresh_index(uri) as index:
        yield index.open(index.build([], encoder, graph), fingerprint=encoder.fingerprint)


def spread(graph, seeds, n_hops):
    reached = expand(adjacency(graph), activations(graph, [seeds]), n_hops, 0.5)
    row = sparse.csr_matrix(reached)
    return {
        graph.concept_ids[place]: value for place, value in zip(row.indices, row.data, strict=True) if value
    }


@pytest.mark.parametrize("n_hops", [0, 1, 2, 3])
def test_neighbourhood_answers_as_the_whole_graph_does(opened, graph, n_hops):
    rng = np.random.default_rng(n_hops)
    finder = PathFinder(graph)
    for _ in range(4):
        seeds = [f"c{n}" for n in rng.integers(0, N_CONCEPTS, 3)]
        part = opened.neighbourhood(seeds, n_hops)
        expected = spread(graph, seeds, n_hops)
        assert spread(part, seeds, n_hops) == expected
        assert set(part.concepts) == set(expected)
        weights = dict.fromkeys(seeds, 1.0)
        paths = PathFinder(part).best_paths(weights, list(expected), n_hops=n_hops, decay=0.5)
        assert paths == finder.best_paths(weights, list(expected), n_hops=n_hops, decay=0.5)


def test_one_hop_is_one_read_of_each_end(opened, monkeypatch):
    reads = []
    call = opened._catalog.connection.call
    monkeypatch.setattr(
        opened._catalog.connection, "call", lambda *args, **kw: reads.append(args[:2]) or call(*args, **kw)
    )
    opened.neighbourhood([f"c{n}" for n in range(50)], 2)
    assert [method for method, _ in reads] == ["query"] * 5
    assert [collection.rpartition("_")[2] for _, collection in reads] == ["relations"] * 4 + ["concepts"]


def test_neighbourhood_of_everything_is_the_graph_in_its_order(opened, graph):
    part = opened.neighbourhood(graph.concept_ids, 1)
    assert part == graph
    assert (part.concept_ids, part.relations) == (graph.concept_ids, graph.relations)
    assert len(opened.neighbourhood([], 3)) == 0


def test_neighbourhood_of_the_unknown_is_refused(opened):
    with pytest.raises(UnknownConceptError, match="got 1 unknown: 'nobody'"):
        opened.neighbourhood(["c1", "nobody"], 2)
    with pytest.raises(InvalidInputError, match="n_hops as a whole number from 0 to 1000, got -1"):
        opened.neighbourhood(["c1"], -1)


SIGNS = KnowledgeGraph(
    [
        Concept(id="S1", name="Seizure", synonyms=("fits", "epileptic convulsions", "Seizure")),
        Concept(id="S2", name="Short stature", synonyms=tuple(f"small height {n}" for n in range(40))),
        Concept(id="S3", name="Fever", description="The body is too warm"),
        Concept(id="S4", name="Cough"),
    ],
    [Relation(head="S1", type="with", tail="S3")],
)


@pytest.fixture(scope="module")
def signs(uri):
    encoder = HashEncoder(64)
    with fresh_index(uri) as index:
        version = index.build([], encoder, SIGNS)
        index.activate(version)
        yield index.open(fingerprint=encoder.fingerprint), encoder


def test_concepts_are_found_by_the_best_of_their_names(signs):
    opened, encoder = signs
    found = opened.search_names(encoder.encode(["epileptic convulsions", "Fever", "Cough"]), top_k=4)
    assert [ids[0] for ids in found.ids] == ["S1", "S3", "S4"]
    assert [records[0] for records in found.records] == [
        ConceptName(concept="S1", text="epileptic convulsions"),
        ConceptName(concept="S3", text="Fever"),
        ConceptName(concept="S4", text="Cough"),
    ]
    np.testing.assert_allclose([scores[0] for scores in found.scores], 1.0, atol=1e-5)
    assert all(sorted(ids) == ["S1", "S2", "S3", "S4"] for ids in found.ids)
    assert all(list(scores) == sorted(scores, reverse=True) for scores in found.scores)


def test_a_concept_with_many_names_leaves_room_for_others(signs, monkeypatch):
    opened, encoder = signs
    monkeypatch.setattr(open_version, "_NAMES_PER_CONCEPT", 1)
    found = opened.search_names(encoder.encode(["small height 7"]), top_k=3)
    assert found.records[0][0] == ConceptName(concept="S2", text="small height 7")
    assert len(set(found.ids[0])) == 3


def test_a_name_is_left_out_as_if_the_graph_lacked_it(signs):
    opened, encoder = signs
    names = [ConceptName(concept="S1", text="Seizure"), ConceptName(concept="S4", text="Cough")]
    found = opened.search_names(encoder.encode([name.text for name in names]), top_k=4, without=names)
    assert set(found.ids[0]) == {"S1", "S2", "S3", "S4"}
    assert "Seizure" not in [record.text for record in found.records[0]]
    assert set(found.ids[1]) == {"S1", "S2", "S3"}


def test_texts_that_name_one_concept_alone_are_known_by_one_read(uri, monkeypatch):
    encoder = HashEncoder(16)
    graph = KnowledgeGraph(
        [
            Concept(id="S1", name="Fits", synonyms=("FITS", "Seizure")),
            Concept(id="S2", name="Cough", synonyms=("seizure", "dry  cough")),
        ]
    )
    with fresh_index(uri) as index:
        index.activate(index.build([], encoder, graph))
        opened = index.open(fingerprint=encoder.fingerprint)
        call, reads = opened._catalog.connection.call, []
        monkeypatch.setattr(
            opened._catalog.connection, "call", lambda *args, **kw: reads.append(args[0]) or call(*args, **kw)
        )
        found = opened.sole_names(["fits", " Dry cough ", "Seizure", "sneeze"])
        assert reads == ["query"]
    assert found == {
        "fits": ConceptName(concept="S1", text="Fits"),
        " Dry cough ": ConceptName(concept="S2", text="dry  cough"),
    }


def test_names_are_sampled_at_random(signs):
    opened, _ = signs
    assert len(opened.sample_names(1000)) == opened.info.counts["names"] == 3 + 41 + 1 + 1
    some = opened.sample_names(20, random_state=1)
    assert 10 <= len(some) <= 30
    assert some != opened.sample_names(20, random_state=2)


def test_graph_of_single_names_pays_nothing_for_names(opened, graph):
    assert opened.info.counts["names"] == 0
    found = opened.search_names(HashEncoder(16).encode(["concept 12"]), top_k=2)
    assert found.records[0][0] == ConceptName(concept="c12", text="concept 12")
    assert opened.sample_names(5) == []
    assert opened.sole_names(["concept 12"]) == {}


def test_names_are_encoded_once_and_written_again_after_a_kill(uri):
    class Counting(HashEncoder):
        encoded = ()

        def encode(self, contents, *, role="document", show_progress=False):
            self.encoded += tuple(contents)
            return super().encode(contents, role=role)

    encoder = Counting(32)
    with fresh_index(uri) as index:
        version = index.build([], encoder, SIGNS)
        assert len(encoder.encoded) == len(set(encoder.encoded)) == 3 + 41 + 2 + 1
        catalog = index._catalog
        catalog.set_state(version, "building")
        names = catalog.tables(catalog.get(version)).names
        names.delete(list(names.hashes())[:5])
        names.wait_for_writes()
        encoder.encoded = ()
        assert index.build([], encoder, SIGNS) == version
        assert len(encoder.encoded) == 5
        index.activate(version)
        found = index.open(fingerprint=encoder.fingerprint).search_names(encoder.encode(["fits"]), 1)
        assert found.records[0] == [ConceptName(concept="S1", text="fits")]


def test_a_small_graph_answers_from_memory_as_milvus_does(uri, graph, monkeypatch):
    encoder = HashEncoder(16)
    queries = encoder.encode([f"query {n}" for n in range(64)])
    with fresh_index(uri) as index:
        opened = index.open(index.build([], encoder, graph), fingerprint=encoder.fingerprint)
        by_milvus = opened._concepts.search(queries, 5)
        first = opened.search_concepts(queries, 5)
        monkeypatch.setattr(Connection, "call", lambda *_, **__: pytest.fail("Milvus was asked"))
        again = opened.search_concepts(queries, 5)
        monkeypatch.undo()
    np.testing.assert_array_equal(np.stack(again.scores), np.stack(first.scores))
    assert [[concept.id for concept in found] for found in again.records] == again.ids == first.ids
    # Concepts with equal scores may come in any order, so each is held to its own vector.
    vectors = concept_vectors(graph, encoder)
    own = [vectors[[graph.positions[id_] for id_ in found]] for found in again.ids]
    np.testing.assert_allclose(
        np.stack(again.scores), np.einsum("qkd,qd->qk", np.stack(own), queries), atol=1e-5
    )
    np.testing.assert_allclose(np.stack(again.scores), np.stack(by_milvus.scores), atol=1e-5)


FAMILY = KnowledgeGraph(
    [
        Concept(id=id_, name=name)
        for id_, name in (("A", "arm"), ("H", "hand"), ("F", "finger"), ("L", "left ear"))
    ],
    [Relation(head="H", type="part of", tail="A"), Relation(head="F", type="part of", tail="H")],
)


def test_concepts_and_relations_are_found_by_smoothed_vectors_and_names_by_their_own(uri):
    encoder = HashEncoder(32)
    vectors = smooth_vectors(FAMILY, concept_vectors(FAMILY, encoder), 0.5)
    moves = relation_vectors(FAMILY, vectors)
    query = encoder.encode(["hand"])
    with fresh_index(uri) as index:
        version = index.build([], encoder, FAMILY, smoothing=0.5)
        index.activate(version)
        opened = index.open(fingerprint=encoder.fingerprint)
        np.testing.assert_allclose(opened.concept_vectors(FAMILY.concept_ids), vectors, atol=1e-6)
        found = opened.search_concepts(query, 4)
        near = vectors @ query[0]
        assert found.ids == [[FAMILY.concept_ids[place] for place in np.argsort(-near)]]
        np.testing.assert_allclose(found.scores[0], np.sort(near)[::-1], atol=1e-5)
        moved = opened.search_relations(moves, 1)
        assert [hits[0] for hits in moved.records] == list(FAMILY.relations)
        assert opened.search_names(query, 1).scores[0] == pytest.approx(1.0, abs=1e-5)
        assert opened.info.smoothing == index.live.smoothing == 0.5


def test_another_smoothing_is_another_version_and_none_leaves_the_vectors(uri):
    encoder = HashEncoder(32)
    with fresh_index(uri) as index:
        plain = index.build([], encoder, FAMILY)
        assert index.build([], encoder, FAMILY, smoothing=0) == plain
        others = [index.build([], encoder, FAMILY, smoothing=weight) for weight in (0.3, 0.5)]
        assert len({plain, *others}) == 3
        opened = index.open(plain, fingerprint=encoder.fingerprint)
        vectors = concept_vectors(FAMILY, encoder)
        np.testing.assert_array_equal(opened.concept_vectors(FAMILY.concept_ids), vectors)


def test_smoothing_that_cannot_be_is_refused_before_anything_is_written(uri):
    encoder = HashEncoder(32)
    with fresh_index(uri) as index:
        with pytest.raises(InvalidInputError, match="smoothing as a number of at least 0 and below 1, got 1"):
            index.build([], encoder, FAMILY, smoothing=1)
        with pytest.raises(InvalidInputError, match="expected a graph to smooth over, got none"):
            index.build([], encoder, smoothing=0.5)
        assert index.versions() == []
