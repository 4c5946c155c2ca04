import numpy as np
import pytest
from zeroshot_core.encoders.base import Encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import (
    KnowledgeGraph,
    concept_text,
    concept_vectors,
    fit_relation_map,
    relation_vectors,
)
from zeroshot_core.types import Concept, Relation


class TableEncoder(Encoder):
    """Vectors by hand, so that means and translations can be computed on paper."""

    name, dimension, fingerprint = "table", 2, "0" * 16

    def __init__(self, table):
        self.table = table
        self.calls = []

    def encode(self, contents, *, role="document", show_progress=False):
        self.calls.append(list(contents))
        return np.array([self.table[text] for text in contents], dtype=np.float32)

    def to_config(self):
        return {}


def test_a_concept_vector_is_the_mean_of_name_synonyms_and_description_in_one_call():
    graph = KnowledgeGraph(
        [
            Concept(id="1", name="east"),
            Concept(id="2", name="east", synonyms=("north", "also north"), description=" "),
            Concept(id="3", name="north", description="go north east"),
        ]
    )
    encoder = TableEncoder(
        {"east": [1, 0], "north": [0, 1], "also north": [0, 1], "go north east": [0.6, 0.8]}
    )
    vectors = concept_vectors(graph, encoder)
    expected = [[1, 0], np.array([1, 2]) / np.sqrt(5), np.array([0.6, 1.8]) / np.sqrt(3.6)]
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert vectors.dtype == np.float32
    assert encoder.calls == [["east", "east", "north", "also north", "north", "go north east"]]


def test_no_concepts_give_no_vectors():
    assert concept_vectors(KnowledgeGraph(), TableEncoder({})).shape == (0, 2)
    assert relation_vectors(KnowledgeGraph(), np.zeros((0, 2), np.float32)).shape == (0, 2)


def test_the_text_of_a_concept_says_all_it_knows():
    assert concept_text(Concept(id="1", name="flu")) == "flu"
    flu = Concept(id="1", name="flu", synonyms=("grippe", "influenza"), description="A viral infection.")
    assert concept_text(flu) == "flu (also grippe, influenza): A viral infection."


def test_a_relation_vector_is_the_head_moved_by_the_mean_translation_of_its_type():
    graph = KnowledgeGraph(
        [Concept(id=i, name=i) for i in "abc"],
        [
            Relation(head="a", type="up", tail="b"),
            Relation(head="c", type="up", tail="b"),
            Relation(head="b", type="down", tail="a"),
        ],
    )
    concepts = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    # up: mean of (-1, 1) and (-.6, .2) = (-.8, .6); down: (1, -1).
    expected = np.array([[0.2, 0.6], [-0.2, 1.4], [1.0, 0.0]])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = relation_vectors(graph, concepts)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert vectors.dtype == np.float32


def test_head_plus_relation_proposes_the_tail():
    rng = np.random.default_rng(0)
    move = np.array([3.0, 0, 0, 0, 0, 0, 0, 0])
    heads = rng.normal(size=(20, 8))
    concepts = np.concatenate([heads, heads + move])
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    graph = KnowledgeGraph(
        [Concept(id=str(i), name=str(i)) for i in range(40)],
        [Relation(head=str(i), type="r", tail=str(i + 20)) for i in range(20)],
    )
    vectors = relation_vectors(graph, concepts.astype(np.float32))
    assert np.mean((vectors @ concepts[20:].T).argmax(axis=1) == np.arange(20)) > 0.8


def test_vectors_of_another_graph_are_refused():
    graph = KnowledgeGraph([Concept(id="a", name="a")])
    with pytest.raises(InvalidInputError, match=r"expected vectors of shape \(1, d\), got \(2, 2\)"):
        relation_vectors(graph, np.zeros((2, 2), dtype=np.float32))


def test_enough_relations_teach_more_than_a_translation():
    rng = np.random.default_rng(0)
    heads = rng.normal(size=(300, 8))
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    concepts = np.concatenate([heads, heads @ turn + 0.1 * rng.normal(size=heads.shape)])
    concepts /= np.linalg.norm(concepts, axis=1, keepdims=True)
    concepts = concepts.astype(np.float32)
    ids = [Concept(id=str(i), name=str(i)) for i in range(600)]
    known = KnowledgeGraph(ids, [Relation(head=str(i), type="r", tail=str(i + 300)) for i in range(250)])
    map_ = fit_relation_map(known, concepts, "r")
    assert map_.matrix is not None
    # The last fifty are not in the graph, so that they have not been learned.
    found = (map_.tails(concepts[250:300]) @ concepts.T).argmax(axis=1)
    assert np.mean(found == np.arange(550, 600)) > 0.9
    stored = relation_vectors(known, concepts)
    np.testing.assert_allclose(stored, map_.tails(concepts[:250]), atol=1e-6)


def test_a_type_that_the_graph_lacks_cannot_be_learned():
    graph = KnowledgeGraph([Concept(id="a", name="a")])
    with pytest.raises(InvalidInputError, match="got \\['r'\\]"):
        fit_relation_map(graph, np.ones((1, 2), dtype=np.float32), "r")
