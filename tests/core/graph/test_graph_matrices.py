import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import (
    KnowledgeGraph,
    PathFinder,
    activations,
    adjacency,
    ancestors,
    closure_matrix,
    expand,
)
from zeroshot_core.types import Concept, Relation

A_B = Relation(head="a", type="is_a", tail="b")
B_C = Relation(head="b", type="is_a", tail="c", weight=3.0)
B_D = Relation(head="b", type="part_of", tail="d", weight=0.5)


@pytest.fixture
def graph():
    return KnowledgeGraph([Concept(id=i, name=i) for i in "abcde"], [A_B, B_C, B_D])


def test_adjacency_rows_are_shares_both_ways(graph):
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[2, 1] = expected[3, 1] = 1
    expected[1, [0, 2, 3]] = 1 / 4.5, 3 / 4.5, 0.5 / 4.5
    np.testing.assert_allclose(adjacency(graph).toarray(), expected)


def test_adjacency_follows_direction_and_types_when_asked(graph):
    expected = np.zeros((5, 5))
    expected[0, 1] = expected[1, 2] = 1
    np.testing.assert_allclose(adjacency(graph, ["is_a"], directed=True).toarray(), expected)


def test_unknown_relation_types_are_refused_with_the_known_ones(graph):
    with pytest.raises(InvalidInputError, match=r"among \['is_a', 'part_of'\], got \['near'\]"):
        adjacency(graph, ["near"])
    with pytest.raises(InvalidInputError, match="got 'is_a'"):
        adjacency(graph, "is_a")


def test_expand_sums_decayed_hops(graph):
    spread = expand(adjacency(graph), activations(graph, [["a"], ["c", "d"]]), 2, 0.5).toarray()
    # From a: all of it to b, of which 1/4.5, 3/4.5 and .5/4.5 go on to a, c and d, halved at each hop.
    np.testing.assert_allclose(spread[0], [1 + 0.25 / 4.5, 0.5, 0.25 * 3 / 4.5, 0.25 * 0.5 / 4.5, 0])
    np.testing.assert_allclose(spread[1], [0.5 / 4.5, 1, 1 + 1.5 / 4.5, 1 + 0.25 / 4.5, 0])


def test_expand_without_hops_gives_the_seeds_back_and_takes_dense_rows(graph):
    seeds = np.array([[0.0, 0.2, 0.0, 0.8, 0.0]])
    np.testing.assert_allclose(expand(adjacency(graph), seeds, 0, 0.5).toarray(), seeds)


@pytest.mark.parametrize(
    ("n_hops", "decay", "message"),
    [(-1, 0.5, "n_hops"), (1.5, 0.5, "n_hops"), (True, 0.5, "n_hops"), (1, 0, "decay"), (1, 1.1, "decay")],
)
def test_a_spread_out_of_range_is_refused(graph, n_hops, decay, message):
    with pytest.raises(InvalidInputError, match=f"expected {message}"):
        expand(adjacency(graph), np.zeros((1, 5)), n_hops, decay)


def test_seeds_of_another_graph_are_refused(graph):
    with pytest.raises(InvalidInputError, match=r"expected seeds of shape \(q, 5\), got \(1, 4\)"):
        expand(adjacency(graph), np.zeros((1, 4)), 1, 0.5)


def test_activations_count_a_repeated_concept_once_and_refuse_unknown_ones(graph):
    np.testing.assert_array_equal(
        activations(graph, [["d", "a", "d"], []]).toarray(), [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0]]
    )
    with pytest.raises(UnknownConceptError, match="'x'"):
        activations(graph, [["a", "x"]])


def test_closure_reaches_along_the_direction_within_the_hops(graph):
    one = np.eye(5, dtype=bool)
    one[0, 1] = one[1, 2] = one[1, 3] = True
    two = one.copy()
    two[0, 2] = two[0, 3] = True
    np.testing.assert_array_equal(closure_matrix(graph, 0).toarray(), np.eye(5, dtype=bool))
    np.testing.assert_array_equal(closure_matrix(graph, 1).toarray(), one)
    np.testing.assert_array_equal(closure_matrix(graph, 9).toarray(), two)


def test_ancestors_carry_their_hop_distance(graph):
    assert ancestors(graph, ["a"], 9) == {"a": 0, "b": 1, "c": 2, "d": 2}
    assert ancestors(graph, ["a", "c"], 1) == {"a": 0, "c": 0, "b": 1}
    assert ancestors(graph, ["a"], 9, ["is_a"]) == {"a": 0, "b": 1, "c": 2}


def test_a_cycle_ends(graph):
    cycle = KnowledgeGraph(
        graph.concepts.values(), [*graph.relations, Relation(head="c", type="t", tail="a")]
    )
    assert ancestors(cycle, ["b"], 99) == {"b": 0, "c": 1, "d": 1, "a": 2}
    assert closure_matrix(cycle, 99).toarray()[0].tolist() == [True, True, True, True, False]


def test_an_empty_graph_propagates_to_nothing():
    empty = KnowledgeGraph()
    assert expand(adjacency(empty), np.zeros((2, 0)), 2, 0.5).shape == (2, 0)
    assert PathFinder(empty).best_paths({}, [], n_hops=2) == {}


def test_best_path_is_the_chain_of_relations_from_the_seed(graph):
    paths = PathFinder(graph).best_paths({"a": 1.0}, ["a", "c", "d", "e"], n_hops=2, decay=0.5)
    assert (paths["a"].seed, paths["a"].relations, paths["a"].score) == ("a", (), 1.0)
    assert (paths["c"].seed, paths["c"].relations) == ("a", (A_B, B_C))
    assert paths["c"].score == pytest.approx(0.25 * 3 / 4.5)
    assert paths["d"].relations == (A_B, B_D)
    assert "e" not in paths


def test_best_path_prefers_the_heavier_seed_and_way():
    graph = KnowledgeGraph(
        [Concept(id=i, name=i) for i in "sxyt"],
        [
            Relation(head="s", type="r", tail="x", weight=9.0),
            Relation(head="s", type="r", tail="t", weight=1.0),
            Relation(head="x", type="r", tail="t", weight=9.0),
            Relation(head="y", type="r", tail="t", weight=1.0),
            Relation(head="y", type="light", tail="t", weight=0.1),
        ],
    )
    finder = PathFinder(graph)
    # The detour keeps .9 * .5 of the activation, the direct way .1.
    detour = finder.best_paths({"s": 1.0}, ["t"], n_hops=2)["t"]
    assert [r.head for r in detour.relations] == ["s", "x"]
    assert detour.score == pytest.approx(0.45)
    assert [r.head for r in finder.best_paths({"s": 1.0}, ["t"], n_hops=1)["t"].relations] == ["s"]
    best = finder.best_paths({"s": 0.1, "y": 1.0}, ["t"], n_hops=2)["t"]
    assert (best.seed, best.relations) == ("y", (Relation(head="y", type="r", tail="t", weight=1.0),))


def test_best_path_score_is_the_largest_term_of_the_expansion():
    rng = np.random.default_rng(0)
    ids = [f"c{i}" for i in range(30)]
    pairs = {tuple(sorted(pair)) for pair in rng.integers(0, 30, (60, 2)).tolist() if pair[0] != pair[1]}
    graph = KnowledgeGraph(
        [Concept(id=i, name=i) for i in ids],
        [
            Relation(head=ids[a], type="r", tail=ids[b], weight=float(rng.uniform(0.1, 2)))
            for a, b in sorted(pairs)
        ],
    )
    step = adjacency(graph).toarray()
    one = 0.5 * step[0]
    two = (0.25 * step[0][:, None] * step).max(axis=0)
    expected = np.maximum(np.maximum(one, two), np.eye(30)[0])
    paths = PathFinder(graph).best_paths({"c0": 1.0}, ids, n_hops=2, decay=0.5)
    got = np.array([paths[i].score if i in paths else 0.0 for i in ids])
    np.testing.assert_allclose(got, expected)


def test_best_paths_refuse_unknown_concepts(graph):
    with pytest.raises(UnknownConceptError, match="'nowhere'"):
        PathFinder(graph).best_paths({"a": 1.0}, ["nowhere"], n_hops=1)


def test_relation_weights_share_out_anew_and_0_is_not_followed(graph):
    weighted = adjacency(graph, relation_weights={"is_a": 0.5, "part_of": 4.0}).toarray()
    # From b: .5 to a, 1.5 to c, 2 to d.
    np.testing.assert_allclose(weighted[1], [0.125, 0, 0.375, 0.5, 0])
    without = adjacency(graph, relation_weights={"part_of": 0})
    np.testing.assert_allclose(without.toarray(), adjacency(graph, ["is_a"]).toarray())
    finder = PathFinder(graph, relation_weights={"part_of": 0})
    assert set(finder.best_paths({"a": 1.0}, ["c", "d"], n_hops=2)) == {"c"}


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"near": 1.0}, r"among \['is_a', 'part_of'\], got \['near'\]"),
        ({"is_a": -1}, "the weight of relation type 'is_a' as a number of at least 0, got -1"),
        ({"is_a": float("inf")}, "a number of at least 0, got "),
        ({"is_a": "much"}, "a number of at least 0, got "),
    ],
)
def test_wrong_relation_weights_are_refused(graph, weights, message):
    with pytest.raises(InvalidInputError, match=message):
        adjacency(graph, relation_weights=weights)
