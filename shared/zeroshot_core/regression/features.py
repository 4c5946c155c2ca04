"""The evidence of an item as numbers: what its groups, nearby concepts, neighbours and its own vector say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.regression.concept_neighbours import (
    near_concept_weights,
    near_means,
    near_means_of,
    nearest_columns,
)
from zeroshot_core.regression.links import Groupings, Shares, TypeLinks, TypeReach
from zeroshot_core.regression.neighbours import Neighbours, neighbour_features, neighbour_names
from zeroshot_core.regression.target_encoding import GroupSums, fold_sums, outside, shrink
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["ConceptSpace", "FeatureTables", "Rows", "learn_tables"]

_SHRINKAGE = 3.0
_N_COMPONENTS = 24
_FEWEST_NAMED = 10
_NearEvidence: TypeAlias = "tuple[Shares, sparse.csr_matrix, Vectors, Vectors]"


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
    def _reach(self) -> TypeReach:
        return TypeReach.of(self.graph, self.n_hops)

    def link(self, items: Sequence[Item]) -> TypeLinks:
        """Link items to concepts by type."""
        return self._reach.link(items)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Items about to become rows of features.

    Parameters
    ----------
    links
        None without a graph.
    vectors
        Shape (n, d).
    metadata
        Shape (n, m), the numeric metadata; NaN where missing.
    """

    links: TypeLinks | None
    vectors: Vectors
    metadata: Floats

    def take(self, rows: Ints) -> Rows:
        """Pick some of the rows."""
        links = self.links and self.links.take(rows)
        return Rows(links=links, vectors=self.vectors[rows], metadata=self.metadata[rows])


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
        Groups and their sums of transformed targets, in the order of `Groupings.names`.
    """

    prior: float
    metadata_keys: tuple[str, ...]
    centre: Vectors
    axes: Vectors
    groupings: Groupings = field(default_factory=lambda: Groupings(types=()))
    sums: tuple[GroupSums, ...] = ()

    def rows(self, items: Sequence[Item], vectors: Vectors, space: ConceptSpace | None) -> Rows:
        """Prepare items with their vectors, shape (n, d)."""
        return Rows(
            links=space.link(items) if space else None,
            vectors=vectors,
            metadata=metadata_matrix(items, self.metadata_keys),
        )

    def names(self, space: ConceptSpace | None) -> tuple[str, ...]:
        """Names of the features, in order."""
        groups = [f"{what} of {name}" for name in self.groupings.names for what in ("mean", "count")]
        near = [f"mean of concepts near {type_}" for type_ in self._near_types(space)]
        components = [f"component {i}" for i in range(len(self.axes))]
        return (*groups, *near, *neighbour_names(), *components, *self.metadata_keys)

    def of_queries(
        self, rows: Rows, found: Neighbours, targets: Floats, space: ConceptSpace | None
    ) -> tuple[Floats, Floats]:
        """Features (q, p) of new items, and which of their concepts are unseen (q, t).

        Parameters
        ----------
        found
            Their neighbours among the training items.
        targets
            Shape (n,), transformed targets of the training items.
        """
        evidence = [] if rows.links is None else self.groupings.sums(rows.links, self.sums)
        near = [
            near_means_of(*evidence_of, _without_none(self.sums[place]), self.prior)
            for place, evidence_of in self._near_evidence(rows, space)
        ]
        return self._assemble(evidence, near, rows, found, targets)

    def of_training(
        self,
        rows: Rows,
        seen: Rows,
        folds: Ints,
        sample: Ints,
        found: Neighbours,
        targets: Floats,
        space: ConceptSpace | None,
    ) -> tuple[Floats, Floats]:
        """Like `of_queries`, for a sample of the training items as seen from outside their folds.

        Parameters
        ----------
        rows
            All training items.
        seen
            The same, as the scheme shows them: with their concepts or without.
        folds
            Shape (n,).
        sample
            Shape (q,), rows of the training items.
        found
            Neighbours of the sample in other folds.
        """
        asked, own_fold = seen.take(sample), folds[sample]
        everyone = np.arange(len(sample))
        sums = [outside(fold_sums(members, targets, folds)) for members in self._members(rows)]
        evidence = [
            tuple(np.asarray(members @ part)[everyone, own_fold] for part in (left.totals, left.counts))
            for members, left in zip(self._members(asked), sums, strict=True)
        ]
        near = [
            near_means(near_concept_weights(*evidence_of), _without_none(sums[place]), self.prior)[
                everyone, own_fold
            ]
            for place, evidence_of in self._near_evidence(asked, space)
        ]
        return self._assemble(evidence, near, asked, found, targets)

    def _assemble(
        self,
        evidence: Sequence[tuple[Floats, ...]],
        near: Sequence[Floats],
        rows: Rows,
        found: Neighbours,
        targets: Floats,
    ) -> tuple[Floats, Floats]:
        n = len(rows.vectors)
        totals, counts = np.reshape(evidence, (len(evidence), 2, n)).transpose(1, 2, 0)
        means, sizes = shrink(totals, counts, self.prior, _SHRINKAGE), np.log1p(np.maximum(counts, 0.0))
        blocks = [
            np.stack([means, sizes], axis=2).reshape(n, 2 * len(evidence)),
            *(column[:, None] for column in near),
            neighbour_features(found, targets),
            (rows.vectors - self.centre) @ self.axes.T,
            rows.metadata,
        ]
        unseen = counts[:, : len(self.groupings.types)] < 0.5
        return np.hstack(blocks), unseen.astype(np.float64)

    def _members(self, rows: Rows) -> list[sparse.csr_matrix]:
        return [] if rows.links is None else self.groupings.matrices(rows.links)

    def _near_types(self, space: ConceptSpace | None) -> list[str]:
        return [type_ for type_ in self.groupings.types if space and type_ in space.named]

    def _near_evidence(self, rows: Rows, space: ConceptSpace | None) -> list[tuple[int, _NearEvidence]]:
        """Place of each named type among the groupings, and what tells the concepts near each row's."""
        if space is None or rows.links is None:
            return []
        return [
            (
                self.groupings.types.index(type_),
                (rows.links.by_type[type_], space.near[type_], space.named[type_], rows.vectors),
            )
            for type_ in self._near_types(space)
        ]


def learn_tables(
    items: Sequence[Item], vectors: Vectors, targets: Floats, space: ConceptSpace | None
) -> FeatureTables:
    """Learn from all training items what features of new ones are computed from."""
    centre = vectors.mean(axis=0)
    plain = FeatureTables(
        prior=float(targets.mean()),
        metadata_keys=_numeric_keys(items),
        centre=centre,
        axes=_principal_axes(vectors - centre),
    )
    if space is None:
        return plain
    links = space.link(items)
    groupings = Groupings.choose(links)
    everyone = np.zeros(len(targets), dtype=np.int64)
    sums = [fold_sums(members, targets, everyone) for members in groupings.matrices(links)]
    flat = tuple(GroupSums(totals=each.totals[:, 0], counts=each.counts[:, 0]) for each in sums)
    return FeatureTables(
        prior=plain.prior,
        metadata_keys=plain.metadata_keys,
        centre=plain.centre,
        axes=plain.axes,
        groupings=groupings,
        sums=flat,
    )


def metadata_matrix(items: Sequence[Item], keys: Sequence[str]) -> Floats:
    """Numeric metadata, shape (n, m); NaN where an item has none."""
    values = [[_number(item.metadata.get(key)) for key in keys] for item in items]
    return np.asarray(values, dtype=np.float64).reshape(len(items), len(keys))


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


def _without_none(sums: GroupSums) -> GroupSums:
    return GroupSums(totals=sums.totals[1:], counts=sums.counts[1:])
