import numpy as np
import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.graph_completion import (
    evaluate_completion,
    filtered_ranks,
    hold_out_relations,
    rank_scores,
)
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.types import Concept, Relation


def concepts(n):
    return [Concept(id=str(i), name=str(i)) for i in range(n)]


def test_ranks_leave_out_the_head_and_its_other_tails_and_share_ties():
    relations = [Relation(head="0", type="r", tail=tail) for tail in "12"]
    graph = KnowledgeGraph(concepts(6), [*relations, Relation(head="0", type="other", tail="3")])
    scores = np.array([[9.0, 5.0, 8.0, 7.0, 5.0, 1.0]] * 2)
    # For tail 1 concept 3 is above and 4 equal, while 0 is the head and 2 a tail too.
    assert filtered_ranks(graph, relations, scores).tolist() == [2.5, 1.0]
    summed = rank_scores(np.array([1.0, 20.0]))
    assert (summed.mrr, summed.hits_at_10, summed.n) == (0.525, 0.5, 2)


def test_held_out_relations_are_of_the_type_and_gone():
    relations = [Relation(head=str(i), type="ab"[i % 2], tail="9") for i in range(9)]
    graph = KnowledgeGraph(concepts(10), relations)
    kept, taken = hold_out_relations(graph, "a", fraction=0.4, random_state=1)
    assert len(taken) == 2
    assert {relation.type for relation in taken} == {"a"}
    assert set(kept.relations) | set(taken) == set(relations)
    assert len(kept.relations) == 7
    assert hold_out_relations(graph, "a", fraction=0.4, random_state=1)[1] == taken
    with pytest.raises(InvalidInputError, match="to hold out and to keep, got 0"):
        hold_out_relations(graph, "c")


def test_a_learned_map_finds_what_similarity_cannot():
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(300, 8))
    vectors = np.concatenate([heads, heads @ np.linalg.qr(rng.normal(size=(8, 8)))[0]])
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    relations = [Relation(head=str(i), type="r", tail=str(i + 300)) for i in range(300)]
    scores = evaluate_completion(KnowledgeGraph(concepts(600), relations), vectors, "r")
    assert scores["text_similarity"].mrr < 0.1
    assert scores["relation_map"].mrr > 0.9
    assert scores["relation_map"].n == 30
