"""The steps of a joint run: publish, mine, train, compare, and once more on all texts."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.training.joint_checkpoint import (
    JointState,
    RoundReport,
    load_checkpoint,
    save_checkpoint,
)
from zeroshot_core.training.joint_learner import CurrentEncoder, Values, encoder_of
from zeroshot_core.training.joint_task import JointTask, mine
from zeroshot_core.training.joint_training import JointSettings, Trainer
from zeroshot_core.training.plan import TrainingPlan
from zeroshot_core.training.probing import spread

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.index import VectorIndex

__all__ = ["JointRun"]

# Vectors have collapsed if their spread falls below this share of the base's.
_COLLAPSED = 0.1


class JointRun:
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
        self._trainer: Trainer | None = None

    def to_end(self, budget_s: float) -> tuple[Encoder, JointState]:
        """Go on from the checkpoint until nothing is gained or the rounds or the time are used up.

        The last version that the state has made is live then.
        """
        state = self._begin()
        spent = sum(report.seconds for report in state.rounds)
        deadline = time.monotonic() + budget_s - spent
        current = self._encoder(state.values)
        while len(state.rounds) < self._settings.rounds and not state.is_over and _fits(state, deadline):
            start = time.monotonic()
            state = self._publish(state, current)
            state, current = self._round(state, current, start, deadline)
            self._save(state)
        if self._settings.refit and not state.is_refitted and _refits(state, deadline):
            state = replace(state, values=self._refitted(state), is_refitted=True)
            current = self._encoder(state.values)
        state = self._publish(state, current)
        self._save(state)
        return current.inner, state

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

    def _encoder(self, values: Values) -> CurrentEncoder:
        settings = self._settings
        return CurrentEncoder(encoder_of(self._base, values, settings.method, settings.trained_layers))

    def _publish(self, state: JointState, current: CurrentEncoder) -> JointState:
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
        self, state: JointState, current: CurrentEncoder, start: float, deadline: float
    ) -> tuple[JointState, CurrentEncoder]:
        """Mine, train, and compare; the new state with its encoder."""
        task = self._task
        seed = self._seed(len(state.rounds))
        version = self._index.open(state.made[-1], fingerprint=current.fingerprint)
        mined = mine(version, task, self._settings)
        self._trainer = self._trainer or self._trainer_on(task)
        values = self._trainer.train(state.values, mined, self._plan(seed, deadline))
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

    def _refitted(self, state: JointState) -> Values:
        """Go through the kept rounds once more on all texts, beside what serves; if that ends well."""
        whole = self._task.whole()
        trainer = self._trainer_on(whole)
        values: Values = {}
        for number in range(sum(report.is_kept for report in state.rounds)):
            encoder = self._encoder(values)
            there = {info.id for info in self._index.versions()}
            version = self._index.build(whole.items, encoder, whole.graph)
            mined = mine(self._index.open(version, fingerprint=encoder.fingerprint), whole, self._settings)
            if version not in there:
                self._index.drop(version)
            values = trainer.train(values, mined, self._plan(self._seed(number), float("inf")))
        texts = whole.examples.take(whole.probed).texts
        after, before = (spread(self._encoder(each).encode(texts)) for each in (values, {}))
        return values if after >= _COLLAPSED * before else state.values

    def _trainer_on(self, task: JointTask) -> Trainer:
        return Trainer(self._base, task.training, list(task.others.values()), self._settings)

    def _plan(self, seed: int, deadline: float) -> TrainingPlan:
        left = deadline - time.monotonic()
        return self._settings.plan(
            random_state=seed,
            # A moment at least, for one step.
            budget_s=None if left == float("inf") else max(left, 1e-3),
            show_progress=self._show_progress,
        )

    def _seed(self, number: int) -> int:
        return int(np.random.SeedSequence([self._random_state, number]).generate_state(1)[0])

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


def _refits(state: JointState, deadline: float) -> bool:
    """Whether a round gained, and all that did can be gone through again in time."""
    again = sum(report.seconds for report in state.rounds if report.is_kept)
    return again > 0 and time.monotonic() + again < deadline
