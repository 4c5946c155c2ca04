"""What the fields of another library's collection mean, and how filters speak of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.filters import Columns, literal, literals

if TYPE_CHECKING:
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Scalar

__all__ = ["CollectionFields", "ForeignColumns"]

_LEAST = -(2**63) + 1


@dataclass(frozen=True, kw_only=True)
class CollectionFields:
    """Names of the fields of a collection.

    Parameters
    ----------
    primary, text, vector
        Field of the ids (strings or whole numbers), of the texts, and of the vectors.
    metadata
        JSON field that holds all metadata; None where each key is a field or a dynamic field of its own.
    concepts
        Metadata that link an item to concepts of the graph: an id or several, or values such as
        `KnowledgeGraph.from_table` makes ids of (``kind`` links ``wine`` to ``kind:wine``).
    """

    primary: str = "pk"
    text: str = "text"
    vector: str = "vector"
    metadata: str | None = None
    concepts: tuple[str, ...] = ()


class ForeignColumns(Columns):
    """Fields of a collection as it describes itself.

    Raises
    ------
    InvalidInputError
        If a named field is not there.
    """

    def __init__(
        self, description: Mapping[str, Any], fields: CollectionFields, graph: KnowledgeGraph
    ) -> None:
        from pymilvus import DataType

        self.fields = fields
        self._collection = description["collection_name"]
        self._graph = graph
        self._types = {field["name"]: DataType(field["type"]) for field in description["fields"]}
        self._dimensions = {
            field["name"]: int(field["params"]["dim"])
            for field in description["fields"]
            if field["type"] == DataType.FLOAT_VECTOR
        }
        self._own = {fields.primary, fields.text, fields.vector}
        self._is_dynamic = bool(description.get("enable_dynamic_field"))
        self._check()
        vectors = {name for name, kind in self._types.items() if "VECTOR" in kind.name}
        names = [name for name in self._types if name not in vectors]
        self.output = [*names, "$meta"] if self._is_dynamic else names

    def check_dimension(self, dimension: int) -> None:
        """Refuse an encoder of another dimension."""
        found = self._dimensions[self.fields.vector]
        if found != dimension:
            raise InvalidInputError(
                f"expected an encoder of dimension {found}, as {self.fields.vector!r} of "
                f"{self._collection!r} holds, got {dimension}; take the encoder that made the vectors"
            )

    def metadata(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Metadata of a row, in plain values."""
        given = row.get(self.fields.metadata) or {} if self.fields.metadata else row
        return {key: _plain(value) for key, value in given.items() if key not in self._own | {"$meta"}}

    def concepts(self, metadata: Mapping[str, Any]) -> tuple[str, ...]:
        """Concepts of the graph that metadata name, each once."""
        named: dict[str, None] = {}
        for field in self.fields.concepts:
            value = metadata.get(field)
            for one in value if isinstance(value, list) else [value]:
                for id_ in (str(one), f"{field}:{one}"):
                    if id_ in self._graph:
                        named[id_] = None
        return tuple(named)

    def name(self, field: str) -> str:
        """Write the field of a condition."""
        if field in {"id", "text"}:
            return self.fields.primary if field == "id" else self.fields.text
        if self.fields.metadata:
            return f"{self.fields.metadata}[{literal(field)}]"
        if self.is_column(field):
            return field
        if not self._is_dynamic:
            known = ", ".join(name for name in self._types if name not in self._own)
            raise InvalidInputError(f"expected a field of {self._collection!r} ({known}), got {field!r}")
        return field if field.isidentifier() else f"$meta[{literal(field)}]"

    def is_column(self, field: str) -> bool:
        """Whether the field is there in every row."""
        return field in {"id", "text", "concepts"} or (not self.fields.metadata and field in self._types)

    def value(self, field: str, value: Scalar) -> str:
        """Write a value that a field is compared with; ids are strings here, and may be numbers there."""
        if field == "id" and self._is_numbered:
            return str(value) if str(value).lstrip("-").isdigit() else str(_LEAST)
        return literal(value)

    def linked(self, concept_ids: Sequence[Scalar]) -> str:
        """Write that an item is linked to any of the concepts."""
        parts = [part for field in self.fields.concepts for part in self._links(field, concept_ids)]
        return " or ".join(f"({part})" for part in parts) or self.constant(False)

    def constant(self, value: bool) -> str:
        """Write what holds for every row, or for none."""
        least = _LEAST if self._is_numbered else '""'
        return f"{self.fields.primary} {'!=' if value else '=='} {least}"

    @property
    def _is_numbered(self) -> bool:
        return bool(self._types[self.fields.primary].name == "INT64")

    def _links(self, field: str, concept_ids: Sequence[Scalar]) -> Iterator[str]:
        ids = [str(id_) for id_ in concept_ids]
        values = [*ids, *(id_.removeprefix(f"{field}:") for id_ in ids if id_.startswith(f"{field}:"))]
        name = self.name(field)
        kind = self._types[field].name if self.is_column(field) else "JSON"
        if kind == "ARRAY":
            yield f"array_contains_any({name}, {literals(values)})"
        elif kind == "JSON":
            # The key may be missing, and hold one value or several.
            alone = " or ".join(f"{name} == {literal(value)}" for value in values)
            yield f"(exists {name}) and ({alone} or json_contains_any({name}, {literals(values)}))"
        elif kind == "VARCHAR":
            yield f"{name} in {literals(values)}"
        elif numbers := [value for value in values if value.lstrip("-").isdigit()]:
            yield f"{name} in [{', '.join(numbers)}]"

    def _check(self) -> None:
        named = [self.fields.primary, self.fields.text, self.fields.vector]
        named += [self.fields.metadata] if self.fields.metadata else []
        missing = [name for name in named if name not in self._types]
        if missing or self.fields.vector not in self._dimensions:
            raise InvalidInputError(
                f"expected the fields {', '.join(named)} in {self._collection!r}, the vectors of floats, got "
                f"{', '.join(f'{name} ({kind.name})' for name, kind in self._types.items())}; name them"
            )
        for field in self.fields.concepts:
            self.name(field)


def _plain(value: Any) -> Any:
    """Make lists of whatever a client returns as arrays."""
    is_plain = isinstance(value, str | int | float | dict | list) or value is None
    return value if is_plain else list(value)
