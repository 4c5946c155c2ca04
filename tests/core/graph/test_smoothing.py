import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import (
    KnowledgeGraph,
    adjacency,
    choose_smoothing,
    hold_out_synonyms,
    smooth_vectors,
)
from zeroshot_core.types import Concept, Relation


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def families():
    """Ten families of a parent and nine children."""
    rng = np.random.default_rng(0)
    relations = [Relation(head=f"{i}", type="is_a", tail=f"{i // 10 * 10}") for i in range(100) if i % 10]
    centres = np.repeat(rng.normal(size=(10, 16)), 10, axis=0)
    concepts = [Concept(id=str(i), name=str(i)) for i in range(100)]
    return KnowledgeGraph(concepts, relations), centres


def test_smoothing_is_the_closed_form(families):
    graph, centres = families
    vectors = unit(centres + np.random.default_rng(1).normal(size=centres.shape))
    walk = adjacency(graph).toarray()
    closed = 0.7 * np.linalg.inv(np.eye(100) - 0.3 * walk) @ vectors
    np.testing.assert_allclose(smooth_vectors(graph, vectors, 0.3), unit(closed), atol=1e-4)


def test_weight_0_and_concepts_without_relations_keep_their_vectors():
    graph = KnowledgeGraph([Concept(id=i, name=i) for i in "abc"], [Relation(head="a", type="r", tail="b")])
    vectors = unit(np.array([[1.0, 0], [0, 1], [1, 1]]))
    np.testing.assert_array_equal(smooth_vectors(graph, vectors, 0), vectors)
    smoothed = smooth_vectors(graph, vectors, 0.5)
    np.testing.assert_allclose(smoothed[2], vectors[2], atol=1e-6)
    assert smoothed[0] @ smoothed[1] > 0.5 > vectors[0] @ vectors[1]


def test_the_weight_is_above_0_where_neighbours_help():
    rng = np.random.default_rng(0)
    relations = [Relation(head=str(i), type="is_a", tail=str(i - 1)) for i in range(1, 100, 2)]
    graph = KnowledgeGraph([Concept(id=str(i), name=str(i)) for i in range(100)], relations)
    own = np.repeat(rng.normal(size=(50, 16)), 2, axis=0) + 0.3 * rng.normal(size=(100, 16))
    vectors = unit(own + 1.5 * rng.normal(size=own.shape))
    choice = choose_smoothing(graph, vectors, unit(own), [str(i) for i in range(100)])
    assert choice.weight > 0
    assert choice.mrr[choice.weight] == max(choice.mrr.values()) > choice.mrr[0.0] + 0.1


def test_the_weight_is_0_where_relations_are_noise(families):
    graph, centres = families
    rng = np.random.default_rng(1)
    vectors = unit(rng.normal(size=centres.shape))
    queries = unit(vectors + 0.3 * rng.normal(size=centres.shape))
    assert choose_smoothing(graph, vectors, queries, [str(i) for i in range(100)]).weight == 0


def test_held_out_synonyms_are_gone_from_the_graph():
    concepts = [
        Concept(id=str(i), name=f"n{i}", synonyms=(f"a{i}", f"b{i}") if i % 2 else ()) for i in range(20)
    ]
    rest, names, ids = hold_out_synonyms(KnowledgeGraph(concepts), fraction=0.5, random_state=3)
    assert len(names) == len(set(ids)) == 5
    for name, id_ in zip(names, ids, strict=True):
        assert name in concepts[int(id_)].synonyms
        assert set(rest.concepts[id_].synonyms) == set(concepts[int(id_)].synonyms) - {name}
    assert hold_out_synonyms(KnowledgeGraph(concepts), fraction=0.5, random_state=3)[1:] == (names, ids)


@pytest.mark.parametrize("weight", [-0.1, 1, True, "much"])
def test_a_weight_out_of_range_is_refused(weight):
    graph = KnowledgeGraph([Concept(id="a", name="a")])
    with pytest.raises(InvalidInputError, match="expected smoothing as a number of at least 0 and below 1"):
        smooth_vectors(graph, np.ones((1, 2), dtype=np.float32), weight)


def test_validation_data_that_do_not_fit_are_refused():
    graph = KnowledgeGraph([Concept(id="a", name="a")])
    vectors = np.ones((1, 1), dtype=np.float32)
    with pytest.raises(InvalidInputError, match=r"expected vectors of shape \(1, d\), got \(2, 1\)"):
        smooth_vectors(graph, np.ones((2, 1), dtype=np.float32), 0.1)
    with pytest.raises(InvalidInputError, match="got 0 vectors and 0 concepts"):
        choose_smoothing(graph, vectors, vectors[:0], [])
    with pytest.raises(UnknownConceptError, match="'b'"):
        choose_smoothing(graph, vectors, vectors, ["b"])
