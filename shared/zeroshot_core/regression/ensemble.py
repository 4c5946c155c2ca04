"""The heads of all hold-out schemes, learned and asked together."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.regression.cross_tuning import View
from zeroshot_core.regression.features import ConceptSpace, FeatureTables, Rows, learn_tables
from zeroshot_core.regression.heads import Head, fit_head
from zeroshot_core.regression.neighbours import Neighbours, neighbour_profile
from zeroshot_core.regression.schemes import Scheme, choose_schemes, posterior
from zeroshot_core.regression.targets import Targets
from zeroshot_core.retrieval.out_of_fold import fold_neighbours
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Ensemble", "Forecast", "fit_ensemble"]

_N_SAMPLED = 3000


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Forecasts in the unit of the target, each of shape (q, horizon)."""

    mean: Floats
    quantiles: tuple[Floats, ...] = ()
    interval: tuple[Floats, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Everything learned from the targets.

    Parameters
    ----------
    heads
        One for each scheme.
    rates
        Shape (s, t), how often a concept of each type is unseen under each scheme.
    """

    tables: FeatureTables
    targets: Targets
    names: tuple[str, ...]
    heads: tuple[Head, ...]
    rates: Floats

    @property
    def error(self) -> float:
        """Mean squared error of out-of-fold forecasts of all items, under the first scheme."""
        return self.heads[0].error

    def forecast(
        self,
        items: Sequence[Item],
        vectors: Vectors,
        found: Neighbours,
        space: ConceptSpace | None,
        *,
        quantiles: Sequence[float] = (),
        coverage: float | None = None,
    ) -> Forecast:
        """Mix the heads' forecasts by how much each query resembles each scheme.

        Parameters
        ----------
        found
            Known items near each query.
        quantiles
            Probabilities for which to give quantiles.
        coverage
            Probability that the interval is to hold; None gives none.
        """
        ends = () if coverage is None else ((1.0 - coverage) / 2.0, (1.0 + coverage) / 2.0)
        wanted = (*quantiles, *ends)
        rows = self.tables.rows(items, vectors, space)
        features, unseen = self.tables.of_queries(rows, found, self.targets.levels, space)
        weights = posterior(unseen, self.rates)
        horizon = self.targets.values.shape[1]
        mean = np.zeros((len(items), horizon))
        spread = np.zeros((len(wanted), len(items), horizon))
        profile = neighbour_profile(found, self.targets.values) if horizon > 1 else np.ones((len(items), 1))
        for head, share in zip(self.heads, weights.T, strict=True):
            asked = np.flatnonzero(share)
            if not len(asked):
                continue
            levels = head.level(features[asked], vectors[asked])
            curves = self.targets.curves(levels, profile[asked])
            mean[asked] += share[asked, None] * curves
            if wanted:
                scale = head.spread(features[asked], levels)[:, None]
            for place, q in enumerate(wanted):
                ends_at = curves + scale * head.calibration.quantile(levels, q)
                spread[place][asked] += share[asked, None] * ends_at
        restored = [self.targets.restore(spread[place]) for place in range(len(quantiles))]
        interval = self.targets.restore_interval(spread[-2], spread[-1]) if ends else ()
        return Forecast(mean=self.targets.restore(mean), quantiles=tuple(restored), interval=interval)


def fit_ensemble(
    items: Sequence[Item],
    vectors: Vectors,
    targets: Targets,
    space: ConceptSpace | None,
    groups: Sequence[Hashable] | None,
    *,
    views: Sequence[View] = (),
    top_k: int,
    random_state: int,
    show_progress: bool,
) -> Ensemble:
    """Learn the feature tables and a head for each scheme.

    Parameters
    ----------
    vectors
        Shape (n, d), of the items.
    groups
        Shape (n,), or None; see `choose_schemes`.
    views
        What the heads learn from, each item being in one of them; without any, the vectors given.
    """
    tables = learn_tables(items, vectors, targets.levels, space)
    rows = tables.rows(items, vectors, space)
    bare = tables.rows([_bare(item) for item in items], vectors, space)
    whole = View(rows=np.arange(len(items)), vectors=vectors, space=space)
    seen = [
        _SeenRows(
            view=view, linked=replace(rows, vectors=view.vectors), bare=replace(bare, vectors=view.vectors)
        )
        for view in views or (whole,)
    ]
    rng = np.random.default_rng(random_state)
    schemes = choose_schemes(rows.links, groups, len(items), rng)
    heads, rates = [], []
    for place, scheme in enumerate(_progress(schemes, show_progress)):
        sample = np.arange(len(items)) if place == 0 else _sample(len(items), rng)
        head, unseen = _fit_scheme(
            scheme, sample, tables, targets, seen, top_k=top_k, random_state=random_state
        )
        heads.append(head)
        rates.append(unseen)
    return Ensemble(
        tables=tables,
        targets=targets,
        names=tuple(scheme.name for scheme in schemes),
        heads=tuple(heads),
        rates=np.stack(rates),
    )


def _fit_scheme(
    scheme: Scheme,
    sample: Ints,
    tables: FeatureTables,
    targets: Targets,
    views: Sequence[_SeenRows],
    *,
    top_k: int,
    random_state: int,
) -> tuple[Head, Floats]:
    """Learn the head of one scheme on a sample of rows; give also how often each type's concept is unseen."""
    parts = [
        _evidence(scheme, np.intersect1d(sample, view.view.rows), tables, targets.levels, view, top_k)
        for view in views
    ]
    asked, features, vectors, unseen, places, scores = (
        np.concatenate(each) for each in zip(*parts, strict=True)
    )
    order = np.argsort(asked)
    features, unseen = features[order], unseen[order]
    found = Neighbours(rows=places[order], scores=scores[order])
    values = targets.values[sample]
    profile = neighbour_profile(found, targets.values) if values.shape[1] > 1 else np.ones_like(values)
    head = fit_head(
        features,
        vectors[order],
        targets.levels[sample],
        scheme.folds[sample],
        lambda levels: targets.transform(values) - targets.curves(levels, profile),
        random_state,
    )
    return head, unseen.mean(axis=0)


def _evidence(
    scheme: Scheme, asked: Ints, tables: FeatureTables, levels: Floats, view: _SeenRows, top_k: int
) -> tuple[Any, ...]:
    """Rows of a view with features, vectors, what is unseen of them, their neighbours and similarities."""
    places, scores = fold_neighbours(view.view.vectors, scheme.folds, top_k, queries=asked)
    found = Neighbours(rows=places, scores=scores.astype(np.float64))
    seen = view.linked if scheme.keeps_links else view.bare
    features, unseen = tables.of_training(
        view.linked, seen, scheme.folds, asked, found, levels, view.view.space
    )
    return asked, features, view.view.vectors[asked], unseen, found.rows, found.scores


@dataclass(frozen=True, kw_only=True)
class _SeenRows:
    """A view, and its items prepared with their concepts and without."""

    view: View
    linked: Rows
    bare: Rows


def _sample(n_items: int, rng: np.random.Generator) -> Ints:
    """Rows for the heads beside the first: enough for a small model, and quick."""
    return np.sort(rng.permutation(n_items)[:_N_SAMPLED])


def _bare(item: Item) -> Item:
    return replace(item, concepts=())


def _progress(schemes: Sequence[Scheme], show_progress: bool) -> Iterator[Scheme]:
    from tqdm import tqdm

    yield from tqdm(schemes, desc="learning", unit="scheme", disable=not show_progress)
