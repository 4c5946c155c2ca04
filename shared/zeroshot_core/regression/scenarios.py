"""Cold-start scenarios: what may be unseen about a new item, imitated on the training items.

Evidence for a training item is gathered as if it were new in one of several ways: a random newcomer among
known concepts, an item of an unseen concept of one type, or a bare text. A head is learned for each way.
Which way a query resembles is inferred from which of its concepts no training item is linked to: a naive
Bayes posterior over the scenarios, by which the heads' forecasts are mixed (a mixture of experts, Jacobs et
al. 1991).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.regression.concept_links import TypeLinks

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["Scenario", "choose_scenarios", "deal_folds", "posterior", "prior_weights"]

_N_FOLDS = 10
_FEWEST_GROUPS = 5
_MOST_FEW_GROUPS = 100
_LEAST_RATE = 1e-3
_NEGLIGIBLE = 0.02
# How often a query is of the first scenario. Many a newcomer among known concepts has a maker of its own.
_FIRST = 0.7


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way of being new.

    Parameters
    ----------
    name
        ``"items"``, ``"text"``, ``"groups"``, or the type of the unseen concept.
    folds
        Shape (n,), numbered from 0; evidence for an item comes from other folds.
    keeps_links
        Whether the items keep their concepts, or are bare texts.
    groups
        Shape (n,), where some few groups are given that will be new as a whole, the group of each item. Of
        many, most new items are of large ones as most known items are, and nothing needs to be known of them.
    """

    name: str
    folds: Ints
    keeps_links: bool = True
    groups: Ints | None = None


def choose_scenarios(
    links: TypeLinks | None, groups: Sequence[Hashable] | None, n_items: int, rng: np.random.Generator
) -> list[Scenario]:
    """Make the scenarios: of the given groups if there are any, else of items and of each type of concept.

    Parameters
    ----------
    links
        Of the training items; None without a graph.
    groups
        Shape (n,), what will be unseen as a whole when forecasting.
    """
    at_random = _folds_of(np.arange(n_items), rng)
    if groups is not None:
        codes = _codes(groups)
        few = codes if codes.max(initial=0) < _MOST_FEW_GROUPS else None
        scenarios = [Scenario(name="groups", folds=_folds_of(codes, rng), groups=few)]
    else:
        scenarios = [Scenario(name="items", folds=at_random)]
    if links is None:
        return scenarios
    if groups is None:
        for type_ in links.types:
            codes = links.first(type_)
            if len(np.unique(codes)) >= _FEWEST_GROUPS and len(np.unique(codes)) < n_items:
                scenarios.append(Scenario(name=type_, folds=_folds_of(codes, rng)))
    return [*scenarios, Scenario(name="text", folds=at_random, keeps_links=False)]


def deal_folds(
    groups: Sequence[Hashable] | None, n_items: int, n_folds: int, rng: np.random.Generator
) -> Ints:
    """Deal groups, or single items where there are none, out to at most `n_folds` folds, shape (n_items,)."""
    return _folds_of(np.arange(n_items) if groups is None else _codes(groups), rng, n_folds)


def _codes(groups: Sequence[Hashable]) -> Ints:
    numbers: dict[Hashable, int] = {}
    return np.asarray([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)


def _folds_of(codes: Ints, rng: np.random.Generator, n_folds: int = _N_FOLDS) -> Ints:
    """Deal the groups out to at most `n_folds` folds of about equally many groups, shape (n,)."""
    known, places = np.unique(codes, return_inverse=True)
    n_folds = min(n_folds, len(known))
    return np.asarray(rng.permutation(np.arange(len(known)) % n_folds)[places], dtype=np.int64)


def prior_weights(n_scenarios: int, first: float = _FIRST) -> Floats:
    """Give the first scenario its weight, and share the rest among the others, shape (n_scenarios,)."""
    if n_scenarios == 1:
        return np.ones(1)
    return np.asarray([first] + [(1.0 - first) / (n_scenarios - 1)] * (n_scenarios - 1))


def posterior(unseen: Floats, rates: Floats, prior: Floats) -> Floats:
    """Probability of each scenario for each query, given which of its concepts are unseen.

    Parameters
    ----------
    unseen
        Shape (q, t), 1 where no training item shares the query's concept of that type.
    rates
        Shape (s, t), how often that is so under each scenario.
    prior
        Shape (s,), weight of each scenario before anything is known of a query.

    Returns
    -------
    Floats
        Shape (q, s), rows sum to 1; probabilities under .02 are set to 0.
    """
    bounded = np.clip(rates, _LEAST_RATE, 1.0 - _LEAST_RATE)
    logs = unseen @ np.log(bounded).T + (1.0 - unseen) @ np.log1p(-bounded).T + np.log(prior)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    weights[weights < _NEGLIGIBLE] = 0.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
