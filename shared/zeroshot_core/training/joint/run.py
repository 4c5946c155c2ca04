"""Joint optimisation: index, mine from the live version, tune, index again, for as long as it helps."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.checks import real, whole
from zeroshot_core.encoders import TransformerEncoder
from zeroshot_core.files import digest
from zeroshot_core.training.checkpoints import Checkpoints
from zeroshot_core.training.joint.batches import mine
from zeroshot_core.training.joint.learner import (
    CurrentEncoder,
    JointLearner,
    encoder_of,
    settled,
    trainable,
)
from zeroshot_core.training.joint.task import HEAD_SETTINGS, JointSettings, JointTask

if TYPE_CHECKING:
    from torch import Tensor

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import VectorIndex
    from zeroshot_core.training.learners import Values
    from zeroshot_core.training.plan import TrainingPlan
    from zeroshot_core.types import Item

__all__ = [
    "JointResult",
    "JointRun",
    "JointState",
    "RoundReport",
    "RunSettings",
    "optimise_jointly",
    "remove_checkpoint",
    "written_versions",
]

_NAME = "joint"


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What one round did.

    Parameters
    ----------
    gain
        Mean difference on the held-out texts against the encoder before the round, of average precision for
        labels or of explained variance for targets; with unseen labels, they and the seen ones count alike.
    interval
        Of the gain, with coverage 0.95: paired bootstrap over the held-out texts.
    gain_unseen
        Of the held-out labels alone; None where there are none.
    n_negatives
        Number of mined pairs of text and negative.
    n_neighbours
        Number of mined pairs of unlabelled texts, each counted from both sides.
    seconds
        What the round took: indexing, mining, training and measuring.
    is_kept
        Whether the round's encoder became the current one.
    """

    gain: float
    interval: tuple[float, float]
    gain_unseen: float | None
    n_negatives: int
    n_neighbours: int
    seconds: float
    is_kept: bool


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
        Why the given encoder is returned though a round gained, if a model's forecasts did not.
    """

    encoder: Encoder
    version: str
    written: tuple[str, ...]
    rounds: tuple[RoundReport, ...]
    refusal: str = ""

    @property
    def is_improved(self) -> bool:
        """Whether any round gained; otherwise the given encoder is returned."""
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
    are indexed and served like all others, but neither trained on nor mined; where items without labels are
    learned from, those of labels held out are among them, without their labels.

    Serving goes on throughout: whatever was open stays open. Versions that the run wrote are dropped when
    they are neither live nor the one before; versions that were there when the run began stay.

    Parameters
    ----------
    items
        Items with texts and without images, shape (n,).
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
    run = RunSettings(
        joint=settings or (JointSettings() if isinstance(encoder, TransformerEncoder) else HEAD_SETTINGS),
        random_state=random_state,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        budget_s=budget_s,
        show_progress=show_progress,
    )
    base = trainable(encoder)
    task = JointTask.of(items, labels_or_targets, graph, random_state, label_texts=label_texts, groups=groups)
    tuned, state = JointRun(index, task, base, run).to_end()
    return JointResult(
        encoder=settled(tuned, encoder),
        version=state.made[-1],
        written=state.written,
        rounds=state.rounds,
    )


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How a run goes beside what its rounds do; see `optimise_jointly`."""

    joint: JointSettings
    random_state: int
    checkpoint: Path | None
    budget_s: float | None
    show_progress: bool

    def __post_init__(self) -> None:
        whole("random_state", self.random_state)
        if self.budget_s is not None:
            real("budget_s", self.budget_s, above=0, remedy="None sets no bound")


@dataclass(frozen=True, kw_only=True)
class JointState:
    """Everything that a run needs to go on after its last finished round.

    Parameters
    ----------
    rounds
        Reports of the finished rounds.
    made
        Versions that the run went through.
    before
        Versions that were there when the run began.
    is_refitted
        Whether the values come from all texts; then the run is over.
    values
        What was trained, by name of the parameter; empty while the given encoder is the current one.
    """

    rounds: tuple[RoundReport, ...] = ()
    made: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    is_refitted: bool = False
    values: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def written(self) -> tuple[str, ...]:
        """Versions that are the run's own."""
        return tuple(version for version in self.made if version not in self.before)

    @property
    def n_kept(self) -> int:
        """Number of rounds that gained."""
        return sum(report.is_kept for report in self.rounds)

    @property
    def is_over(self) -> bool:
        """Whether the last round gained nothing, or no text is held out any more."""
        return self.is_refitted or (bool(self.rounds) and not self.rounds[-1].is_kept)


class JointRun:
    """One joint run: publish, mine, train, compare, and once more on all texts."""

    def __init__(self, index: VectorIndex, task: JointTask, base: Encoder, settings: RunSettings) -> None:
        self._index = index
        self._task = task
        self._base = base
        self._settings = settings
        self._checkpoints = _checkpoints_of(task, base, settings)
        self._learner: JointLearner | None = None

    def to_end(self) -> tuple[Encoder, JointState]:
        """Go on from the checkpoint until nothing is gained or the rounds or the time are used up.

        The last version that the state has made is live then.
        """
        rounds, budget_s = self._settings.joint.rounds, self._settings.budget_s
        state = self._begin()
        spent = sum(report.seconds for report in state.rounds)
        deadline = float("inf") if budget_s is None else time.monotonic() + budget_s - spent
        current = self._encoder(state.values)
        while len(state.rounds) < rounds and not state.is_over and _fits(state, deadline):
            start = time.monotonic()
            state = self._publish(state, current)
            state, current = self._round(state, current, start, deadline)
            self._save(state)
        if self._settings.joint.refit and not state.is_refitted and _refits(state, deadline):
            state = replace(state, values=self._refitted(state), is_refitted=True)
            current = self._encoder(state.values)
        state = self._publish(state, current)
        self._save(state)
        return current.inner, state

    def _begin(self) -> JointState:
        """Read the checkpoint, or begin with the base."""
        found = None if self._checkpoints is None else self._checkpoints.read(_state)
        if found is not None:
            return found
        state = JointState(before=tuple(info.id for info in self._index.versions()))
        self._save(state)
        return state

    def _save(self, state: JointState) -> None:
        if self._checkpoints is None:
            return
        notes = {
            "rounds": [asdict(report) for report in state.rounds],
            "made": state.made,
            "before": state.before,
            "is_refitted": state.is_refitted,
        }
        self._checkpoints.write(notes, state.values, state.n_kept + state.is_refitted)

    def _encoder(self, values: Values) -> CurrentEncoder:
        return CurrentEncoder(encoder_of(self._base, values, self._settings.joint))

    def _publish(self, state: JointState, current: CurrentEncoder) -> JointState:
        """Index with the current encoder, swap the aliases, and drop what no reader needs."""
        task = self._task
        show_progress = self._settings.show_progress
        version = self._index.build(task.items, current, task.graph, show_progress=show_progress)
        live = self._index.live
        if live is None or live.id != version:
            self._index.activate(version)
        made = (*(each for each in state.made if each != version), version)
        there = {info.id for info in self._index.versions()}
        for old in replace(state, made=made[:-2]).written:
            if old in there:
                self._index.drop(old)
        return replace(state, made=made[-2:])

    def _round(
        self, state: JointState, current: CurrentEncoder, start: float, deadline: float
    ) -> tuple[JointState, CurrentEncoder]:
        """Mine, train, and compare; the new state with its encoder."""
        task = self._task
        seed = self._seed(len(state.rounds))
        version = self._index.open(state.made[-1], fingerprint=current.fingerprint)
        mined = mine(version, task, self._settings.joint)
        self._learner = self._learner or JointLearner(self._base, task, self._settings.joint)
        values = self._learner.train(state.values, mined, self._plan(seed, deadline))
        candidate = self._encoder(values)
        # The vectors of the encoder before are there.
        before, after = version.item_vectors(task.guarded_ids), candidate.encode(task.guard.texts)
        gain = task.guard.gain(before, after, np.random.default_rng(seed))
        report = RoundReport(
            gain=gain.mean,
            interval=gain.interval,
            gain_unseen=gain.unseen,
            n_negatives=sum(map(len, mined.negatives)),
            n_neighbours=mined.neighbourhoods.n_pairs,
            seconds=time.monotonic() - start,
            is_kept=gain.mean > 0,
        )
        state = replace(state, rounds=(*state.rounds, report))
        return (replace(state, values=values), candidate) if report.is_kept else (state, current)

    def _refitted(self, state: JointState) -> Values:
        """Go through the kept rounds once more on all texts, beside what serves; if that ends well."""
        task, settings = self._task.whole(), self._settings.joint
        learner = JointLearner(self._base, task, settings)
        values: Values = {}
        for number in range(state.n_kept):
            encoder = self._encoder(values)
            there = {info.id for info in self._index.versions()}
            version = self._index.build(task.items, encoder, task.graph)
            mined = mine(self._index.open(version, fingerprint=encoder.fingerprint), task, settings)
            if version not in there:
                self._index.drop(version)
            values = learner.train(values, mined, self._plan(self._seed(number), float("inf")))
        base, after = (self._encoder(each).encode(task.guard.texts) for each in ({}, values))
        return state.values if task.guard.collapse(base, after) else values

    def _plan(self, seed: int, deadline: float) -> TrainingPlan:
        left = deadline - time.monotonic()
        return self._settings.joint.plan(
            random_state=seed,
            # A moment at least, for one step.
            budget_s=None if left == float("inf") else max(left, 1e-3),
            show_progress=self._settings.show_progress,
        )

    def _seed(self, number: int) -> int:
        return int(np.random.SeedSequence([self._settings.random_state, number]).generate_state(1)[0])


def remove_checkpoint(folder: Path) -> None:
    """Remove a checkpoint; a kill at any moment leaves it whole or none."""
    (folder / f"{_NAME}.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def written_versions(folder: Path) -> tuple[str, ...]:
    """Versions that the run of a checkpoint wrote, whatever run it is; none where it is damaged."""
    try:
        notes = json.loads((folder / f"{_NAME}.json").read_text(encoding="utf-8"))
        return JointState(made=tuple(notes["made"]), before=tuple(notes["before"])).written
    except (KeyError, TypeError, ValueError, OSError):
        return ()


def _checkpoints_of(task: JointTask, base: Encoder, settings: RunSettings) -> Checkpoints | None:
    """Checkpoints of a run on this input; one of more rounds goes on from one of fewer."""
    if settings.checkpoint is None:
        return None
    joint = repr(replace(settings.joint, rounds=1))
    run = digest("\0".join((base.fingerprint, task.digest, joint, str(settings.random_state))))
    return Checkpoints(
        settings.checkpoint,
        _NAME,
        run,
        inputs="items, labels, graph, encoder, settings or seed",
        tensors_name="weights",
        run_field="key",
        tensors_field="weights",
    )


def _state(notes: dict[str, Any], values: dict[str, Tensor]) -> JointState:
    return JointState(
        rounds=tuple(_report(**report) for report in notes["rounds"]),
        made=tuple(notes["made"]),
        before=tuple(notes["before"]),
        is_refitted=notes["is_refitted"],
        values=values,
    )


def _report(*, interval: Sequence[float], **values: Any) -> RoundReport:
    low, high = interval
    return RoundReport(interval=(low, high), **values)


def _fits(state: JointState, deadline: float) -> bool:
    """Whether a round like the longest so far would end in time."""
    longest = max((report.seconds for report in state.rounds), default=0.0)
    return time.monotonic() + longest < deadline


def _refits(state: JointState, deadline: float) -> bool:
    """Whether a round gained, and all that did can be gone through again in time."""
    again = sum(report.seconds for report in state.rounds if report.is_kept)
    return again > 0 and time.monotonic() + again < deadline
