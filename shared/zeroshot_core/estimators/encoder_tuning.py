"""The encoder of a model, tuned on the model's own examples where that is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core.encoders import Encoder, HeadEncoder, TransformerEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.tuned_jointly import tuned_jointly
from zeroshot_core.training import (
    HEAD_PLAN,
    JointResult,
    TrainingPlan,
    TuningReport,
    tune_encoder,
    tune_head,
)

if TYPE_CHECKING:
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Item

__all__ = ["Report", "check_tune", "holds_encoder", "refused", "settled", "tuned_encoder", "untaught"]

Report: TypeAlias = TuningReport | JointResult
"""What tuning did: `is_improved`, and `verdict` in words."""

_TUNINGS = ("none", "head", "full", "lora", "joint")
# The upper layers hold most of what a task changes; what lies below is computed once.
_TRAINED_LAYERS = 3


def check_tune(tune: Any, budget_s: Any, encoder: Encoder) -> None:
    """Refuse a way of tuning that is not known, or that the encoder does not allow.

    Raises
    ------
    InvalidInputError
        See above.
    """
    if tune not in _TUNINGS:
        raise InvalidInputError(f"expected tune to be one of {', '.join(_TUNINGS)}, got {tune!r}")
    if budget_s is not None and (isinstance(budget_s, bool) or not budget_s > 0):
        raise InvalidInputError(f"expected budget_s in seconds, above 0, or None, got {budget_s!r}")
    if tune in {"full", "lora"} and not isinstance(encoder, TransformerEncoder):
        raise InvalidInputError(
            f"expected a TransformerEncoder for tune={tune!r}, got {type(encoder).__name__}, whose weights "
            'cannot be trained; use tune="head"'
        )


def tuned_encoder(
    encoder: Any,
    tune: Any,
    items: Sequence[Item],
    labels_or_targets: Any,
    *,
    graph: KnowledgeGraph | None,
    model_index: ModelIndex,
    checkpoints: Any,
    label_texts: Mapping[str, Sequence[str]] | None = None,
    groups: Sequence[Hashable] | None = None,
    budget_s: float | None,
    random_state: int,
    show_progress: bool,
) -> tuple[Encoder, Report | None]:
    """Tune an encoder as `tune` says; the encoder that won, and the report of it.

    Parameters
    ----------
    items
        As they will be indexed: joint rounds leave the version of these items and the encoder that won live
        in the model's index.
    checkpoints
        Folder for the state of joint rounds; None takes one beside a local index that will last.

    Raises
    ------
    InvalidInputError
        If there is nothing to tune on, or the examples are wrong.
    """
    if tune == "none":
        return encoder, None
    if not items:
        raise InvalidInputError(f'expected examples for tune={tune!r}, got none; use tune="none"')
    if tune == "joint":
        return tuned_jointly(
            encoder,
            items,
            labels_or_targets,
            graph,
            model_index,
            checkpoints,
            label_texts=label_texts,
            groups=groups,
            budget_s=budget_s,
            random_state=random_state,
            show_progress=show_progress,
        )
    plan = HEAD_PLAN if tune == "head" else TrainingPlan()
    plan = replace(plan, budget_s=budget_s, random_state=random_state, show_progress=show_progress)
    texts: Any = [item.content for item in items]
    shared: dict[str, Any] = {"label_texts": label_texts, "groups": groups, "plan": plan}
    if tune == "head":
        # The texts are met again when they are indexed; an API would be paid twice.
        return tune_head(RememberingEncoder(encoder), texts, labels_or_targets, **shared)
    return tune_encoder(
        encoder, texts, labels_or_targets, method=tune, trained_layers=_TRAINED_LAYERS, **shared
    )


def refused(report: Report | None, base: Encoder, version: str, why: str) -> Report:
    """Report that the base came back, of which this is the version, for a reason that tuning did not know."""
    if isinstance(report, JointResult):
        return replace(report, encoder=base, version=version, refusal=why)
    if report is None:
        raise InvalidInputError("expected the report of a tuning, got none")
    return replace(report, is_improved=False, verdict=why)


def untaught(tuned: Encoder, base: Encoder) -> Encoder:
    """Give the encoder as it was before tuning, with the vectors that it remembers."""
    return tuned.base if isinstance(tuned, HeadEncoder) else base


def settled(tuned: Encoder, base: Encoder) -> Encoder:
    """Let go of the vectors that were remembered while the model was made."""
    if isinstance(tuned, HeadEncoder) and isinstance(tuned.base, RememberingEncoder):
        return tuned.over(base)
    return base if isinstance(tuned, RememberingEncoder) else tuned


def holds_encoder(encoder: Encoder, report: Report | None, before: Encoder | None) -> bool:
    """Whether an encoder must be saved with its model, since no name opens it.

    Parameters
    ----------
    before
        The encoder that the model held in its folder until now.
    """
    is_own = before is not None and before.fingerprint == encoder.fingerprint
    return isinstance(encoder, HeadEncoder) or is_own or (report is not None and report.is_improved)
