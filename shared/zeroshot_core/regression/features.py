"""The evidence of an item as numbers: what its groups, nearby concepts, neighbours and its own vector say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from scipy import sparse

from zeroshot_core.checks import known_names, real
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.frames.date_features import dated_column
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.regression.concept_links import SparseRows, TypeLinker, TypeLinks
from zeroshot_core.regression.lexical import N_WRITTEN_NUMBERS, LexicalTable, written_numbers
from zeroshot_core.regression.neighbour_features import (
    N_NEIGHBOUR_FEATURES,
    Neighbours,
    neighbour_features,
)
from zeroshot_core.regression.target_encoding import (
    Groupings,
    GroupSums,
    group_sums,
    near_concepts,
    near_means,
    nearest_columns,
    outside,
    shrink,
)
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["ConceptSpace", "FeatureRows", "FeatureTables", "Source"]

Source: TypeAlias = "tuple[Literal['text', 'concepts', 'neighbours', 'column'], str]"
"""What a feature tells of: ``("concepts", type)``, ``("column", key)``, ``("neighbours", "")``, or
``("text", "")``."""

_SHRINKAGE = 3.0
_N_COMPONENTS = 24
_FEWEST_NAMED = 10
_LONGEST = 1.01


@dataclass(frozen=True, kw_only=True)
class ConceptSpace:
    """The graph with its concepts' vectors, as far as features need them.

    Parameters
    ----------
    vectors
        Shape (n_concepts, d), in the order of the graph.
    """

    graph: KnowledgeGraph
    vectors: Vectors
    n_hops: int

    @cached_property
    def named(self) -> dict[str, Vectors]:
        """Vectors by type, for types of at least ten concepts whose names hold letters."""
        found: dict[str, list[int]] = {}
        for row, concept in enumerate(self.graph.concepts.values()):
            found.setdefault(concept.type, []).append(row)
        names = [concept.name for concept in self.graph.concepts.values()]
        return {
            type_: self.vectors[rows]
            for type_, rows in found.items()
            if len(rows) >= _FEWEST_NAMED and any(char.isalpha() for row in rows for char in names[row])
        }

    @cached_property
    def near(self) -> dict[str, sparse.csr_matrix]:
        """Weights of the concepts near each other concept, by type; the first row, of 'none', is empty."""
        return {
            type_: sparse.vstack(
                [sparse.csr_matrix((1, len(v))), nearest_columns(v, v, skip_self=True)], format="csr"
            )
            for type_, v in self.named.items()
        }

    @cached_property
    def linker(self) -> TypeLinker:
        """What links items to the concepts of each type."""
        return TypeLinker.of(self.graph, self.n_hops)


@dataclass(frozen=True, kw_only=True)
class FeatureRows:
    """Items about to become rows of features, as one encoder sees them.

    Parameters
    ----------
    links
        None without a graph.
    vectors
        Shape (n, d).
    metadata
        Shape (n, m), the numeric metadata; NaN where missing.
    space
        The concepts; None without a graph.
    lexical, written
        Features of the texts, and the numbers in them (n, 6); None in a model that was saved without.
    """

    links: TypeLinks | None
    vectors: Vectors
    metadata: Floats
    space: ConceptSpace | None
    lexical: SparseRows | None = None
    written: Floats | None = None

    def take(self, rows: Ints) -> FeatureRows:
        """Pick some of the rows."""
        return replace(
            self,
            links=self.links and self.links.take(rows),
            vectors=self.vectors[rows],
            metadata=self.metadata[rows],
            lexical=self.lexical and self.lexical.take(rows),
            written=None if self.written is None else self.written[rows],
        )


@dataclass(frozen=True, kw_only=True)
class FeatureTables:
    """What features are computed from, learned from all training items.

    Parameters
    ----------
    prior
        Mean transformed target.
    metadata_keys
        Names of the numeric metadata.
    centre, axes
        Mean vector (d,) and principal axes (p, d) of the training vectors.
    groupings, sums
        Groups and their sums of transformed targets, in the order of `Groupings.members`.
    lexical
        What words and characters say; None in a model that was saved without.
    """

    prior: float
    metadata_keys: tuple[str, ...]
    centre: Vectors
    axes: Vectors
    groupings: Groupings = field(default_factory=lambda: Groupings(types=()))
    sums: tuple[GroupSums, ...] = ()
    lexical: LexicalTable | None = None

    @classmethod
    def learn(
        cls, items: Sequence[Item], vectors: Vectors, targets: Floats, space: ConceptSpace | None
    ) -> tuple[FeatureTables, FeatureRows]:
        """Learn from all training items what features of new ones are computed from; their `rows` too.

        Parameters
        ----------
        vectors, targets
            Shapes (n, d) and (n,), the targets transformed.
        """
        centre, (lexical, weighed) = vectors.mean(axis=0), LexicalTable.learn(_texts(items), targets)
        tables = cls(
            prior=float(targets.mean()),
            metadata_keys=_numeric_keys(items),
            centre=centre,
            axes=_principal_axes(vectors - centre),
            lexical=lexical,
        )
        rows = tables._rows(items, vectors, space, weighed)
        if rows.links is None:
            return tables, rows
        groupings = Groupings.choose(rows.links)
        together = np.zeros(len(targets), dtype=np.int64)
        sums = tuple(group_sums(members, targets, together) for members in groupings.members(rows.links))
        return replace(tables, groupings=groupings, sums=sums), rows

    def parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Take them apart into what is JSON-able and what is an array, by name."""
        groupings = self.groupings
        config = {
            "prior": self.prior,
            "metadata_keys": list(self.metadata_keys),
            "types": list(groupings.types),
            "pairs": [list(pair) for pair in groupings.pairs],
        }
        arrays: dict[str, Any] = {"centre": self.centre, "axes": self.axes}
        for place, sums in enumerate(self.sums):
            arrays |= {f"totals.{place}": sums.totals[:, 0], f"counts.{place}": sums.counts[:, 0]}
        for place, pair in enumerate(groupings.pairs):
            arrays[f"keys.{place}"] = groupings.keys[pair]
        return config, arrays if self.lexical is None else arrays | self.lexical.arrays()

    @classmethod
    def restored(cls, state: ModelState, dimension: int, space: ConceptSpace | None) -> FeatureTables:
        """Put together again what `parts` took apart.

        Parameters
        ----------
        dimension
            Of the vectors.
        space
            The concepts over which targets were averaged; None without a graph.

        Raises
        ------
        InvalidInputError
            If a part is missing, or is not about these concepts.
        """
        concepts = () if space is None else space.graph.concepts.values()
        n_columns = {type_: 1 + n for type_, n in Counter(concept.type for concept in concepts).items()}
        types, pairs = state.entries("types"), state.entries("pairs", of=list)
        known_names("a saved graph", types, n_columns)
        keys = {}
        for place, pair in enumerate(pairs):
            known = state.array(f"keys.{place}", np.int64, (None,))
            is_pair = len(pair) == 2 and all(type_ in types for type_ in pair)
            if not is_pair or not len(known) or (np.diff(known) <= 0).any():
                raise InvalidInputError(f"expected two of the types {types} with rising keys, got {pair}")
            keys[pair[0], pair[1]] = known
        centre = state.array("centre", np.float32, (dimension,))
        axes = state.array("axes", np.float32, (None, dimension))
        sums = []
        for place, size in enumerate([*(n_columns[type_] for type_ in types), *map(len, keys.values())]):
            totals, counts = (
                state.array(f"{name}.{place}", np.float64, (size,))[:, None] for name in ("totals", "counts")
            )
            sums.append(GroupSums(totals=totals, counts=counts))
        # Vectors have unit length, and so have their principal axes.
        is_unit = all(np.abs(each).max(initial=0) < _LONGEST for each in (centre, axes))
        if not is_unit or any(each.counts.min(initial=0) < 0 for each in sums):
            raise InvalidInputError("expected axes of unit length and counts of at least 0, got others")
        return cls(
            prior=real("prior", state.config.get("prior")),
            metadata_keys=state.entries("metadata_keys"),
            centre=centre,
            axes=axes,
            groupings=Groupings(types=types, pairs=tuple(keys), keys=keys),
            sums=tuple(sums),
            lexical=LexicalTable.restored(state),
        )

    def out_of_fold(self, rows: FeatureRows, targets: Floats, folds: Ints) -> FeatureTables:
        """Copy the tables with a column of sums for each fold, over the items of all others.

        Parameters
        ----------
        rows
            All training items.
        targets, folds
            Shape (n,), transformed targets and the fold of each item.
        """
        members = [] if rows.links is None else self.groupings.members(rows.links)
        lexical = self.lexical
        if lexical is not None and rows.lexical is not None:
            lexical = lexical.out_of_fold(rows.lexical, targets, folds)
        sums = tuple(outside(group_sums(each, targets, folds)) for each in members)
        return replace(self, sums=sums, lexical=lexical)

    def rows(self, items: Sequence[Item], vectors: Vectors, space: ConceptSpace | None) -> FeatureRows:
        """Prepare items with their vectors, shape (n, d)."""
        weighed = None if self.lexical is None else self.lexical.rows(_texts(items))
        return self._rows(items, vectors, space, weighed)

    def _rows(
        self, items: Sequence[Item], vectors: Vectors, space: ConceptSpace | None, lexical: SparseRows | None
    ) -> FeatureRows:
        return FeatureRows(
            links=space.linker.link(items) if space else None,
            vectors=vectors,
            metadata=_metadata(items, self.metadata_keys),
            space=space,
            lexical=lexical,
            written=None if lexical is None else written_numbers(_texts(items)),
        )

    def transform(
        self, rows: FeatureRows, found: Neighbours, targets: Floats, folds: Ints | None = None
    ) -> tuple[Floats, Floats]:
        """Features (q, p) of items, and which of their concepts are unseen (q, t).

        Parameters
        ----------
        found
            Their neighbours among the training items.
        targets
            Shape (n,), transformed targets of the training items.
        folds
            Shape (q,), with tables `out_of_fold`: the fold that each item lies in and is seen from outside;
            None for new items.
        """
        n = len(rows.vectors)
        places = np.zeros(n, dtype=np.int64) if folds is None else folds
        totals, counts = self._group_evidence(rows, places)
        means, sizes = shrink(totals, counts, self.prior, _SHRINKAGE), np.log1p(np.maximum(counts, 0.0))
        blocks = [
            np.stack([means, sizes], axis=2).reshape(n, 2 * means.shape[1]),
            *(column[:, None] for column in self._near_evidence(rows, places)),
            neighbour_features(found, targets),
            (rows.vectors - self.centre) @ self.axes.T,
            rows.metadata,
        ]
        if self.lexical is not None and rows.lexical is not None and rows.written is not None:
            blocks += [self.lexical.forecasts(rows.lexical, places), rows.written, _product(rows.metadata)]
        unseen = counts[:, : len(self.groupings.types)] < 0.5
        return np.hstack(blocks), unseen.astype(np.float64)

    def sources(self, space: ConceptSpace | None) -> tuple[tuple[Source, ...], ...]:
        """Name what each column of `transform` tells of; several sources where it takes them all."""
        groupings = self.groupings
        concepts: dict[str, Source] = {type_: ("concepts", type_) for type_ in groupings.types}
        groups = [
            *((concepts[type_],) for type_ in groupings.types),
            *((concepts[a], concepts[b]) for a, b in groupings.pairs),
        ]
        named = () if space is None else space.named
        neighbours: Source = ("neighbours", "")
        text: Source = ("text", "")
        columns: list[Source] = [("column", dated_column(key)) for key in self.metadata_keys]
        return (
            *(group for group in groups for _ in ("mean", "size")),
            *((concepts[type_],) for type_ in groupings.types if type_ in named),
            *[(neighbours,)] * N_NEIGHBOUR_FEATURES,
            *[(text,)] * len(self.axes),
            *((column,) for column in columns),
            *(() if self.lexical is None else self._lexical_sources(text, columns)),
        )

    def _lexical_sources(self, text: Source, columns: Sequence[Source]) -> list[tuple[Source, ...]]:
        """Name the sources of what models saved without lexical evidence don't have."""
        n_ridges = 0 if self.lexical is None else len(self.lexical.weights)
        product = [tuple(dict.fromkeys(columns))] if len(columns) > 1 else []
        return [*[(text,)] * (n_ridges + N_WRITTEN_NUMBERS), *product]

    def _group_evidence(self, rows: FeatureRows, places: Ints) -> tuple[Floats, Floats]:
        """Sum targets and count items over the groups of each row, shapes (q, g)."""
        members = [] if rows.links is None else self.groupings.members(rows.links)
        pairs = list(zip(members, self.sums, strict=True))
        totals = [each.times(sums.totals, places) for each, sums in pairs]
        counts = [each.times(sums.counts, places) for each, sums in pairs]
        shape = (len(pairs), len(places))
        return np.reshape(totals, shape).T, np.reshape(counts, shape).T

    def _near_evidence(self, rows: FeatureRows, places: Ints) -> list[Floats]:
        """Average targets of the concepts near each row's, shape (q,) for each type that has names."""
        links, space = rows.links, rows.space
        if links is None or space is None:
            return []
        # The first group of a type is 'no concept of this type', which is near nothing.
        named = {
            type_: GroupSums(totals=sums.totals[1:], counts=sums.counts[1:])
            for type_, sums in zip(self.groupings.types, self.sums, strict=False)
            if type_ in space.named
        }
        return [
            near_means(
                near_concepts(links.by_type[type_], space.near[type_], space.named[type_], rows.vectors),
                sums,
                places,
                self.prior,
            )
            for type_, sums in named.items()
        ]


def _texts(items: Sequence[Item]) -> list[str]:
    return [item.text or "" for item in items]


def _metadata(items: Sequence[Item], keys: Sequence[str]) -> Floats:
    """Numeric metadata, shape (n, m); NaN where an item has none."""
    values = [[_number(item.metadata.get(key)) for key in keys] for item in items]
    return np.asarray(values, dtype=np.float64).reshape(len(items), len(keys))


def _product(metadata: Floats) -> Floats:
    """Logarithm of the product of several numbers, shape (n, 1): trees cannot multiply sizes.

    It is 0 where one is missing or not above 0; with fewer than two numbers an item, there is none, (n, 0).
    """
    if metadata.shape[1] < 2:
        return np.empty((len(metadata), 0))
    are_positive = (metadata > 0).all(axis=1, keepdims=True)
    return np.asarray(np.log(np.where(are_positive, metadata, 1.0)).sum(axis=1, keepdims=True))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _numeric_keys(items: Sequence[Item]) -> tuple[str, ...]:
    keys = {key for item in items for key, value in item.metadata.items() if not np.isnan(_number(value))}
    return tuple(sorted(keys))


def _principal_axes(centred: Vectors) -> Vectors:
    """First principal axes, shape (p, d), from the covariance: d is small, n is large."""
    values, axes = np.linalg.eigh(centred.T @ centred)
    kept = np.argsort(-values)[: min(_N_COMPONENTS, len(centred) - 1, centred.shape[1])]
    return np.ascontiguousarray(axes[:, kept].T.astype(np.float32))
