"""Joint rounds of a model's encoder on its own index, gone on with after a kill, and tidied up after."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.encoders import Encoder, TransformerEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.training import JointResult, JointSettings, optimise_jointly
from zeroshot_core.training.checkpoints import run_digest
from zeroshot_core.training.joint import HEAD_SETTINGS
from zeroshot_core.training.joint_checkpoint import remove_checkpoint, written_versions

if TYPE_CHECKING:
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.types import Item

__all__ = ["clear_rounds", "tuned_jointly"]

# The upper layers hold most of what a task changes; what lies below is computed once.
_SETTINGS = JointSettings(trained_layers=3, refit=True)


def tuned_jointly(
    encoder: Encoder,
    items: Sequence[Item],
    labels_or_targets: Any,
    graph: KnowledgeGraph | None,
    model_index: ModelIndex,
    checkpoints: str | Path | None,
    *,
    label_texts: Mapping[str, Sequence[str]] | None,
    groups: Sequence[Hashable] | None,
    random_state: int,
    budget_s: float | None,
    show_progress: bool,
) -> tuple[Encoder, JointResult]:
    """Run `optimise_jointly` on the index of a model; the encoder that won, and what the rounds did.

    A fit of the same data goes on from the checkpoint of one that was killed. That of another fit is removed
    with the versions that it left, the live one excepted.
    """
    is_open = isinstance(encoder, TransformerEncoder)
    root = _root(checkpoints, model_index)
    # What the key of the checkpoint depends on, so that other data begin in a folder of their own.
    name = run_digest(
        encoder=encoder.fingerprint,
        items=[[item.id, item.text, item.concepts, repr(dict(item.metadata))] for item in items],
        values=[repr(value) for value in labels_or_targets],
        label_texts={} if label_texts is None else {key: list(label_texts[key]) for key in label_texts},
        groups=None if groups is None else [repr(group) for group in groups],
        graph=None if graph is None else graph.digest,
        random_state=random_state,
    )
    if root is not None:
        _discard_others(root, name, model_index)
    result = optimise_jointly(
        model_index.index,
        items,
        labels_or_targets,
        # The label texts are met again when the head is learned; an API would be paid twice.
        encoder if is_open else RememberingEncoder(encoder),
        graph,
        label_texts=label_texts,
        groups=groups,
        settings=_SETTINGS if is_open else replace(HEAD_SETTINGS, refit=True),
        random_state=random_state,
        checkpoint=None if root is None else root / name,
        budget_s=budget_s,
        show_progress=show_progress,
    )
    return result.encoder, result


def clear_rounds(
    report: Any, model_index: ModelIndex, version: OpenVersion, checkpoints: str | Path | None
) -> None:
    """Once the model's version is live, drop the others that joint rounds wrote, and their checkpoint."""
    if not isinstance(report, JointResult):
        return
    there = {info.id for info in model_index.index.versions()}
    for old in report.written:
        if old in there and old != version.info.id:
            model_index.index.drop(old)
    root = _root(checkpoints, model_index)
    if root is not None:
        for file in root.glob("*/joint.json"):
            remove_checkpoint(file.parent)
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()


def _root(checkpoints: str | Path | None, model_index: ModelIndex) -> Path | None:
    """Folder of the checkpoints; None where nothing lasts from one fit to the next."""
    if checkpoints is not None:
        return Path(checkpoints)
    index = model_index.index
    return Path(f"{index.uri}-joint") if index.is_lite and not model_index.is_temporary else None


def _discard_others(root: Path, name: str, model_index: ModelIndex) -> None:
    index = model_index.index
    for file in root.glob("*/joint.json"):
        if file.parent.name != name:
            idle = {info.id for info in index.versions() if not info.is_live}
            for old in idle.intersection(written_versions(file.parent)):
                index.drop(old)
            remove_checkpoint(file.parent)
