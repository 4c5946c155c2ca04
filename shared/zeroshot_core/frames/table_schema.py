"""Which columns of a table say what, kept with a model, so that new tables are read in the same way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

from zeroshot_core import checks
from zeroshot_core.checks import known_names, sequence, shown
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.tables import edge_columns

__all__ = ["ROLES", "SchemaColumns", "TableSchema"]

ROLES = ("text", "image", "concepts", "numeric", "dates", "id", "target", "edges")
"""What a column can say: the parts of a `TableSchema`."""
_LISTS = ("text", "concepts", "numeric", "dates", "target")


class SchemaColumns(TypedDict, total=False):
    """Columns by their roles, as keywords of `fit`: those of a `TableSchema`."""

    text: str | Sequence[str]
    image: str | None
    concepts: str | Sequence[str]
    numeric: str | Sequence[str]
    dates: str | Sequence[str]
    id: str | None
    target: str | Sequence[str]
    edges: Sequence[tuple[str, ...]]


@checks.known_arguments
@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """Which columns of a table say what.

    A column may have several roles, as a maker that stands in the text and is a concept too; that of the
    target has no other. One name stands for a list of one.

    Parameters
    ----------
    text
        Columns that describe an item; see `items_from_frame` for how several are joined.
    image
        Column of pictures: paths, bytes, data URIs or PIL images, for encoders of images. There is a text, an
        image, or both.
    concepts
        Columns whose values are concepts of the graph, such as kind and maker.
    numeric
        Columns of numbers, such as price and size.
    dates
        Columns of dates, of which season, month, week and weekday are read.
    id
        Column of distinct ids; None numbers the rows.
    target
        Column of what is predicted: a number or a label; several make a curve, a step each. None when only
        new items are read.
    edges
        Relations of the graph that is made of the columns of concepts, as of `KnowledgeGraph.from_table`:
        ``(narrow, wide)`` or ``(narrow, relation_type, wide)``.

    Raises
    ------
    InvalidInputError
        If there is no column of texts or images, a name is no text or stands twice in a role, the target has
        another role, or an edge names a column that is none of the concepts.
    """

    text: Sequence[str] = ()
    image: str | None = None
    concepts: Sequence[str] = ()
    numeric: Sequence[str] = ()
    dates: Sequence[str] = ()
    id: str | None = None
    target: Sequence[str] = ()
    edges: Sequence[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for role in _LISTS:
            object.__setattr__(self, role, _names(role, getattr(self, role)))
        if self.image is not None:
            checks.text("image", self.image, remedy="name the column of pictures")
        if not self.text and self.image is None:
            raise InvalidInputError(
                "expected at least one column that describes an item, got none; name it, as in text=['name']"
            )
        if self.id is not None:
            checks.text("id", self.id, remedy="None numbers the rows")
        others = {*self.columns, *([] if self.id is None else [self.id])}
        leaks = [name for name in self.target if name in others]
        if leaks:
            raise InvalidInputError(
                f"expected a target that nothing else reads, got {shown(leaks[0])} among the columns "
                "that new items have too; take it out there"
            )
        object.__setattr__(self, "edges", _edges(self.edges, self.concepts))

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table of new items must have, each once; the id may be missing there."""
        images = () if self.image is None else (self.image,)
        return tuple(dict.fromkeys((*self.text, *images, *self.concepts, *self.numeric, *self.dates)))

    @property
    def is_curve(self) -> bool:
        """Whether the target has several steps."""
        return len(self.target) > 1

    def to_config(self) -> dict[str, Any]:
        """Give plain JSON types."""
        config = {name: list(value) if name in _LISTS else value for name, value in asdict(self).items()}
        if self.image is None:
            del config["image"]  # as it was before there were images
        return config | {"edges": [list(edge) for edge in self.edges]}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TableSchema:
        """Take back what `to_config` gave.

        Raises
        ------
        InvalidInputError
            If a part is unknown or wrong.
        """
        if not isinstance(config, Mapping):
            raise InvalidInputError(f"expected the columns of a table by their roles, got {shown(config)}")
        known_names("a table's schema", config, ROLES)
        return cls(**config)


def _names(role: str, given: Any) -> tuple[str, ...]:
    """Check the columns of a role; one name stands for a list of one."""
    names = [given] if isinstance(given, str) else sequence(role, given, of="column names")
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"expected {role} as names of columns, got {shown(name)}")
    if len(set(names)) < len(names):
        raise InvalidInputError(f"expected distinct columns as {role}, got {shown(names)}")
    return tuple(names)


def _edges(given: Any, concepts: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Check relations between columns of concepts."""
    edges = sequence("edges", given, of="pairs of columns")
    for edge in edges:
        edge_columns(edge, concepts)
    return tuple(map(tuple, edges))
