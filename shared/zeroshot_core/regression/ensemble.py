"""A head for each cold-start scenario, and their forecasts mixed by what is unseen about a query."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.regression.concept_links import TypeLinks
from zeroshot_core.regression.encoder_views import EncoderView
from zeroshot_core.regression.features import ConceptSpace, FeatureRows, FeatureTables
from zeroshot_core.regression.heads import Head, fit_head, n_steps
from zeroshot_core.regression.neighbour_features import Neighbours, neighbour_profile
from zeroshot_core.regression.predictive_distribution import (
    HeadForecast,
    MixedForecast,
    expectation_factors,
)
from zeroshot_core.regression.scenarios import Scenario, choose_scenarios, posterior, prior_weights
from zeroshot_core.regression.shared_errors import normal_scores, shared_variances
from zeroshot_core.regression.targets import Targets
from zeroshot_core.regression.totals import numbered
from zeroshot_core.retrieval.out_of_fold import fold_neighbours
from zeroshot_core.types import Item

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints, Vectors

__all__ = ["Ensemble", "fit_ensemble"]

_N_SAMPLED = 3000
_TYPICAL_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """Everything learned from the targets.

    Parameters
    ----------
    names
        Of the scenarios.
    heads
        One for each scenario.
    rates
        Shape (s, t), how often a concept of each type is unseen in each scenario.
    prior
        Shape (s,), weight of each scenario before anything is known of a query.
    shared
        Shape (s, t), the share of the variance of an item's error in each scenario that it has in common with
        the items of its concept of each type; without a graph shape (s, 1), with those of its group.
    typical
        Shape (p,), the median of each feature of the training items in the first scenario; None in models
        saved before there was one.
    """

    tables: FeatureTables
    targets: Targets
    names: tuple[str, ...]
    heads: tuple[Head, ...]
    rates: Floats
    prior: Floats
    shared: Floats
    typical: Floats | None = None

    def parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Take it apart into what is JSON-able and what is an array, by name."""
        config, arrays = self.tables.parts()
        config |= {
            "kind": self.targets.kind,
            "is_curve": self.targets.is_curve,
            "is_bounded": self.targets.is_bounded,
            "names": list(self.names),
            "n_models": [len(head.models) for head in self.heads],
            "errors": [head.error for head in self.heads],
        }
        arrays |= {
            "targets": self.targets.values,
            "rates": self.rates,
            "prior": self.prior,
            "shared": self.shared,
        }
        if self.typical is not None:
            arrays["typical"] = self.typical
        for place, head in enumerate(self.heads):
            arrays |= head.arrays(place)
        return config, {name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def restored(
        cls, state: ModelState, n_items: int, dimension: int, space: ConceptSpace | None
    ) -> Ensemble:
        """Put together again what `parts` took apart.

        Parameters
        ----------
        n_items
            Known items.
        dimension
            Of the vectors.

        Raises
        ------
        InvalidInputError
            If a part is missing, or is not what was learned from so many items.
        """
        targets = Targets.restored(state, n_items)
        tables = FeatureTables.restored(state, dimension, space)
        names = state.entries("names")
        n_models = state.entries("n_models", of=int, n=len(names))
        errors = state.entries("errors", of=float, n=len(names))
        rates = state.array("rates", np.float64, (len(names), len(tables.groupings.types)))
        if not names or (rates.size and not (rates.min() >= 0 and rates.max() <= 1)):
            raise InvalidInputError(f"expected rates from 0 to 1 of scenarios {names}, got others")
        heads = tuple(
            Head.restored(state, place, n_models[place], errors[place], targets.horizon, dimension)
            for place in range(len(names))
        )
        typical = None
        if "typical" in state.arrays:
            # A feature that no training item has has no median.
            n_features = heads[0].models[0].n_features
            typical = state.array("typical", np.float64, (n_features,), is_finite=False)
        return cls(
            tables=tables,
            targets=targets,
            names=names,
            heads=heads,
            rates=rates,
            prior=_restored_prior(state, len(names)),
            shared=_restored_shared(state, rates),
            typical=typical,
        )

    @property
    def error(self) -> float:
        """Mean squared error of out-of-fold forecasts of all items, in the first scenario."""
        return self.heads[0].error

    def forecast(
        self,
        items: Sequence[Item],
        vectors: Vectors,
        found: Neighbours,
        space: ConceptSpace | None,
    ) -> MixedForecast:
        """Mix the heads' forecasts by how much each query resembles each scenario.

        Parameters
        ----------
        found
            Known items near each query.
        """
        features, unseen, profile = self.seen(items, vectors, found, space)
        return self.mixed(features, vectors, unseen, profile)

    def seen(
        self, items: Sequence[Item], vectors: Vectors, found: Neighbours, space: ConceptSpace | None
    ) -> tuple[Floats, Floats, Floats]:
        """Features (q, p), unseen concepts (q, t) and profiles (q, horizon) of new items."""
        rows = self.tables.rows(items, vectors, space)
        return *self.tables.transform(rows, found, self.targets.levels), _profile(found, self.targets)

    def mixed(self, features: Floats, vectors: Vectors, unseen: Floats, profile: Floats) -> MixedForecast:
        """Forecast from what `seen` says of queries and from their vectors, shape (q, d)."""
        shares = posterior(unseen, self.rates, self.prior)
        asked = tuple(np.flatnonzero(share) for share in shares.T)
        said = []
        for head, places in zip(self.heads, asked, strict=True):
            levels = head.level(features[places], vectors[places]) if len(places) else np.empty(0)
            scales = head.spread(features[places], levels) if len(places) else levels
            said.append(_head_forecast(head, levels, scales, profile[places], self.targets))
        return MixedForecast(shares=shares, rows=asked, heads=tuple(said), targets=self.targets)

    def blocks(self, items: Sequence[Item], space: ConceptSpace | None) -> tuple[Ints, ...]:
        """Give the concept of each type of items, shape (q,), -1 for none; no types without a graph."""
        return _blocks(space.linker.link(items) if space else None, self.tables)


def fit_ensemble(
    items: Sequence[Item],
    targets: Targets,
    groups: Sequence[Hashable] | None,
    final: EncoderView,
    views: Sequence[EncoderView] = (),
    *,
    top_k: int,
    random_state: int,
    show_progress: bool,
) -> Ensemble:
    """Learn the feature tables and a head for each scenario.

    Parameters
    ----------
    groups
        Shape (n,), or None; see `choose_scenarios`.
    final
        All items as the encoder sees them that will read the queries.
    views
        What the heads learn from, each item being in one of them; without any, what the encoder sees.
    """
    from tqdm import tqdm

    tables, linked = FeatureTables.learn(items, final.vectors, targets.levels, final.space)
    bare = [replace(item, concepts=()) for item in items]
    training = _TrainingRows(
        targets=targets,
        linked=linked,
        bare=replace(linked, links=final.space.linker.link(bare) if final.space else None),
        views=tuple(views) or (final,),
        groups=() if groups is None else (numbered(groups)[1],),
    )
    rng = np.random.default_rng(random_state)
    scenarios = choose_scenarios(training.linked.links, groups, len(items), rng)
    # The first scenario is that of most queries; for the others a sample is enough, and quick.
    samples = [np.arange(len(items)), *(_sample(len(items), rng) for _ in scenarios[1:])]
    steps = [
        n_steps(len(rows), of_few_groups=scenario.groups is not None)
        for rows, scenario in zip(samples, scenarios, strict=True)
    ]
    ends = np.cumsum(steps)
    fitted = []
    with tqdm(desc="learning", total=int(ends[-1]), unit="step", disable=not show_progress) as bar:
        for scenario, sample, end in zip(scenarios, samples, ends.tolist(), strict=True):
            fitted.append(_fit_scenario(scenario, sample, tables, training, top_k, random_state, bar.update))
            bar.update(end - bar.n)
    return Ensemble(
        tables=tables,
        targets=targets,
        names=tuple(scenario.name for scenario in scenarios),
        heads=tuple(each.head for each in fitted),
        rates=np.stack([each.unseen for each in fitted]),
        prior=prior_weights(len(fitted)),
        shared=np.stack([each.shared for each in fitted]),
        typical=fitted[0].typical,
    )


@dataclass(frozen=True, kw_only=True)
class _TrainingRows:
    """All training items with their concepts and without, and as the encoders of some views see them.

    Parameters
    ----------
    groups
        One array of shape (n,), or none.
    """

    targets: Targets
    linked: FeatureRows
    bare: FeatureRows
    views: tuple[EncoderView, ...]
    groups: tuple[Ints, ...]


@dataclass(frozen=True, kw_only=True)
class _FittedScenario:
    """What one scenario teaches.

    Parameters
    ----------
    unseen
        How often a concept of each type is unseen, shape (t,).
    shared
        A row of `Ensemble.shared`.
    typical
        The median of each feature, shape (p,).
    """

    head: Head
    unseen: Floats
    shared: Floats
    typical: Floats


def _fit_scenario(
    scenario: Scenario,
    sample: Ints,
    tables: FeatureTables,
    training: _TrainingRows,
    top_k: int,
    random_state: int,
    on_step: Callable[[], object],
) -> _FittedScenario:
    """Learn the head of a scenario on a sample of rows, and say so after each of its `n_steps`."""
    targets, all_rows = training.targets, training.linked if scenario.keeps_links else training.bare
    tables = tables.out_of_fold(training.linked, targets.levels, scenario.folds)
    parts = []
    for view in training.views:
        asked = np.intersect1d(sample, view.rows)
        places, scores = fold_neighbours(view.vectors, scenario.folds, top_k, queries=asked)
        found = Neighbours(rows=places, scores=np.asarray(scores, dtype=np.float64))
        rows = replace(all_rows.take(asked), vectors=view.vectors[asked], space=view.space)
        features, unseen = tables.transform(rows, found, targets.levels, scenario.folds[asked])
        parts.append((asked, features, rows.vectors, unseen, found.rows, found.scores))
    order = np.argsort(np.concatenate([asked for asked, *_ in parts]))
    _, features, vectors, unseen, places, scores = (
        np.concatenate(each)[order] for each in zip(*parts, strict=True)
    )
    found = Neighbours(rows=places, scores=np.asarray(scores, dtype=np.float64))
    values, profile = targets.transform(targets.values[sample]), _profile(found, targets)
    groups = None if scenario.groups is None else scenario.groups[sample]
    head, out_of_fold = fit_head(
        features,
        vectors,
        targets.levels[sample],
        scenario.folds[sample],
        lambda levels: values - targets.curves(levels, profile),
        random_state,
        on_step,
        groups,
    )
    forecast = _head_forecast(head, out_of_fold.levels, out_of_fold.scales, profile, targets)
    factors = expectation_factors(forecast, targets.values[sample], groups)
    errors = (targets.levels[sample] - out_of_fold.levels) / out_of_fold.scales
    shared = shared_variances(
        normal_scores(errors, head.calibration.bins(out_of_fold.levels)),
        [block[sample] for block in _blocks(all_rows.links, tables) or training.groups],
        scenario.folds[sample],
    )
    return _FittedScenario(
        head=replace(head, calibration=replace(head.calibration, factors=factors)),
        unseen=unseen.mean(axis=0),
        shared=shared if len(shared) else np.zeros(1),
        typical=_medians(features),
    )


def _blocks(links: TypeLinks | None, tables: FeatureTables) -> tuple[Ints, ...]:
    return () if links is None else tuple(links.first(type_) - 1 for type_ in tables.groupings.types)


def _restored_prior(state: ModelState, n_scenarios: int) -> Floats:
    """Take back the weights of the scenarios; in models saved before they were kept the first had half."""
    if "prior" not in state.arrays:
        return prior_weights(n_scenarios, first=0.5)
    prior = state.array("prior", np.float64, (n_scenarios,))
    if not (prior.min() > 0 and abs(prior.sum() - 1) < 1e-9):
        raise InvalidInputError("expected weights of scenarios above 0 that sum to 1, got others")
    return prior


def _restored_shared(state: ModelState, rates: Floats) -> Floats:
    """Take back what errors have in common; models saved before that was learned get a typical share."""
    shared = np.zeros((len(rates), max(rates.shape[1], 1)))
    if "shared" not in state.arrays:
        shared[:, : rates.shape[1]] = _TYPICAL_SHARE * (rates > 0.5)
        return np.asarray(shared / np.maximum(shared.sum(axis=1, keepdims=True), 1.0))
    shared = state.array("shared", np.float64, shared.shape)
    if not (shared.min() >= 0 and shared.sum(axis=1).max() <= 1 + 1e-9):
        raise InvalidInputError("expected shares of variances from 0 to 1, got others")
    return shared


def _head_forecast(
    head: Head, levels: Floats, scales: Floats, profile: Floats, targets: Targets
) -> HeadForecast:
    return HeadForecast(
        levels=levels,
        scales=scales,
        curves=targets.curves(levels, profile),
        calibration=head.calibration,
        targets=targets,
    )


def _medians(features: Floats) -> Floats:
    """Median of what is known of each feature, shape (p,); NaN where nothing is."""
    medians = np.full(features.shape[1], np.nan)
    some = ~np.isnan(features).all(axis=0)
    medians[some] = np.nanmedian(features[:, some], axis=0)
    return medians


def _sample(n_items: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.permutation(n_items)[:_N_SAMPLED])


def _profile(found: Neighbours, targets: Targets) -> Floats:
    """Take the shape of each query's curve from its neighbours, (q, horizon); ones for a single step."""
    if targets.horizon == 1:
        return np.ones((len(found.rows), 1))
    return neighbour_profile(found, targets.values)
