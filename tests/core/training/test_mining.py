"""Hard negatives from a real index in two dimensions, where every similarity is known."""

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.training import mine_hard_negatives
from zeroshot_core.types import Concept, Item, Relation

# Cosine of each item to "apple 1"; the text tells the angle.
COSINES = {
    "apple 1": 1.0,
    "twin pear": 0.99,
    "apple 2": 0.9,
    "some fruit": 0.85,
    "pear": 0.8,
    "stray": 0.7,
    "stone": 0.5,
    "far stone": -0.5,
}
CONCEPTS = {
    "apple 1": "apple",
    "apple 2": "apple",
    "twin pear": "pear",
    "pear": "pear",
    "some fruit": "fruit",
    "stone": "stone",
    "far stone": "stone",
}
GRAPH = KnowledgeGraph(
    [Concept(id=id_, name=id_) for id_ in ("apple", "pear", "fruit", "stone")],
    [Relation(head="apple", type="is_a", tail="fruit"), Relation(head="pear", type="is_a", tail="fruit")],
)


def vector(text):
    cosine = COSINES.get(text, 0.0)
    return [cosine, np.sqrt(1 - cosine**2)]


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    encoder = FunctionEncoder(
        lambda texts: [vector(t) for t in texts], name="angles", dimension=2, fingerprint="1" * 16
    )
    items = [
        Item(id=text, text=text, concepts=(CONCEPTS[text],) if text in CONCEPTS else ()) for text in COSINES
    ]
    with VectorIndex.connect(str(tmp_path_factory.mktemp("mining") / "index.db")) as index:
        index.activate(index.build(items, encoder, GRAPH))
        yield index.open(fingerprint=encoder.fingerprint)


def mined(version, labels, **options):
    return mine_hard_negatives(version, version.item_vectors(list(labels)), labels, **options)


def of_first_apple(version, labels=CONCEPTS, **options):
    found = mined(version, labels, **options)
    return dict(zip(found.ids[0], found.scores[0], strict=True))


def test_hardest_siblings_come_first_and_twins_parents_and_strays_are_left_out(version):
    found = of_first_apple(version, graph=GRAPH, margin=0.05)
    # The ceiling is .95 * .9; the broader fruit and the stray may be apples.
    assert list(found) == ["pear", "stone", "far stone"]
    assert list(found.values()) == pytest.approx([0.8, 0.5, -0.5], abs=1e-3)


def test_without_a_graph_only_the_label_itself_counts_as_kin(version):
    assert list(of_first_apple(version)) == ["some fruit", "pear", "stone", "far stone"]


def test_the_margin_is_relative_to_the_nearest_positive(version):
    assert "some fruit" in of_first_apple(version, margin=0.05)
    assert "some fruit" not in of_first_apple(version, margin=0.06)


def test_an_anchor_without_a_positive_has_no_ceiling(version):
    assert next(iter(of_first_apple(version, {"apple 1": "apple", "pear": "pear"}))) == "twin pear"


def test_as_many_negatives_as_asked_for(version):
    found = mined(version, CONCEPTS, graph=GRAPH, n_negatives=1)
    assert [len(ids) for ids in found.ids] == [len(scores) for scores in found.scores]
    assert max(map(len, found.ids)) == 1
    assert len(found.ids) == len(CONCEPTS)


def test_an_anchor_is_never_its_own_negative(version):
    found = mined(version, CONCEPTS, margin=0.0)
    assert all(anchor not in ids for anchor, ids in zip(CONCEPTS, found.ids, strict=True))


def test_wrong_input_is_refused(version):
    vectors = version.item_vectors(["apple 1"])
    with pytest.raises(InvalidInputError, match=r"expected vectors as finite numbers of shape \(7, any\)"):
        mine_hard_negatives(version, vectors, CONCEPTS)
    with pytest.raises(InvalidInputError, match="margin as a number of at least 0 and below 1, got 1"):
        mined(version, CONCEPTS, margin=1)
    with pytest.raises(InvalidInputError, match="n_negatives as a whole number of at least 1, got 0"):
        mined(version, CONCEPTS, n_negatives=0)
    with pytest.raises(UnknownConceptError, match="'plum'"):
        mine_hard_negatives(version, vectors, {"apple 1": "plum"}, graph=GRAPH)
