from functools import partial

import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.schema import CONCEPTS, ITEMS, RELATIONS, concept_row, item_row, relation_row
from zeroshot_core.types import Concept, Item, Relation


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Item(id="é" * 257, text="x"), r"item 'é+\.\.\.: expected id of at most 512 bytes, got 514"),
        (Item(id="a", text="☃" * 21846), "item 'a': expected text of at most 65535 bytes, got 65538"),
        (Item(id="a", text="x", concepts=("c" * 513,)), "string in concepts of at most 512 bytes, got 513"),
        (Item(id="a", text="x", concepts=("c",) * 4097), "at most 4096 concepts, got 4097"),
        (Item(id="a", text="x", metadata={"k": "v" * 65536}), "metadata of at most 65536 bytes"),
        (
            Item(id="a", text="x", metadata={"k": float("nan")}),
            "metadata of strings, finite numbers and booleans",
        ),
        (
            Item(id="a", text="x", metadata={"k": object()}),
            "metadata of strings, finite numbers and booleans",
        ),
        (Item(id="a\0b", text="x"), r"item 'a\\x00b': expected id without control characters"),
        (Item(id="a\n", text="x"), r"item 'a\\n': expected id without control characters"),
        (Item(id="a", text="x", concepts=("c\t",)), "expected string in concepts without control characters"),
        (Item(id="a", text="x", metadata={"][": 1}), r"item 'a': expected a metadata key without .*'\]\['"),
        (Item(id="a", text="x", metadata={"k\n": 1}), "item 'a': expected a metadata key without control"),
        (
            Item(id="a", text="x", metadata={1: 1}),
            "item 'a': expected a metadata key that is a non-empty string",
        ),
        (Item(id="a", text="x", metadata={"k": 2**63}), "of at most 64 bits, got 'k': 9223372036854775808"),
        (
            Item(id="a", text="x", metadata={"k": None}),
            "got 'k': None; write it as a string, or leave it out",
        ),
        (Item(id="a", image="no/such/file.png"), "item 'a': expected the file of an image"),
    ],
)
def test_value_over_a_limit_names_the_item_the_size_and_the_limit(item, message):
    with pytest.raises(InvalidInputError, match=message):
        item_row(item)


def test_limits_count_bytes_and_the_largest_values_pass():
    row = item_row(Item(id="é" * 256, text="☃" * 21845, concepts=("c" * 512,)))
    assert len(row["text"].encode()) == 65535


def test_concepts_and_relations_have_limits_too():
    with pytest.raises(
        InvalidInputError, match="concept 'c': expected name of at most 65535 bytes, got 65536"
    ):
        concept_row(Concept(id="c", name="n" * 65536), 0)
    with pytest.raises(
        InvalidInputError, match=r"relation 'a' -t+-> 'b': expected type of at most 512 bytes"
    ):
        relation_row(Relation(head="a", type="t" * 513, tail="b"), 0)


def test_names_in_a_graph_that_no_filter_can_express_are_refused():
    with pytest.raises(InvalidInputError, match=r"concept 'c\\r': expected id without control characters"):
        concept_row(Concept(id="c\r", name="n"), 0)
    with pytest.raises(InvalidInputError, match="expected type without control characters"):
        relation_row(Relation(head="a", type="t\n", tail="b"), 0)


@pytest.mark.parametrize(
    "parts",
    [
        {"id": ["a"]},
        {"id": 5},
        {"text": 5},
        {"concepts": "kind:wine"},
        {"concepts": None},
        {"concepts": {"kind:wine"}},
        {"concepts": [["kind:wine"]]},
        {"concepts": (1,)},
        {"metadata": None},
        {"metadata": "price"},
    ],
)
def test_an_item_of_wrong_parts_is_refused_in_one_sentence(parts):
    with pytest.raises(InvalidInputError, match="expected"):
        Item(**{"id": "a", "text": "x", **parts})


@pytest.mark.parametrize(
    ("kind", "record", "to_row"),
    [
        (ITEMS, Item(id="a", text="x", concepts=("c",), metadata={"n": 1, "s": "t", "b": True}), item_row),
        (
            CONCEPTS,
            Concept(id="c", name="n", type="t", synonyms=("s",), description="d"),
            partial(concept_row, position=3),
        ),
        (RELATIONS, Relation(head="a", type="t", tail="b", weight=0.1), partial(relation_row, position=3)),
    ],
)
def test_record_comes_back_from_its_row(kind, record, to_row):
    assert kind.record(to_row(record)) == record


@pytest.mark.parametrize(
    "change",
    [{"text": "other"}, {"concepts": ("c", "d")}, {"concepts": ("d", "c")}, {"metadata": {"n": 2}}],
)
def test_content_hash_changes_with_any_part(change):
    whole = {"id": "a", "text": "x", "concepts": ("c",), "metadata": {"n": 1}}
    assert item_row(Item(**whole))["content_hash"] != item_row(Item(**{**whole, **change}))["content_hash"]


def test_image_is_known_by_its_bytes(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = item_row(Item(id="a", image=path))
    path.write_bytes(b"two")
    assert before["text"] == ""
    assert before["metadata"] == {"zeroshot.image": str(path), "zeroshot.modality": "image"}
    assert item_row(Item(id="a", image=path))["content_hash"] != before["content_hash"]
