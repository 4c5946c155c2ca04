"""The encoder of a model, tuned on the model's own examples where that is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from zeroshot_core import checks
from zeroshot_core.encoders import Encoder, HeadEncoder, TransformerEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training import (
    HEAD_PLAN,
    JointResult,
    JointSettings,
    TrainingPlan,
    TuningReport,
    optimise_jointly,
    tune_encoder,
    tune_head,
)
from zeroshot_core.training.checkpoints import run_digest
from zeroshot_core.training.joint import HEAD_SETTINGS
from zeroshot_core.training.joint.run import remove_checkpoint, written_versions

if TYPE_CHECKING:
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Item

__all__ = [
    "Report",
    "Tuning",
    "clear_rounds",
    "encoder_before",
    "holds_encoder",
    "refusal",
    "tuned_encoder",
    "without_memory",
]

Report: TypeAlias = TuningReport | JointResult
"""What tuning did: `is_improved`, and `verdict` in words."""

_METHODS = ("none", "head", "full", "lora", "joint")
# The upper layers hold most of what a task changes; what lies below is computed once.
_TRAINED_LAYERS = 3
_JOINT_SETTINGS = JointSettings(trained_layers=_TRAINED_LAYERS, refit=True)


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How the encoder of a model is tuned.

    Parameters
    ----------
    method
        ``"none"``; ``"head"`` for a small head over the encoder; ``"full"`` or ``"lora"`` for its upper
        layers; ``"joint"`` for either together with the index.
    budget_s
        Seconds of training; None for no bound.
    checkpoints
        Folder for the state of joint rounds; None takes one beside a local index that will last.
    random_state
        Seed of all learning.
    show_progress
        Whether to draw bars on standard error.

    Raises
    ------
    InvalidInputError
        If the method is not known, or the budget is not above 0.
    """

    method: str = "none"
    budget_s: float | None = None
    checkpoints: str | Path | None = None
    random_state: int = 0
    show_progress: bool = False

    def __post_init__(self) -> None:
        checks.choice("tune", self.method, _METHODS)
        if self.budget_s is not None:
            checks.real("budget_s", self.budget_s, above=0, remedy="give seconds, or None for no bound")

    def check_encoder(self, encoder: Encoder) -> None:
        """Refuse an encoder that does not allow the method.

        Raises
        ------
        InvalidInputError
            If its weights were to be trained, and cannot be.
        """
        if self.method in {"full", "lora"}:
            _trainable(encoder, self.method)


def _trainable(encoder: Encoder, method: str) -> TransformerEncoder:
    if not isinstance(encoder, TransformerEncoder) or encoder.modalities != ("text",):
        raise InvalidInputError(
            f"expected a TransformerEncoder of texts for tune={method!r}, got {type(encoder).__name__}, "
            'whose weights cannot be trained; use tune="head"'
        )
    return encoder


def tuned_encoder(
    encoder: Encoder,
    tuning: Tuning,
    items: Sequence[Item],
    labels_or_targets: Any,
    *,
    graph: KnowledgeGraph | None,
    model_index: ModelIndex,
    label_texts: Mapping[str, Sequence[str]] | None = None,
    groups: Sequence[Hashable] | None = None,
) -> tuple[Encoder, Report | None]:
    """Tune an encoder; the encoder that won, and the report of it.

    Parameters
    ----------
    items
        As they will be indexed: joint rounds leave the version of these items and the encoder that won live
        in the model's index.
    labels_or_targets
        Shape (n,) or (n, horizon), as `tune_encoder` and `optimise_jointly` take them.
    label_texts
        What each label is called, by its id.
    groups
        Shape (n,): what is held out together.

    Raises
    ------
    InvalidInputError
        If there is nothing to tune on, or the examples are wrong.
    """
    if tuning.method == "none":
        return encoder, None
    if not items:
        raise InvalidInputError(f'expected examples for tune={tuning.method!r}, got none; use tune="none"')
    known: dict[str, Any] = {"label_texts": label_texts, "groups": groups}
    if tuning.method == "joint":
        result = _tuned_jointly(encoder, tuning, items, labels_or_targets, graph, model_index, **known)
        return result.encoder, result
    plan = replace(
        HEAD_PLAN if tuning.method == "head" else TrainingPlan(),
        budget_s=tuning.budget_s,
        random_state=tuning.random_state,
        show_progress=tuning.show_progress,
    )
    texts = [item.content for item in items]
    if tuning.method == "head":
        # The texts are met again when they are indexed; an API would be paid twice.
        return tune_head(RememberingEncoder(encoder), texts, labels_or_targets, plan=plan, **known)
    return tune_encoder(
        _trainable(encoder, tuning.method),
        texts,
        labels_or_targets,
        method="lora" if tuning.method == "lora" else "full",
        trained_layers=_TRAINED_LAYERS,
        plan=plan,
        **known,
    )


def _tuned_jointly(
    encoder: Encoder,
    tuning: Tuning,
    items: Sequence[Item],
    labels_or_targets: Any,
    graph: KnowledgeGraph | None,
    model_index: ModelIndex,
    *,
    label_texts: Mapping[str, Sequence[str]] | None,
    groups: Sequence[Hashable] | None,
) -> JointResult:
    """Run `optimise_jointly` on the index of a model.

    A fit of the same data goes on from the checkpoint of one that was killed. That of another fit is removed
    with the versions that it left, the live one excepted.
    """
    is_open = isinstance(encoder, TransformerEncoder) and encoder.modalities == ("text",)
    root = _checkpoint_root(tuning.checkpoints, model_index)
    # What the key of the checkpoint depends on, so that other data begin in a folder of their own.
    name = run_digest(
        encoder=encoder.fingerprint,
        items=[[item.id, item.text, item.concepts, repr(dict(item.metadata))] for item in items],
        values=[repr(value) for value in labels_or_targets],
        label_texts={} if label_texts is None else {key: list(label_texts[key]) for key in label_texts},
        groups=None if groups is None else [repr(group) for group in groups],
        graph=None if graph is None else graph.digest,
        random_state=tuning.random_state,
    )
    if root is not None:
        _remove_other_runs(root, name, model_index)
    return optimise_jointly(
        model_index.index,
        items,
        labels_or_targets,
        # The label texts are met again when the head is learned; an API would be paid twice.
        encoder if is_open else RememberingEncoder(encoder),
        graph,
        label_texts=label_texts,
        groups=groups,
        settings=_JOINT_SETTINGS if is_open else replace(HEAD_SETTINGS, refit=True),
        random_state=tuning.random_state,
        checkpoint=None if root is None else root / name,
        budget_s=tuning.budget_s,
        show_progress=tuning.show_progress,
    )


def clear_rounds(
    report: Report | None, model_index: ModelIndex, version: OpenVersion, checkpoints: str | Path | None
) -> None:
    """Once the model's version is live, drop the others that joint rounds wrote, and their checkpoint."""
    if not isinstance(report, JointResult):
        return
    there = {info.id for info in model_index.index.versions()}
    for old in report.written:
        if old in there and old != version.info.id:
            model_index.index.drop(old)
    root = _checkpoint_root(checkpoints, model_index)
    if root is not None:
        for file in root.glob("*/joint.json"):
            remove_checkpoint(file.parent)
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()


def _checkpoint_root(checkpoints: str | Path | None, model_index: ModelIndex) -> Path | None:
    """Folder of the checkpoints; None where nothing lasts from one fit to the next."""
    if checkpoints is not None:
        return Path(checkpoints)
    index = model_index.index
    return Path(f"{index.uri}-joint") if index.is_lite and not model_index.is_temporary else None


def _remove_other_runs(root: Path, name: str, model_index: ModelIndex) -> None:
    index = model_index.index
    for file in root.glob("*/joint.json"):
        if file.parent.name != name:
            idle = {info.id for info in index.versions() if not info.is_live}
            for old in idle.intersection(written_versions(file.parent)):
                index.drop(old)
            remove_checkpoint(file.parent)


def refusal(report: Report | None, base: Encoder, version: str, why: str) -> Report:
    """Report that the base came back, of which this is the version, for a reason that tuning did not know."""
    if isinstance(report, JointResult):
        return replace(report, encoder=base, version=version, refusal=why)
    if report is None:
        raise InvalidInputError("expected the report of a tuning, got none")
    return replace(report, is_improved=False, verdict=why)


def encoder_before(tuned: Encoder, base: Encoder) -> Encoder:
    """Return the encoder as it was before tuning, with the vectors that it remembers."""
    return tuned.base if isinstance(tuned, HeadEncoder) else base


def without_memory(tuned: Encoder, base: Encoder) -> Encoder:
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
