"""What moved a forecast: text, concepts of each type, neighbours and each numeric column, adding up to it.

Each source of features is a player of a cooperative game. The worth of a coalition is the forecast with the
item's own features for the sources in it, and those of a typical known item for all others; the Shapley
value of a source is what it adds, averaged over the orders in which sources may come in ([1]_, [2]_). Up to
six sources all coalitions are asked, which is exact; of more, those along antithetic random orders [3]_.
Either way the values of an item add up to its forecast less that of the typical item.

References
----------
.. [1] Shapley, "A value for n-person games", 1953.
.. [2] Sundararajan and Najmi, "The many Shapley values for model explanation", ICML 2020 (one reference).
.. [3] Mitchell et al., "Sampling permutations for Shapley value estimation", JMLR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.frames.date_features import month_in_words
from zeroshot_core.types import Contribution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from zeroshot_core.regression.ensemble import Ensemble
    from zeroshot_core.regression.features import ConceptSpace, Source
    from zeroshot_core.regression.neighbour_features import Neighbours
    from zeroshot_core.types import Floats, Item, Vectors

    Flags = npt.NDArray[np.bool_]

__all__ = ["Coalitions", "Contributions", "column_flags", "contributions_of"]

_MOST_EXACT = 6
_N_ORDERS = 8
_BLOCK_ROWS = 4096
_N_NAMES = 3
_TEXT: Source = ("text", "")
_NEIGHBOURS: Source = ("neighbours", "")


@dataclass(frozen=True, kw_only=True)
class Coalitions:
    """Which coalitions of g sources are asked, and how their worths make Shapley values.

    Parameters
    ----------
    members
        Shape (m, g), each coalition once; the first is empty, the last holds all.
    weights
        Shape (g, m): the value of source `i` is ``sum_m weights[i, m] * worth[m]``.
    """

    members: Flags
    weights: Floats

    @classmethod
    def of(cls, n_sources: int) -> Coalitions:
        """All coalitions of up to six sources, else those along eight random orders and their reverses."""
        return _all_coalitions(n_sources) if n_sources <= _MOST_EXACT else _sampled_coalitions(n_sources)


@cache
def _all_coalitions(n_sources: int) -> Coalitions:
    numbers = np.arange(2**n_sources)[:, None]
    members = (numbers >> np.arange(n_sources)) & 1 == 1
    sizes = members.sum(axis=1)
    joined = np.array(
        [factorial(s) * factorial(n_sources - s - 1) / factorial(n_sources) for s in range(n_sources)] + [0.0]
    )
    # A source joins a coalition of one less than those that hold it, and leaves those that don't.
    weights = np.where(members, joined[sizes - 1][:, None], -joined[sizes][:, None]).T
    return Coalitions(members=members, weights=np.ascontiguousarray(weights))


@cache
def _sampled_coalitions(n_sources: int) -> Coalitions:
    rng = np.random.default_rng(0)
    orders = [order for _ in range(_N_ORDERS) for order in _both_ways(rng.permutation(n_sources))]
    found: dict[bytes, int] = {}
    members: list[Flags] = []
    steps: list[tuple[int, int, int]] = []

    def place(coalition: Flags) -> int:
        key = coalition.tobytes()
        if key not in found:
            found[key] = len(members)
            members.append(coalition.copy())
        return found[key]

    for order in orders:
        coalition = np.zeros(n_sources, dtype=bool)
        before = place(coalition)
        for source in order:
            coalition[source] = True
            after = place(coalition)
            steps.append((source, before, after))
            before = after
    weights = np.zeros((n_sources, len(members)))
    for source, before, after in steps:
        weights[source, after] += 1.0 / len(orders)
        weights[source, before] -= 1.0 / len(orders)
    return Coalitions(members=np.stack(members), weights=weights)


def _both_ways(order: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return order, order[::-1]


def column_flags(members: Flags, sources: Sequence[Source], columns: Sequence[Sequence[Source]]) -> Flags:
    """Whether a coalition knows each column: it does if it holds all of the column's sources.

    Parameters
    ----------
    members
        Shape (m, g).
    columns
        p of them, each with its sources.

    Returns
    -------
    Flags
        Shape (m, p).
    """
    places = {source: place for place, source in enumerate(sources)}
    flags = [members[:, [places[source] for source in each]].all(axis=1) for each in columns]
    table: Flags = np.asarray(flags, dtype=bool).reshape(len(columns), len(members)).T
    return table


@dataclass(frozen=True, kw_only=True)
class Contributions:
    """What moved the forecasts of q items.

    Parameters
    ----------
    sources
        g of them, as (kind, name) of `Contribution`.
    amounts
        Shape (q, g), Shapley values on the scale on which the model learns; a row adds up to the item's
        geometric forecast less the typical one, both on that scale.
    typical
        Geometric forecast for a typical known item, in the unit of the target; the total of a curve.
    by_item
        For each item the same in records, the strongest first.
    """

    sources: tuple[Source, ...]
    amounts: Floats
    typical: float
    by_item: tuple[tuple[Contribution, ...], ...]


def contributions_of(
    ensemble: Ensemble, items: Sequence[Item], vectors: Vectors, found: Neighbours, space: ConceptSpace | None
) -> Contributions:
    """Compute what moved the forecast of each item.

    Parameters
    ----------
    vectors
        Of the items, shape (q, d).
    found
        Known items near each.

    Raises
    ------
    InvalidInputError
        If the model was saved before typical features were kept.
    """
    if ensemble.typical is None:
        raise InvalidInputError(
            "expected a model that keeps its typical features, got one saved before; fit it again"
        )
    game = _Game.of(ensemble, items, vectors, found, space)
    amounts = game.values()
    return Contributions(
        sources=game.sources,
        amounts=amounts,
        typical=float(ensemble.targets.restore(game.typical_level())[0]),
        by_item=_records(game.sources, amounts, items, space, is_relative=ensemble.targets.kind != "real"),
    )


@dataclass(frozen=True, kw_only=True)
class _Game:
    """Whose forecast it is, what the items are made of, and what each part of that tells of.

    Parameters
    ----------
    own, typical
        By name of an argument of `Ensemble.mixed`: of the items, shape (q, p), and of a typical one, (p,).
    columns
        For each of these p sources each.
    """

    ensemble: Ensemble
    sources: tuple[Source, ...]
    own: Mapping[str, npt.NDArray[Any]]
    typical: Mapping[str, npt.NDArray[Any]]
    columns: Mapping[str, Sequence[Sequence[Source]]]

    @classmethod
    def of(
        cls,
        ensemble: Ensemble,
        items: Sequence[Item],
        vectors: Vectors,
        found: Neighbours,
        space: ConceptSpace | None,
    ) -> _Game:
        """Lay out what is known of the items and of a typical one."""
        features, unseen, profile = ensemble.seen(items, vectors, found, space)
        columns: dict[str, Sequence[Sequence[Source]]] = {
            "features": ensemble.tables.sources(space),
            "vectors": [(_TEXT,)] * vectors.shape[1],
            "unseen": [(("concepts", type_),) for type_ in ensemble.tables.groupings.types],
            "profile": [(_NEIGHBOURS,)] * ensemble.targets.horizon,
        }
        typical = {
            "features": ensemble.typical,
            "vectors": ensemble.tables.centre,
            "unseen": (ensemble.rates[0] >= 0.5).astype(np.float64),
            "profile": ensemble.targets.values.mean(axis=0),
        }
        return cls(
            ensemble=ensemble,
            sources=tuple(
                dict.fromkeys(source for part in columns.values() for each in part for source in each)
            ),
            own={"features": features, "vectors": vectors, "unseen": unseen, "profile": profile},
            typical=typical,
            columns=columns,
        )

    def values(self) -> Floats:
        """Shapley value of each source for each item, shape (q, g)."""
        coalitions = Coalitions.of(len(self.sources))
        size, n_items = len(coalitions.members), len(self.own["features"])
        knows = {
            name: column_flags(coalitions.members, self.sources, columns)
            for name, columns in self.columns.items()
        }
        amounts = np.zeros((n_items, len(self.sources)))
        at_once = max(1, _BLOCK_ROWS // size)
        for start in range(0, n_items, at_once):
            block = slice(start, start + at_once)
            mixed = {
                name: np.concatenate(np.where(knows[name], own[block, None], self.typical[name]))
                for name, own in self.own.items()
            }
            amounts[block] = self._levels(mixed).reshape(-1, size) @ coalitions.weights.T
        return amounts

    def typical_level(self) -> Floats:
        """Level forecast for the typical item, shape (1,)."""
        return self._levels({name: each[None] for name, each in self.typical.items()})

    def _levels(self, queries: Mapping[str, npt.NDArray[Any]]) -> Floats:
        """Forecast the transformed level of the whole of each query."""
        return self.ensemble.targets.levels_of(self.ensemble.mixed(**queries).geometric)


def _records(
    sources: Sequence[Source],
    values: Floats,
    items: Sequence[Item],
    space: ConceptSpace | None,
    *,
    is_relative: bool,
) -> tuple[tuple[Contribution, ...], ...]:
    """For each item what each source adds, the strongest first."""
    concepts = _concept_names(items, space)
    found = []
    for item, names, amounts in zip(items, concepts, values.tolist(), strict=True):
        each = [
            Contribution(
                kind=kind,
                name=name,
                said=_said(kind, name, item, names),
                amount=amount,
                is_relative=is_relative,
            )
            for (kind, name), amount in zip(sources, amounts, strict=True)
        ]
        found.append(tuple(sorted(each, key=lambda contribution: -abs(contribution.amount))))
    return tuple(found)


def _said(kind: str, name: str, item: Item, concepts: Mapping[str, Sequence[str]]) -> str:
    if kind == "concepts":
        known = concepts.get(name, ())
        return ", ".join(known[:_N_NAMES]) + (", ..." if len(known) > _N_NAMES else "")
    if kind == "text":
        return {"text": "", "image": "picture", "text+image": "text and picture"}[item.modality]
    value = item.metadata.get(name) if kind == "column" else None
    if isinstance(value, int | float):
        return f"{value:g}"
    return month_in_words(name, item.metadata) if kind == "column" else ""


def _concept_names(items: Sequence[Item], space: ConceptSpace | None) -> list[dict[str, list[str]]]:
    """Names of each item's concepts by type, those too that its own lead up to."""
    if space is None:
        return [{} for _ in items]
    names: dict[str, list[str]] = {}
    for concept in space.graph.concepts.values():
        names.setdefault(concept.type, []).append(concept.name)
    found: list[dict[str, list[str]]] = [{} for _ in items]
    for type_, links in space.linker.link(items).by_type.items():
        for row, column in zip(links.rows.tolist(), links.columns.tolist(), strict=True):
            # Column 0 is 'no concept of this type'.
            if column:
                found[row].setdefault(type_, []).append(names[type_][column - 1])
    return found
