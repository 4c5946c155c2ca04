"""Joint optimisation: index, mine from the live version, tune, index again, for as long as it helps."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.remembering import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training.joint_checkpoint import (
    JointState,
    RoundReport,
    load_checkpoint,
    save_checkpoint,
)
from zeroshot_core.training.joint_learner import Values, encoder_of, trainable
from zeroshot_core.training.joint_task import JointTask, mine_others, mine_rows
from zeroshot_core.training.joint_training import (
    HEAD_SETTINGS,
    JointSettings,
    Mined,
    train_round,
)

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
    """

    encoder: Encoder
    version: str
    written: tuple[str, ...]
    rounds: tuple[RoundReport, ...]

    @property
    def is_improved(self) -> bool:
        """Whether any round gained; otherwise the given encoder came back."""
        return any(report.is_kept for report in self.rounds)

    @property
    def verdict(self) -> str:
        """What came of it, in words."""
        gains = ", ".join(f"{report.gain:+.3f}" for report in self.rounds)
        kept = (
            "kept: held-out texts gain by it" if self.is_improved else "base kept: held-out texts do not gain"
        )
        return f"{kept} (rounds: {gains})"


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
        more rounds goes on from a finished run.
    budget_s
        Seconds after which no epoch and, as far as the longest round so far tells, no round begins, though
        there is always one; where it cuts a run short, the result depends on the machine's speed.

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
    run = _Run(index, task, base, settings, random_state, checkpoint, show_progress)
    result = run.to_end(float("inf") if budget_s is None else budget_s)
    return replace(result, encoder=_settled(result.encoder, encoder))


def _settled(tuned: Encoder, given: Encoder) -> Encoder:
    """Let go of the vectors that were remembered while the rounds went on."""
    if isinstance(tuned, HeadEncoder):
        return tuned.over(given)
    return given if isinstance(tuned, RememberingEncoder) else tuned


class _Current(RememberingEncoder):
    """The encoder of a round: what measuring it has encoded, indexing need not encode again."""

    def __init__(self, inner: Encoder) -> None:
        super().__init__(inner)
        self.inner = inner


class _Run:
    """One joint run: what is fixed, and the steps of a round."""

    def __init__(
        self,
        index: VectorIndex,
        task: JointTask,
        base: Encoder,
        settings: JointSettings,
        random_state: int,
        checkpoint: str | Path | None,
        show_progress: bool,
    ) -> None:
        self._index = index
        self._task = task
        self._base = base
        self._settings = settings
        self._random_state = random_state
        self._folder = None if checkpoint is None else Path(checkpoint)
        self._show_progress = show_progress

    def to_end(self, budget_s: float) -> JointResult:
        """Go on from the checkpoint until nothing is gained or the rounds or the time are used up."""
        state = self._begin()
        spent = sum(report.seconds for report in state.rounds)
        deadline = time.monotonic() + budget_s - spent
        current = self._encoder(state.values)
        while len(state.rounds) < self._settings.rounds and not state.is_stopped and _fits(state, deadline):
            start = time.monotonic()
            state = self._publish(state, current)
            state, current = self._round(state, current, start, deadline)
            self._save(state)
        state = self._publish(state, current)
        self._save(state)
        return JointResult(
            encoder=current.inner, version=state.made[-1], written=state.written, rounds=state.rounds
        )

    def _begin(self) -> JointState:
        """Read the checkpoint, or begin with the base."""
        found = self._folder and load_checkpoint(self._folder, key=self._key())
        if found:
            return found
        state = JointState(before=tuple(info.id for info in self._index.versions()))
        self._save(state)
        return state

    def _save(self, state: JointState) -> None:
        if self._folder is not None:
            save_checkpoint(self._folder, state, key=self._key())

    def _encoder(self, values: Values) -> _Current:
        settings = self._settings
        return _Current(encoder_of(self._base, values, settings.method, settings.trained_layers))

    def _publish(self, state: JointState, current: _Current) -> JointState:
        """Index with the current encoder, swap the aliases, and drop what no reader needs."""
        task = self._task
        version = self._index.build(task.items, current, task.graph, show_progress=self._show_progress)
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
        self, state: JointState, current: _Current, start: float, deadline: float
    ) -> tuple[JointState, _Current]:
        """Mine, train, and compare; the new state with its encoder."""
        task = self._task
        seed = int(np.random.SeedSequence([self._random_state, len(state.rounds)]).generate_state(1)[0])
        version = self._index.open(state.made[-1], fingerprint=current.fingerprint)
        mined = Mined(
            negatives=mine_rows(version, task, self._settings),
            neighbourhoods=mine_others(version, task, self._settings),
        )
        values = self._trained(state, mined, seed, deadline)
        candidate = self._encoder(values)
        gain = task.gain(version, candidate, np.random.default_rng(seed))
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

    def _trained(self, state: JointState, mined: Mined, seed: int, deadline: float) -> Values:
        left = deadline - time.monotonic()
        plan = self._settings.plan(
            random_state=seed,
            # A moment at least, in which one epoch begins.
            budget_s=None if left == float("inf") else max(left, 1e-3),
            show_progress=self._show_progress,
        )
        return train_round(
            self._base,
            state.values,
            self._task.training,
            list(self._task.others.values()),
            mined,
            self._settings,
            plan,
        )

    def _key(self) -> str:
        """Digest of all that the rounds depend on."""
        # A run of more rounds goes on from one of fewer.
        settings = repr(replace(self._settings, rounds=1))
        parts = (self._base.fingerprint, self._task.digest, settings, str(self._random_state))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _fits(state: JointState, deadline: float) -> bool:
    """Whether a round like the longest so far would end in time."""
    longest = max((report.seconds for report in state.rounds), default=0.0)
    return time.monotonic() + longest < deadline
