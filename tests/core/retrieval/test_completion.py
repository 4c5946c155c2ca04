import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import FingerprintMismatchError, InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.retrieval import propose_tails
from zeroshot_core.types import Concept, Relation

N = 80


def place(text):
    """Animals lie on a circle in one plane, their houses at the same angle in another."""
    kind, number = text.split()
    angle = 2 * np.pi * float(number) / N
    shift = 0 if kind == "animal" else 2
    vector = np.zeros(4)
    vector[shift : shift + 2] = np.cos(angle), np.sin(angle)
    return vector


@pytest.fixture(scope="module")
def encoder():
    return FunctionEncoder(
        lambda texts: [place(text) for text in texts], name="circles", dimension=4, fingerprint="1" * 16
    )


@pytest.fixture(scope="module")
def graph():
    animals = [Concept(id=f"a{i}", name=f"animal {i}", type="animal") for i in range(N)]
    houses = [Concept(id=f"h{i}", name=f"house {i}", type="house") for i in range(N)]
    known = [Relation(head=f"a{i}", type="lives_in", tail=f"h{i}") for i in range(N) if i % 8]
    return KnowledgeGraph([*animals, *houses], known)


@pytest.fixture(scope="module")
def version(encoder, graph, tmp_path_factory):
    index = VectorIndex.connect(str(tmp_path_factory.mktemp("index") / "circles.db"))
    index.activate(index.build([], encoder, graph))
    yield index.open(fingerprint=encoder.fingerprint)
    index.close()


def test_a_missing_tail_is_proposed_first_with_its_score(version, graph):
    heads = [f"a{i}" for i in range(0, N, 8)]
    proposed = propose_tails(version, None, graph, heads, "lives_in", top_k=3)
    assert [hits[0].id for hits in proposed] == [head.replace("a", "h") for head in heads]
    best = proposed[0][0]
    assert (best.kind, best.text, dict(best.metadata)) == ("concept", "house 0", {"type": "house"})
    assert best.parts == {"relation": best.score}
    assert best.score > 0.95


def test_known_tails_and_the_head_are_not_proposed(version, graph):
    (hits,) = propose_tails(version, None, graph, ["a1"], "lives_in", top_k=2)
    assert {hit.id for hit in hits} == {"h0", "h2"}
    (every,) = propose_tails(version, None, graph, ["a1"], "lives_in", top_k=2 * N)
    assert len(every) == 2 * N - 2
    assert {"a1", "h1"}.isdisjoint(hit.id for hit in every)


def test_a_concept_that_the_graph_lacks_is_placed_by_its_text(version, encoder, graph):
    new = Concept(id="new", name="animal 20.4", type="animal")
    ((first, *_), (other, *_)) = propose_tails(version, encoder, graph, [new, "a0"], "lives_in", top_k=1)
    assert (first.id, other.id) == ("h20", "h0")
    with pytest.raises(InvalidInputError, match="expected an encoder for heads that the graph lacks"):
        propose_tails(version, None, graph, [new], "lives_in")


def test_no_heads_get_no_proposals(version, graph):
    assert propose_tails(version, None, graph, [], "lives_in") == []


def test_what_does_not_belong_together_is_refused(version, graph, hash_encoder):
    with pytest.raises(UnknownConceptError, match="'a99'"):
        propose_tails(version, None, graph, ["a99"], "lives_in")
    with pytest.raises(InvalidInputError, match=r"among \['lives_in'\], got \['eats'\]"):
        propose_tails(version, None, graph, ["a0"], "eats")
    with pytest.raises(InvalidInputError, match="expected top_k"):
        propose_tails(version, None, graph, ["a0"], "lives_in", top_k=0)
    with pytest.raises(InvalidInputError, match="expected the graph that version"):
        propose_tails(version, None, KnowledgeGraph(), ["a0"], "lives_in")
    with pytest.raises(FingerprintMismatchError, match="expected encoder 1111111111111111"):
        propose_tails(version, hash_encoder, graph, ["a0"], "lives_in")
