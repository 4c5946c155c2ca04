"""A regressor as plain parts, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zeroshot_core.estimators.calibration import Calibration
from zeroshot_core.estimators.saving import ModelState
from zeroshot_core.regression.ensemble import Ensemble
from zeroshot_core.regression.features import FeatureTables
from zeroshot_core.regression.heads import Head
from zeroshot_core.regression.links import Groupings
from zeroshot_core.regression.network import NetworkHead
from zeroshot_core.regression.target_encoding import GroupSums
from zeroshot_core.regression.targets import Targets

__all__ = ["regressor_state", "restore_regressor"]

_PARAMETERS = (
    "top_k",
    "n_hops",
    "graph_weight",
    "target",
    "tune",
    "budget_s",
    "random_state",
    "show_progress",
)
_CALIBRATION = ("edges", "residuals", "starts")


def regressor_state(parameters: Mapping[str, Any], ids: Sequence[str], ensemble: Ensemble) -> ModelState:
    """Take a fitted regressor apart."""
    tables, targets = ensemble.tables, ensemble.targets
    arrays: dict[str, Any] = {
        "targets": targets.values,
        "rates": ensemble.rates,
        "centre": tables.centre,
        "axes": tables.axes,
    }
    for place, sums in enumerate(tables.sums):
        arrays[f"totals.{place}"], arrays[f"counts.{place}"] = sums.totals, sums.counts
    for place, pair in enumerate(tables.groupings.pairs):
        arrays[f"keys.{place}"] = tables.groupings.keys[pair]
    estimators: dict[str, Any] = {}
    for place, head in enumerate(ensemble.heads):
        own_arrays, own_estimators = _head_parts(head, place)
        arrays |= own_arrays
        estimators |= own_estimators
    config = {
        "parameters": {name: parameters[name] for name in _PARAMETERS},
        "ids": list(ids),
        "kind": targets.kind,
        "is_curve": targets.is_curve,
        "names": list(ensemble.names),
        "n_models": [len(head.models) for head in ensemble.heads],
        "errors": [head.error for head in ensemble.heads],
        "prior": tables.prior,
        "metadata_keys": list(tables.metadata_keys),
        "types": list(tables.groupings.types),
        "pairs": [list(pair) for pair in tables.groupings.pairs],
    }
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return ModelState(kind="regressor", config=config, arrays=contiguous, estimators=estimators)


def _head_parts(head: Head, place: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Name the arrays and the estimators of one head."""
    arrays = {f"{part}.{place}": getattr(head.calibration, part) for part in _CALIBRATION}
    estimators = {f"head-{place}-{i}": model for i, model in enumerate(head.models)}
    estimators[f"scale-{place}"] = head.scale
    if head.networks is not None:
        arrays[f"gaps.{place}"] = head.networks.gaps
        arrays |= {f"network.{place}.{name}": value for name, value in head.networks.weights.items()}
        estimators[f"scaler-{place}"] = head.networks.scaler
    return arrays, estimators


def restore_regressor(state: ModelState) -> tuple[dict[str, Any], list[str], Ensemble]:
    """Put a regressor together again: its parameters, the ids of its items, and what it learned."""
    config, arrays = state.config, dict[str, Any](state.arrays)
    return (
        dict(config["parameters"]),
        list(config["ids"]),
        Ensemble(
            tables=_tables(config, arrays),
            targets=Targets(values=arrays["targets"], kind=config["kind"], is_curve=config["is_curve"]),
            names=tuple(config["names"]),
            heads=tuple(_head(state, place) for place in range(len(config["names"]))),
            rates=arrays["rates"],
        ),
    )


def _tables(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> FeatureTables:
    pairs = tuple((a, b) for a, b in config["pairs"])
    types = tuple(config["types"])
    n_groupings = len(types) + len(pairs)
    return FeatureTables(
        prior=config["prior"],
        metadata_keys=tuple(config["metadata_keys"]),
        centre=arrays["centre"],
        axes=arrays["axes"],
        groupings=Groupings(
            types=types, pairs=pairs, keys={pair: arrays[f"keys.{i}"] for i, pair in enumerate(pairs)}
        ),
        sums=tuple(
            GroupSums(totals=arrays[f"totals.{i}"], counts=arrays[f"counts.{i}"]) for i in range(n_groupings)
        ),
    )


def _head(state: ModelState, place: int) -> Head:
    parts: dict[str, Any] = {part: state.arrays[f"{part}.{place}"] for part in _CALIBRATION}
    n_models = state.config["n_models"][place]
    return Head(
        models=tuple(state.estimators[f"head-{place}-{i}"] for i in range(n_models)),
        scale=state.estimators[f"scale-{place}"],
        calibration=Calibration(**parts),
        networks=_networks(state, place),
        error=state.config["errors"][place],
    )


def _networks(state: ModelState, place: int) -> NetworkHead | None:
    scaler = state.estimators.get(f"scaler-{place}")
    if scaler is None:
        return None
    arrays, start = dict[str, Any](state.arrays), f"network.{place}."
    weights = {name.removeprefix(start): value for name, value in arrays.items() if name.startswith(start)}
    return NetworkHead(scaler=scaler, gaps=arrays[f"gaps.{place}"], weights=weights)
