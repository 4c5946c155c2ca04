"""Records as rows of a collection and back, checked against the limits of the fields."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.names import case_key
from zeroshot_core.index.collection import ConceptName
from zeroshot_core.index.schema import KEY_BYTES, MAX_STRINGS, TEXT_BYTES
from zeroshot_core.types import Concept, Item, Relation

__all__ = [
    "concept_row",
    "item_row",
    "name_id",
    "name_rows",
    "relation_row",
    "to_record",
]

_JSON_BYTES = 65536


def item_row(item: Item) -> dict[str, Any]:
    """Row of an item without its vector, checked against the limits of the fields.

    Raises
    ------
    InvalidInputError
        If the id, the text, a concept or the metadata is over its limit in bytes, or the metadata is no JSON.
    """
    where = f"item {item.id!r}"
    text = item.text if item.text is not None else _path_of(item.image)
    _check_bytes(where, "id", item.id, KEY_BYTES)
    _check_bytes(where, "text", text, TEXT_BYTES)
    _check_strings(where, "concepts", item.concepts)
    metadata = {key: _plain(value) for key, value in item.metadata.items()}
    return {
        "id": item.id,
        "text": text,
        "concepts": list(item.concepts),
        "metadata": metadata,
        "content_hash": _hash(_checked_json(where, metadata), text, *item.concepts, _pixels(item)),
    }


def concept_row(concept: Concept, position: int) -> dict[str, Any]:
    """Row of a concept without its vector, checked against the limits of the fields.

    Parameters
    ----------
    position
        Its place in the graph.
    """
    where = f"concept {concept.id!r}"
    for name, value, limit in (
        ("id", concept.id, KEY_BYTES),
        ("type", concept.type, KEY_BYTES),
        ("name", concept.name, TEXT_BYTES),
        ("description", concept.description, TEXT_BYTES),
    ):
        _check_bytes(where, name, value, limit)
    _check_strings(where, "synonyms", concept.synonyms)
    row = {
        "id": concept.id,
        "name": concept.name,
        "type": concept.type,
        "description": concept.description,
        "synonyms": list(concept.synonyms),
    }
    return {**row, "position": position, "content_hash": _hash(_checked_json(where, row))}


def relation_row(relation: Relation, position: int) -> dict[str, Any]:
    """Row of a relation without its vector, checked against the limits of the fields."""
    where = f"relation {relation.head!r} -{relation.type}-> {relation.tail!r}"
    for name, value in (("head", relation.head), ("type", relation.type), ("tail", relation.tail)):
        _check_bytes(where, name, value, KEY_BYTES)
    _check_strings(where, "sources", relation.sources)
    key = _hash(relation.head, relation.type, relation.tail)
    weight = float(relation.weight)
    return {
        "id": key,
        "head": relation.head,
        "type": relation.type,
        "tail": relation.tail,
        "weight": weight,
        "sources": list(relation.sources),
        "position": position,
        "content_hash": _hash(key, repr(weight), *relation.sources),
    }


def name_rows(concepts: Sequence[Concept]) -> list[dict[str, Any]]:
    """Rows of the names of checked concepts, without vectors."""
    n_texts: dict[str, Counter[str]] = {}
    rows = []
    for concept in concepts:
        for text in dict.fromkeys((concept.name, *concept.synonyms)):
            known = n_texts.setdefault(case_key(text), Counter())
            known[concept.id] += 1
            key = name_id(text, len(known) - 1, known[concept.id] - 1)
            hash_ = _hash(concept.id, text)
            rows.append({"id": key, "concept": concept.id, "text": text, "content_hash": hash_})
    return rows


def name_id(text: str, n_concepts: int = 0, n_texts: int = 0) -> str:
    """Id of the row of a name, so that one read by ids tells whose name a text is.

    Parameters
    ----------
    n_concepts
        Number of concepts before with the same name but for case and spaces.
    n_texts
        Number of names before of the same concept that are the same but for these.
    """
    return f"{_hash(case_key(text))}.{n_concepts}.{n_texts}"


def to_record(kind: str, row: Mapping[str, Any]) -> Item | Concept | Relation | ConceptName:
    """Make the record that a row holds. An image that has no path comes back as an empty image."""
    if kind == "items":
        return Item(
            id=row["id"],
            text=row["text"] or None,
            image=None if row["text"] else "",
            concepts=tuple(row["concepts"]),
            metadata=row["metadata"],
        )
    if kind == "concepts":
        return Concept(
            id=row["id"],
            name=row["name"],
            type=row["type"],
            description=row["description"],
            synonyms=tuple(row["synonyms"]),
        )
    if kind == "names":
        return ConceptName(concept=row["concept"], text=row["text"])
    return Relation(
        head=row["head"],
        type=row["type"],
        tail=row["tail"],
        weight=row["weight"],
        sources=tuple(row["sources"]),
    )


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()[:32]


def _path_of(image: Any) -> str:
    return os.fspath(image) if isinstance(image, (str, os.PathLike)) else ""


def _pixels(item: Item) -> str:
    """Digest of an image's bytes; empty for a text."""
    if item.image is None:
        return ""
    path = _path_of(item.image)
    try:
        return hashlib.sha256(Path(path).read_bytes() if path else item.image.tobytes()).hexdigest()
    except (OSError, AttributeError) as error:
        raise InvalidInputError(
            f"item {item.id!r}: expected an image that is a readable path or a PIL image, got {item.image!r}"
        ) from error


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _check_bytes(where: str, name: str, value: str, limit: int) -> None:
    # A character takes at most four bytes, which spares encoding the short ones.
    if len(value) * 4 > limit and len(value.encode()) > limit:
        raise InvalidInputError(
            f"{where}: expected {name} of at most {limit} bytes, got {len(value.encode())}; shorten it"
        )


def _check_strings(where: str, name: str, values: Sequence[str]) -> None:
    if len(values) > MAX_STRINGS:
        raise InvalidInputError(
            f"{where}: expected at most {MAX_STRINGS} {name}, got {len(values)}; keep fewer"
        )
    for value in values:
        _check_bytes(where, f"string in {name}", value, KEY_BYTES)


def _checked_json(where: str, value: dict[str, Any]) -> str:
    try:
        encoded = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{where}: expected metadata of strings, finite numbers and booleans, got {value!r}"
        ) from error
    _check_bytes(where, "metadata", encoded, _JSON_BYTES)
    return encoded
