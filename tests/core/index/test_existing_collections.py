"""Collections that other libraries made are read as a version of ours is."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pymilvus import DataType, MilvusClient
from zeroshot_core import InvalidInputError, KnowledgeGraph
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.index import AnyOf, Condition, Not, OpenVersion
from zeroshot_core.index.existing_collection import CollectionFields, ExistingCollection

ENCODER = HashEncoder(32)
GRAPH = KnowledgeGraph.from_table(
    [{"kind": "wine", "maker": "7"}, {"kind": "beer", "maker": "8"}], ["kind", "maker"]
)
ROWS = [
    {"number": 3, "said": "red wine", "kind": ["wine", "gift"], "maker": 7, "year": 2019},
    {"number": -4, "said": "pale ale", "kind": ["beer"], "maker": 8, "year": 2024},
    {"number": 5, "said": "a voucher", "kind": [], "maker": 0, "year": 2024},
]
FIELDS = CollectionFields(primary="number", text="said", vector="sense", concepts=("kind", "maker"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusClient]:
    client = MilvusClient(str(tmp_path_factory.mktemp("theirs") / "theirs.db"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def collection(client: MilvusClient) -> str:
    """Numbered rows with an array, a number and a dynamic field, indexed by inner products."""
    schema = client.create_schema(enable_dynamic_field=True)
    schema.add_field("number", DataType.INT64, is_primary=True)
    schema.add_field("said", DataType.VARCHAR, max_length=100)
    schema.add_field("sense", DataType.FLOAT_VECTOR, dim=32)
    schema.add_field("kind", DataType.ARRAY, element_type=DataType.VARCHAR, max_capacity=8, max_length=20)
    schema.add_field("maker", DataType.INT64)
    index = client.prepare_index_params()
    index.add_index("sense", index_type="FLAT", metric_type="IP")
    name = f"theirs_{uuid.uuid4().hex[:8]}"
    client.create_collection(name, schema=schema, index_params=index)
    vectors = ENCODER.encode([row["said"] for row in ROWS])
    client.insert(name, [{**row, "sense": vector} for row, vector in zip(ROWS, vectors, strict=True)])
    return name


@pytest.fixture(scope="module")
def existing(client: MilvusClient, collection: str) -> ExistingCollection:
    return ExistingCollection.open(client, collection, ENCODER, GRAPH, fields=FIELDS)


def test_every_read_takes_what_that_of_a_version_takes() -> None:
    shared = [
        name for name in vars(ExistingCollection) if not name.startswith("_") and hasattr(OpenVersion, name)
    ]
    assert {
        "search_items",
        "search_concepts",
        "items",
        "known_items",
        "item_vectors",
        "search_linked",
    } <= set(shared)
    for name in shared:
        ours, theirs = (
            inspect.signature(getattr(owner, name)) for owner in (ExistingCollection, OpenVersion)
        )
        assert list(ours.parameters) == list(theirs.parameters), name


def test_rows_are_items_with_their_fields_as_metadata(existing: ExistingCollection) -> None:
    wine, ale = existing.items(["3", "-4"])
    assert (wine.id, wine.text) == ("3", "red wine")
    assert wine.metadata == {"kind": ["wine", "gift"], "maker": 7, "year": 2019}
    assert wine.concepts == ("kind:wine", "maker:7")
    assert ale.concepts == ("kind:beer", "maker:8")
    np.testing.assert_allclose(existing.item_vectors(["-4"]), ENCODER.encode(["pale ale"]), atol=1e-6)
    with pytest.raises(InvalidInputError, match=r"1 unknown: \['9'\]"):
        existing.items(["9"])
    assert existing.known_items(["9", "no number"]) == {}


def test_search_gives_cosines(existing: ExistingCollection) -> None:
    found = existing.search_items(ENCODER.encode(["red wine", "ale"]), 2)
    assert found.ids[0][0] == "3"
    assert found.scores[0][0] == pytest.approx(1.0, abs=1e-5)
    assert [item.id for item in found.records[1]] == found.ids[1]
    assert existing.search_concepts(ENCODER.encode(["wine"]), 1).ids == [["kind:wine"]]


def test_links_go_over_arrays_and_numbers(existing: ExistingCollection) -> None:
    linked = [["maker:7", "kind:wine"], ["kind:beer"], ["maker:7", "maker:8"], ["kind:gin"], []]
    found = existing.search_linked(ENCODER.encode(["pale ale"] * 5), linked, 2)
    assert found.ids == [["3"], ["-4"], ["-4", "3"], [], []]
    assert found.scores[2][0] == pytest.approx(1.0, abs=1e-5)
    assert existing.search_linked(ENCODER.encode(["red wine"]), [["maker:7", "maker:8"]], 1).ids == [["3"]]


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        (Condition("year", "==", 2024), {"-4", "5"}),
        (Not(Condition("year", "==", 2024)), {"3"}),
        (Not(Condition("colour", "==", "red")), {"3", "-4", "5"}),
        (Condition("id", "in", ["3", "5", "none"]), {"3", "5"}),
        (Not(Condition("concepts", "contains", ["maker:7"])), {"-4", "5"}),
        (AnyOf([Condition("text", "==", "a voucher"), Condition("maker", ">", 7)]), {"-4", "5"}),
        (AnyOf([]), set()),
    ],
)
def test_filters_speak_of_fields_and_dynamic_fields(
    existing: ExistingCollection, filter: Any, ids: set[str]
) -> None:
    assert set(existing.search_items(ENCODER.encode(["wine"]), 9, filter).ids[0]) == ids


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            CollectionFields(primary="number", text="words", vector="sense"),
            "expected the fields number, words",
        ),
        (CollectionFields(primary="number", text="said", vector="maker"), "the vectors of floats"),
    ],
)
def test_fields_that_are_not_there_are_refused(
    client: MilvusClient, collection: str, fields: CollectionFields, told: str
) -> None:
    with pytest.raises(InvalidInputError, match=told):
        ExistingCollection.open(client, collection, ENCODER, GRAPH, fields=fields)
