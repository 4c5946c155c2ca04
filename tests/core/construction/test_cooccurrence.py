from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import hypergeom
from zeroshot_core import Concept, InvalidInputError, Item, KnowledgeGraph, Relation, UnknownConceptError
from zeroshot_core.construction import cooccurrence_graph


def baskets(lists: Sequence[Sequence[str]]) -> list[Item]:
    return [Item(id=f"i{n}", text="basket", concepts=tuple(ids)) for n, ids in enumerate(lists)]


def concepts(ids: str) -> KnowledgeGraph:
    return KnowledgeGraph([Concept(id=id_, name=id_) for id_ in ids.split()])


PASTA = [["pasta", "sauce"]] * 20 + [["soap"]] * 20 + [["pasta", "soap"]] * 2 + [["sauce", "soap"]] * 2


def test_what_occurs_together_more_than_by_chance_is_related_and_cited() -> None:
    graph = cooccurrence_graph(baskets(PASTA), concepts("pasta soap sauce"), min_count=2, max_sources=3)

    (relation,) = graph.relations
    assert (relation.head, relation.type, relation.tail) == ("pasta", "related", "sauce")
    assert relation.sources == ("i0", "i1", "i2")
    assert relation.weight == pytest.approx(math.log(20 * 44 / (22 * 22)) / -math.log(20 / 44))


def test_concepts_that_are_dealt_at_random_are_not_related() -> None:
    rng = np.random.default_rng(0)
    ids = [f"c{n}" for n in range(60)]
    # Some concepts are common, most are rare: rare pairs are the ones that chance makes look strong.
    lists = [[id_ for n, id_ in enumerate(ids) if rng.random() < 1 / (n + 2)] for _ in range(800)]

    assert not cooccurrence_graph(baskets(lists), concepts(" ".join(ids)), min_count=1).relations


@pytest.mark.parametrize(("n_both", "n_head", "n_tail"), [(5, 9, 14), (6, 9, 14), (4, 4, 4), (12, 30, 25)])
def test_the_limit_is_that_of_the_exact_test(n_both: int, n_head: int, n_tail: int) -> None:
    lists = [["a", "b"]] * n_both + [["a"]] * (n_head - n_both) + [["b"]] * (n_tail - n_both)
    items = baskets([*lists, *[[]] * (100 - len(lists))])
    exact = float(hypergeom.sf(n_both - 1, 100, n_head, n_tail))

    # The bound on the tail is at most a few percent above it.
    assert cooccurrence_graph(items, concepts("a b"), significance=exact * 1.1).relations
    assert not cooccurrence_graph(items, concepts("a b"), significance=exact * 0.999).relations


def test_concepts_that_all_items_carry_say_nothing() -> None:
    assert not cooccurrence_graph(baskets([["a", "b"]] * 50), concepts("a b")).relations


def test_pairs_that_are_too_few_are_left_out() -> None:
    lists = [["a", "b"]] * 3 + [["c"]] * 500

    assert len(cooccurrence_graph(baskets(lists), concepts("a b c"), min_count=3).relations) == 1
    assert not cooccurrence_graph(baskets(lists), concepts("a b c"), min_count=4).relations


def test_other_relations_stay_and_a_second_run_changes_nothing() -> None:
    known = concepts("pasta soap sauce")
    graph = KnowledgeGraph(known.concepts.values(), [Relation(head="soap", type="near", tail="sauce")])
    once = cooccurrence_graph(baskets(PASTA), graph, relation_type="bought_with")

    assert once.relation_types == ("near", "bought_with")
    assert cooccurrence_graph(baskets(PASTA), once, relation_type="bought_with") == once


def test_a_concept_named_twice_by_an_item_counts_once() -> None:
    twice = [[*ids, *ids] for ids in PASTA]
    graph = concepts("pasta soap sauce")

    assert cooccurrence_graph(baskets(twice), graph) == cooccurrence_graph(baskets(PASTA), graph)


@pytest.mark.parametrize("items", [[], baskets([[], []])])
def test_without_links_nothing_is_related(items: list[Item]) -> None:
    assert cooccurrence_graph(items, concepts("a b")) == concepts("a b")


@pytest.mark.parametrize(
    "options", [{"min_count": 0}, {"max_sources": -1}, {"significance": 0.0}, {"significance": 1.0}]
)
def test_parameters_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=f"expected {next(iter(options))} as a"):
        cooccurrence_graph(baskets(PASTA), concepts("pasta soap sauce"), **options)


def test_concepts_outside_the_graph_are_refused() -> None:
    with pytest.raises(UnknownConceptError, match="unknown: 'sauce'"):
        cooccurrence_graph(baskets(PASTA), concepts("pasta soap"))
