import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, adjacency, ancestors, check_hierarchy, closure_matrix
from zeroshot_core.graph.path_finder import PathFinder
from zeroshot_core.types import Concept, Relation


def graph_of(*triples):
    ids = dict.fromkeys(id_ for head, _, tail in triples for id_ in (head, tail))
    relations = [Relation(head=head, type=type_, tail=tail) for head, type_, tail in triples]
    return KnowledgeGraph([Concept(id=id_, name=id_) for id_ in ids], relations)


def test_a_hierarchy_with_several_parents_passes():
    graph = graph_of(("d", "is_a", "b"), ("d", "is_a", "c"), ("b", "is_a", "a"), ("c", "is_a", "a"))
    check_hierarchy(graph)


def test_a_cycle_is_named():
    graph = graph_of(("x", "is_a", "a"), ("a", "is_a", "b"), ("b", "is_a", "c"), ("c", "is_a", "a"))
    cycles = ["'a' -> 'b' -> 'c' -> 'a'", "'b' -> 'c' -> 'a' -> 'b'", "'c' -> 'a' -> 'b' -> 'c'"]
    with pytest.raises(
        InvalidInputError,
        match=rf"without cycles along is_a, got 3 concepts .*such as ({'|'.join(cycles)}); drop one",
    ):
        check_hierarchy(graph)


def test_a_concept_above_itself_is_a_cycle():
    with pytest.raises(InvalidInputError, match=r"got 1 concepts .*'a' -> 'a'"):
        check_hierarchy(graph_of(("a", "is_a", "a"), ("b", "is_a", "a")))


def test_only_the_given_types_count():
    graph = graph_of(("a", "is_a", "b"), ("b", "related", "a"))
    check_hierarchy(graph)
    with pytest.raises(InvalidInputError, match="along is_a, related, got 2 concepts"):
        check_hierarchy(graph, ["is_a", "related"])


@pytest.mark.parametrize(
    "query",
    [
        check_hierarchy,
        adjacency,
        PathFinder,
        lambda graph, types: closure_matrix(graph, 1, types),
        lambda graph, types: ancestors(graph, ["a"], 1, types),
    ],
)
def test_an_unknown_relation_type_is_refused_everywhere_with_the_known_ones(query):
    with pytest.raises(InvalidInputError, match=r"\['is_a', 'part_of'\].*'partof'"):
        query(graph_of(("a", "is_a", "b"), ("a", "part_of", "c")), ["partof"])
