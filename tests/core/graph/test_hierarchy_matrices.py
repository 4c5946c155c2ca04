import numpy as np
import pytest
from scipy import sparse
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.hierarchy import hierarchy_of, information_content, way_up, wider_words
from zeroshot_core.types import Concept, Relation

# A diamond with a tail: d is both a b and a c, which are an a; e is a d.
NAMES = "abcde"
PARENTS = [("b", "a"), ("c", "a"), ("d", "b"), ("d", "c"), ("e", "d")]


def graph_of(edges, names=NAMES, type_="is_a"):
    return KnowledgeGraph(
        [Concept(id=id_, name=id_) for id_ in names],
        [Relation(head=head, type=type_, tail=tail) for head, tail in edges],
    )


@pytest.fixture
def diamond():
    return hierarchy_of(graph_of(PARENTS))


def rows(*ids):
    """Things annotated with concepts, each given as a string of letters."""
    return sparse.csr_matrix([[float(name in annotated) for name in NAMES] for annotated in ids])


def test_the_closure_holds_every_wider_concept_once_and_the_concept_itself(diamond):
    expected = {"a": "a", "b": "ab", "c": "ac", "d": "abcd", "e": "abcde"}

    assert np.array_equal(diamond.closure.toarray(), rows(*expected.values()).toarray())
    assert np.array_equal(diamond.parents.toarray(), rows("", "a", "a", "bc", "d").toarray())


def test_only_the_relations_of_the_hierarchy_count():
    graph = KnowledgeGraph(
        [Concept(id=id_, name=id_) for id_ in "abc"],
        [Relation(head="a", type="is_a", tail="b"), Relation(head="b", type="causes", tail="c")],
    )

    assert hierarchy_of(graph).closure.nnz == 4


def test_a_weight_makes_no_concept_wider():
    graph = KnowledgeGraph(
        [Concept(id=id_, name=id_) for id_ in "ab"], [Relation(head="a", type="is_a", tail="b", weight=0.3)]
    )

    assert set(hierarchy_of(graph).closure.data) == set(hierarchy_of(graph).parents.data) == {1.0}


def test_a_cycle_is_refused():
    with pytest.raises(InvalidInputError, match="expected a hierarchy without cycles along is_a, got 3"):
        hierarchy_of(graph_of([("a", "b"), ("b", "c"), ("c", "a")]))


def test_an_unknown_relation_type_is_refused():
    with pytest.raises(InvalidInputError, match="part_of"):
        hierarchy_of(graph_of(PARENTS), ["part_of"])


def test_each_step_up_is_rarer_and_parents_share_it(diamond):
    told = wider_words(diamond, 0.4).toarray()

    # d: .6 as itself, .6 * .4 one step up, shared by two parents, .6 * .4 * .4 at the top by both ways.
    np.testing.assert_allclose(told[3], [0.096, 0.12, 0.12, 0.6, 0.0])
    np.testing.assert_allclose(told[4], [0.0384, 0.048, 0.048, 0.24, 0.6])
    np.testing.assert_allclose(told[0], [0.6, 0.0, 0.0, 0.0, 0.0])
    assert (told.sum(axis=1) < 1.0).all()


def test_without_imprecision_everything_is_told_as_itself(diamond):
    np.testing.assert_array_equal(wider_words(diamond, 0.0).toarray(), np.identity(5))


def test_steps_that_change_no_score_are_left_out():
    names = [f"n{i:02}" for i in range(40)]
    chain = hierarchy_of(graph_of(zip(names[1:], names, strict=False), names))

    assert np.diff(wider_words(chain, 0.1).indptr).max() == 7


def test_what_fewer_things_have_or_imply_tells_more(diamond):
    # Of four things one has e, which implies all; one has b, two have nothing but a.
    content = information_content(diamond, rows("e", "b", "a", "a"))

    np.testing.assert_allclose(content, np.log([4 / 4, 4 / 2, 4 / 1, 4 / 1, 4 / 1]))


def test_a_concept_that_nothing_has_counts_as_if_one_had_it(diamond):
    assert information_content(diamond, rows("a", "a", "b"))[4] == pytest.approx(np.log(3))


def test_annotations_implied_twice_count_once(diamond):
    np.testing.assert_allclose(information_content(diamond, rows("bcd", "a"))[0], 0.0)


def test_the_way_up_is_a_shortest_one():
    hierarchy = hierarchy_of(graph_of([*PARENTS, ("e", "a")]))

    assert way_up(hierarchy, 4, 0) == [4, 0]
    assert way_up(hierarchy, 3, 0) in ([3, 1, 0], [3, 2, 0])
    assert way_up(hierarchy, 2, 2) == [2]


def test_there_is_no_way_to_what_is_not_wider(diamond):
    assert way_up(diamond, 1, 2) == []
    assert way_up(diamond, 0, 4) == []
