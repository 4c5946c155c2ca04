import networkx as nx
import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, activations, adjacency, expand, personalized_pagerank
from zeroshot_core.types import Concept, Relation


@pytest.fixture(scope="module")
def graph():
    rng = np.random.default_rng(0)
    pairs = {tuple(sorted(pair)) for pair in rng.integers(0, 20, (40, 2)).tolist() if pair[0] != pair[1]}
    relations = [
        Relation(head=str(a), type="r", tail=str(b), weight=float(rng.uniform(0.1, 2)))
        for a, b in sorted(pairs)
    ]
    return KnowledgeGraph([Concept(id=str(i), name=str(i)) for i in range(21)], relations)


def test_it_is_the_pagerank_of_networkx(graph):
    walk = adjacency(graph, directed=True)
    seeds = np.zeros((2, 21))
    seeds[0, [3, 7]] = 1, 3
    seeds[1, 4] = 1
    ours = personalized_pagerank(walk, seeds, 0.15).toarray()
    g = nx.from_scipy_sparse_array(walk, create_using=nx.DiGraph)
    for row, start in zip(ours, seeds, strict=True):
        theirs = nx.pagerank(g, alpha=0.85, personalization=dict(enumerate(start)), tol=1e-10)
        np.testing.assert_allclose(row, [theirs[i] for i in range(21)], atol=1e-5)


def test_it_is_the_closed_form_and_the_limit_of_hops_without_end(graph):
    walk, seeds = adjacency(graph), activations(graph, [["0"], ["1", "2"]])
    ours = personalized_pagerank(walk, seeds, 0.5).toarray()
    shares = seeds.toarray() / seeds.sum(axis=1)
    closed = 0.5 * shares @ np.linalg.inv(np.eye(21) - 0.5 * walk.toarray())
    np.testing.assert_allclose(ours, closed, atol=2e-6)
    hops = expand(walk, seeds, 40, 0.5).toarray()
    np.testing.assert_allclose(ours, hops / hops.sum(axis=1, keepdims=True), atol=2e-6)


def test_seeds_that_nothing_leaves_keep_all_and_no_seeds_stay_nothing(graph):
    rows = personalized_pagerank(adjacency(graph), activations(graph, [["20"], []]), 0.3).toarray()
    assert rows[0, 20] == 1
    assert rows[1].sum() == 0


def test_no_queries_and_no_concepts_give_nothing(graph):
    assert personalized_pagerank(adjacency(graph), np.zeros((0, 21)), 0.5).shape == (0, 21)
    empty = KnowledgeGraph()
    assert personalized_pagerank(adjacency(empty), np.zeros((2, 0)), 0.5).shape == (2, 0)


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, True, "x"])
def test_an_alpha_out_of_range_is_refused(graph, alpha):
    with pytest.raises(InvalidInputError, match="expected alpha as a number above 0 and at most 1"):
        personalized_pagerank(adjacency(graph), np.zeros((1, 21)), alpha)


def test_seeds_of_another_graph_are_refused(graph):
    with pytest.raises(InvalidInputError, match="expected seeds of shape"):
        personalized_pagerank(adjacency(graph), np.zeros((1, 4)), 0.5)
