"""Joint optimisation: index, mine from the live version, tune, index again, for as long as it helps."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.joint_checkpoint import RoundReport
from zeroshot_core.training.joint_learner import settled, trainable
from zeroshot_core.training.joint_run import JointRun
from zeroshot_core.training.joint_task import JointTask
from zeroshot_core.training.joint_training import HEAD_SETTINGS, JointSettings

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import VectorIndex
    from zeroshot_core.types import Item

__all__ = ["HEAD_SETTINGS", "JointResult", "JointSettings", "RoundReport", "optimise_jointly"]


@dataclass(frozen=True, kw_only=True)
class JointResult:
    """What a joint run ended with.

    Parameters
    ----------
    encoder
        The encoder of the last round that gained; the given one if none did.
    version
        The version built with it, which is live.
    written
        All versions that the run wrote and that are still there; the others may be dropped.
    rounds
        Reports, those of rounds before an interruption included.
    refusal
        Why the given encoder came back though a round gained, if a model's forecasts did not.
    """

    encoder: Encoder
    version: str
    written: tuple[str, ...]
    rounds: tuple[RoundReport, ...]
    refusal: str = ""

    @property
    def is_improved(self) -> bool:
        """Whether any round gained; otherwise the given encoder came back."""
        return not self.refusal and any(report.is_kept for report in self.rounds)

    @property
    def verdict(self) -> str:
        """What came of it, in words."""
        gains = ", ".join(f"{report.gain:+.3f}" for report in self.rounds)
        kept = (
            "kept: held-out texts gain by it" if self.is_improved else "base kept: held-out texts do not gain"
        )
        return self.refusal or f"{kept} (rounds: {gains})"


def optimise_jointly(
    index: VectorIndex,
    items: Sequence[Item],
    labels_or_targets: Sequence[str | None] | Any,
    encoder: Encoder,
    graph: KnowledgeGraph | None = None,
    *,
    label_texts: Mapping[str, str | Sequence[str]] | None = None,
    groups: Sequence[Hashable] | None = None,
    settings: JointSettings | None = None,
    random_state: int = 0,
    checkpoint: str | Path | None = None,
    budget_s: float | None = None,
    show_progress: bool = False,
) -> JointResult:
    """Tune an encoder and its index together (the asynchronous refresh of [1]_, made exact).

    Each round indexes the items with the current encoder as a new version and swaps the aliases to it, mines
    hard negatives from that live version, trains a copy of the encoder on batches in which they meet, and
    compares the two on held-out texts: a fifth of them and, with ten or more labels, a tenth of the labels as
    a whole. The copy becomes the current encoder if it gains, and the run ends if it does not. Held-out texts
    are indexed and served like all others, but neither trained on nor mined.

    Serving goes on throughout: whatever was open stays open. Versions that the run wrote are dropped when
    they are neither live nor the one before; versions that were there when the run began stay.

    Parameters
    ----------
    items
        Items with texts, shape (n,).
    encoder
        Of a transformer the weights are trained; of any other encoder, which may be an embedding service, a
        head over it, and each text is read once in all rounds (a `CachedEncoder` spares it after a kill too).
    labels_or_targets
        Labels as strings, shape (n,), which are concepts if there is a graph; None stands for items without
        one, of which those that are among each other's nearest in the live version are trained to be alike.
        Or targets as numbers, shape (n,) or (n, horizon).
    label_texts
        Names and descriptions by label: further texts of their label, which are not indexed.
    groups
        Shape (n,): what is held out as a whole, instead of single texts.
    settings
        None is `JointSettings()` for a transformer, `HEAD_SETTINGS` for a head.
    random_state
        Seed of split, batches and dropout: the same input and seed give the same encoder on one machine.
    checkpoint
        Folder that keeps what the last finished round left. After a kill at any moment the version before
        serves, and the same call goes on from there, a round that was cut short from its start; a call with
        more rounds goes on from a finished run, unless that was refitted.
    budget_s
        Seconds after which no step is taken and, as far as the longest round so far tells, no round begins,
        though there is always one; where it cuts a run short, the result depends on the machine's speed.

    Raises
    ------
    InvalidInputError
        If an item has no text, labels or targets are wrong, there is too little to hold out a part, a
        parameter is out of range, or the checkpoint is of another run. Nothing has been written then.
    UnknownConceptError
        If the graph lacks a label.

    References
    ----------
    .. [1] Xiong et al., "Approximate Nearest Neighbor Negative Contrastive Learning for Dense Text
       Retrieval", ICLR 2021.
    """
    if budget_s is not None and not budget_s > 0:
        raise InvalidInputError(f"expected a budget_s above 0, or None, got {budget_s}")
    base = trainable(encoder)
    settings = settings or (JointSettings() if base is encoder else HEAD_SETTINGS)
    task = JointTask.of(items, labels_or_targets, graph, random_state, label_texts=label_texts, groups=groups)
    run = JointRun(index, task, base, settings, random_state, checkpoint, show_progress)
    tuned, state = run.to_end(float("inf") if budget_s is None else budget_s)
    return JointResult(
        encoder=settled(tuned, encoder),
        version=state.made[-1],
        written=state.written,
        rounds=state.rounds,
    )
