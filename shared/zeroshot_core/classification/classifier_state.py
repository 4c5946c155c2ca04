"""A classifier as plain parts, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zeroshot_core.classification.label_head import LabelHead
from zeroshot_core.estimators.saving import ModelState
from zeroshot_core.estimators.stacking import Stacking

__all__ = ["classifier_state", "restore_classifier"]

_PARAMETERS = ("template", "top_k", "tune", "false_alarm_rate", "budget_s", "random_state", "show_progress")
_ARRAYS = ("labels", "coef", "intercept", "has_examples")
_WEIGHTS = ("seen_weights", "unseen_weights")


def classifier_state(parameters: Mapping[str, Any], classes: Sequence[str], head: LabelHead) -> ModelState:
    """Take a fitted classifier apart."""
    config = {
        "parameters": {name: parameters[name] for name in _PARAMETERS},
        "classes": [str(label) for label in classes],
        "stacking": {"offset": head.stacking.offset, "penalty": head.stacking.penalty},
    }
    arrays = {name: np.ascontiguousarray(getattr(head, name)) for name in _ARRAYS}
    arrays |= {name: np.ascontiguousarray(getattr(head.stacking, name)) for name in _WEIGHTS}
    return ModelState(kind="classifier", config=config, arrays=arrays, estimators={})


def restore_classifier(state: ModelState) -> tuple[dict[str, Any], list[str], LabelHead]:
    """Put a classifier together again: its parameters, its labels, and what it learned."""
    parts: dict[str, Any] = {name: state.arrays[name] for name in _ARRAYS}
    weights: dict[str, Any] = {name: state.arrays[name] for name in _WEIGHTS}
    head = LabelHead(**parts, stacking=Stacking(**weights, **state.config["stacking"]))
    return dict(state.config["parameters"]), list(state.config["classes"]), head
