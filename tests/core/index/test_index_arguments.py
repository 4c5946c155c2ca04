"""Arguments of an open version that are of another kind: one sentence each."""

import pytest
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import IndexParams, VectorIndex
from zeroshot_core.types import Item

ENCODER = HashEncoder(16)
GRAPH = KnowledgeGraph.from_table(
    [{"kind": "tea", "aisle": "drinks"}], ["kind", "aisle"], [("kind", "aisle")]
)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    with VectorIndex.connect(str(tmp_path_factory.mktemp("index") / "index.db")) as index:
        index.activate(index.build([Item(id="a", text="green tea", concepts=("kind:tea",))], ENCODER, GRAPH))
        yield index.open(fingerprint=ENCODER.fingerprint)


@pytest.mark.parametrize("ids", [None, 3, True, 2.5, "a", {"a": 1}, [1]])
@pytest.mark.parametrize("name", ["known_items", "known_concepts", "items", "relations_of"])
def test_what_are_no_ids_is_refused(version, name, ids):
    with pytest.raises(InvalidInputError, match="expected ids"):
        getattr(version, name)(ids)


def test_ids_in_sets_and_views_are_read(version):
    assert set(version.known_items({"a", "b"})) == {"a"}
    assert set(version.known_concepts({"kind:tea": 1}.keys())) == {"kind:tea"}


def test_an_unknown_direction_is_refused(version):
    assert len(version.relations_of(["kind:tea"], "out")) == 1
    with pytest.raises(InvalidInputError, match="expected direction to be one of 'out', 'in', 'both'"):
        version.relations_of(["kind:tea"], "outward")


def test_what_is_no_encoder_writes_nothing(version):
    with pytest.raises(InvalidInputError, match="expected an encoder, got 3"):
        version.upsert([Item(id="b", text="black tea")], 3)
    assert version.count() == 1


def test_parameters_of_an_index_are_a_mapping():
    with pytest.raises(InvalidInputError, match="expected build parameters of HNSW as a mapping, got 3"):
        IndexParams(index_type="HNSW", build=3)


@pytest.mark.parametrize(
    "field", [{"id": "x" * 70_000}, {"text": "t" * 70_000}, {"metadata": {"k" * 70_000: object()}}]
)
def test_what_is_too_long_is_refused_in_a_short_sentence(version, field):
    item = Item(**{"id": "long", "text": "a text", **field})
    with pytest.raises(InvalidInputError) as refusal:
        version.upsert([item], ENCODER)
    assert len(str(refusal.value)) < 1000
