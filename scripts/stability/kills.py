"""SIGKILL at random moments of every write; then a fresh look, and the same write once more to its end.

A step takes what an operation keeps from one known state to the next. After the kill each row must be as it
was before the step or as it is after it, none lost, none twice, and models must answer as before or as after.
Then the step is done again: now all must be as after.
"""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from zeroshot_core import Item, ZeroShotClassifier, ZeroShotRegressor, load_model
from zeroshot_core.index import OpenVersion

from scripts.stability.outcome import CampaignOutcome, Tally, hang_s, target_name
from scripts.stability.samples import (
    ENCODER,
    GRAPH,
    KINDS,
    QUERIES,
    Place,
    answers_of,
    examples,
    fitted_classifier,
    rows_of,
    same_answers,
    stock,
)
from scripts.stability.sandbox import DeadWorkerError, FilesOfOthers, Worker

__all__ = ["compare_rows", "run"]

Send = Callable[[Any], None]
_N = 60


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Kill `n` times, the same number of times in each operation."""
    tally = Tally("kills", target_name(uri), n)
    rng = np.random.default_rng(seed)
    met = 0
    for place, kind in enumerate(OPERATIONS):
        share = n // len(OPERATIONS) + (place < n % len(OPERATIONS))
        if share:
            met += _Campaign(kind(Place.of(uri, folder / kind.name)), tally, rng).run(share)
    tally.notes.append(f"{met} of {n} kills met the write under way")
    return tally.outcome()


class _Campaign:
    """All kills of one operation."""

    def __init__(self, operation: Operation, tally: Tally, rng: np.random.Generator) -> None:
        self.operation, self.tally, self.rng = operation, tally, rng

    def run(self, n: int) -> int:
        """Kill `n` times; how often the write was under way."""
        others = FilesOfOthers(self.operation.place.folder)
        with self.tally.guarded(f"{self.operation.name}: prepare", 300):
            self.operation.prepare()
        # The first step is done without a kill, to know how long it takes.
        seconds = self._finish(0, limit=300)
        met = 0
        for step in range(1, n + 1):
            met += self._kill(step, seconds * self.rng.uniform(0, 1.05))
            self._look(step, is_finished=False, when="after a kill")
            took = self._finish(step, limit=hang_s() + 5 * seconds)
            seconds = 0.7 * seconds + 0.3 * took
            self.tally.advance()
        for name in others.touched():
            self.tally.fail("foreign", f"{self.operation.name}: {name}")
        with self.tally.guarded(f"{self.operation.name}: clear", 300):
            self.operation.clear()
        return met

    def _kill(self, step: int, delay: float) -> bool:
        worker = Worker(_act, self.operation, step)
        try:
            worker.receive(5 * hang_s())
            is_under_way = not worker.pipe.poll(delay)
        except (TimeoutError, DeadWorkerError) as error:
            self.tally.fail("raw", f"{self.operation.name}, step {step}, opening: {error}")
            is_under_way = False
        worker.kill()
        return is_under_way

    def _finish(self, step: int, *, limit: float) -> float:
        """Do the step to its end, and look; the seconds it took."""
        what = f"{self.operation.name}, step {step}"
        worker = Worker(_act, self.operation, step)
        start, told = time.monotonic(), None
        try:
            worker.receive(5 * hang_s())
            start = time.monotonic()
            told = worker.receive(limit)
            worker.end()
        except TimeoutError as error:
            self.tally.fail("hangs", f"{what}, done again: {error}")
        except DeadWorkerError as error:
            self.tally.fail("raw", f"{what}, done again: {error}")
            worker.kill()
        seconds = time.monotonic() - start
        self._look(step, is_finished=True, when="done again", told=told)
        with self.tally.guarded(f"{what}: settle", 60):
            self.operation.settle(step)
        return seconds

    def _look(self, step: int, *, is_finished: bool, when: str, told: Any = None) -> None:
        what = f"{self.operation.name}, step {step}, {when}"
        with self.tally.guarded(what, 3 * hang_s()):
            start = time.monotonic()
            for kind, problem in self.operation.look(step, is_finished=is_finished, told=told):
                self.tally.fail(kind, f"{what}: {problem}")
            if time.monotonic() - start > hang_s():
                self.tally.fail("hangs", f"{what}: the look took {time.monotonic() - start:.0f} s")


def _act(operation: Operation, step: int, send: Send) -> None:
    operation.act(step, send)


Problems = list[tuple[str, str]]


class Operation(ABC):
    """A write that may be cut short: what it starts from, what it does, and what may be there then.

    Parameters
    ----------
    place
        Where it works.
    """

    name: ClassVar[str]

    def __init__(self, place: Place) -> None:
        self.place = place

    @abstractmethod
    def prepare(self) -> None:
        """Make the state before step 0."""

    @abstractmethod
    def act(self, step: int, send: Send) -> None:
        """Open what is needed, say that the write begins, write, and say what it gave; in a process apart."""

    @abstractmethod
    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        """Open everything anew, and give what is wrong with it."""

    def settle(self, step: int) -> None:  # noqa: B027 - most have nothing to settle
        """Go on to the state before the next step."""

    def clear(self) -> None:
        """Leave nothing on a server."""
        if self.place.uri:
            self.place.clear()


def compare_rows(
    found: OpenVersion, before: Mapping[str, Item], after: Mapping[str, Item], *, is_finished: bool
) -> Problems:
    """Find what is wrong with the rows of a version on the way from one state to another."""
    ids, count = _settled(found)
    problems: Problems = []
    if count != len(set(ids)):
        problems.append(("doubled", f"{count} rows of {len(set(ids))} ids"))
    rows = rows_of(found)
    must = after.keys() if is_finished else before.keys() & after.keys()
    lost = sorted(must - rows.keys())
    if lost:
        problems.append(("lost", f"{len(lost)} rows, such as {lost[0]}"))
    for id_, item in rows.items():
        allowed = [after.get(id_)] if is_finished else [before.get(id_), after.get(id_)]
        if item not in allowed:
            problems.append(("wrong", f"row {item} where {allowed} was written"))
    known = [id_ for id_ in ids if rows.get(id_) is not None]
    if known:
        vectors = found.item_vectors(known)
        right = ENCODER.encode([rows[id_].text for id_ in known])
        if not np.allclose(vectors, right, atol=1e-5):
            problems.append(("wrong", "a vector is not that of its text"))
        best = found.search_items(right[:5], 1).ids
        texts = [[rows[id_].text for id_ in hit] for hit in best]
        if texts != [[rows[id_].text] for id_ in known[:5]]:
            problems.append(("wrong", f"items {known[:5]} find {best}"))
    return problems


def _settled(found: OpenVersion) -> tuple[list[str], int]:
    """Ids and count of the rows once both say the same, if they ever do.

    A server goes on with what a client asked of it before it was killed.
    """
    for _ in range(4):
        ids, count = found.all_ids(), found.count()
        if count == len(ids) == found.count():
            break
        time.sleep(1)
    return ids, count


class _IndexOperation(Operation):
    """A write into an index whose first version holds the stock."""

    def prepare(self) -> None:
        with self.place.connect() as index:
            index.activate(index.build(stock(range(_N)), ENCODER, GRAPH))

    def live(self, index: Any) -> OpenVersion:
        return index.open(fingerprint=ENCODER.fingerprint)


class Build(_IndexOperation):
    """Write a version beside the live one."""

    name = "build"

    def items(self, step: int) -> dict[str, Item]:
        return {item.id: item for item in stock(range(step % 3, 150), f"round {step}")}

    def act(self, step: int, send: Send) -> None:
        with self.place.connect() as index:
            send("ready")
            send(index.build(self.items(step).values(), ENCODER, GRAPH))

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        old = {item.id: item for item in stock(range(_N))}
        with self.place.connect() as index:
            problems = compare_rows(self.live(index), old, old, is_finished=True)
            versions = {info.id: info for info in index.versions()}
            if is_finished and told not in versions:
                return [*problems, ("lost", f"version {told}")]
            if is_finished:
                if versions[told].state != "ready":
                    problems.append(("wrong", f"{versions[told]}"))
                opened = index.open(told, fingerprint=ENCODER.fingerprint)
                after = self.items(step)
                problems += compare_rows(opened, after, after, is_finished=True)
                if len(opened.relations_of(GRAPH.concept_ids)) != len(GRAPH.relations):
                    problems.append(("lost", "relations of the graph"))
        return problems

    def settle(self, step: int) -> None:
        with self.place.connect() as index:
            live = index.live
            assert live is not None
            for info in index.versions():
                if info.id != live.id:
                    index.drop(info.id)


class Activate(_IndexOperation):
    """Swap the aliases from one of two versions to the other."""

    name = "activate"

    def prepare(self) -> None:
        super().prepare()
        with self.place.connect() as index:
            self.ids = [index.build(stock(range(_N), word), ENCODER, GRAPH) for word in ("article", "thing")]

    def rows(self, step: int) -> dict[str, Item]:
        return {item.id: item for item in stock(range(_N), ("article", "thing")[step % 2])}

    def act(self, step: int, send: Send) -> None:
        with self.place.connect() as index:
            send("ready")
            index.activate(self.ids[(step + 1) % 2])
            send("done")

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        with self.place.connect() as index:
            live = index.live
            if live is None:
                return [("lost", "the live version")]
            allowed = {self.ids[(step + 1) % 2]: self.rows(step + 1)}
            if not is_finished:
                allowed[self.ids[step % 2]] = self.rows(step)
            if live.id not in allowed:
                return [("wrong", f"live is {live.id}, expected one of {list(allowed)}")]
            rows = allowed[live.id]
            return compare_rows(self.live(index), rows, rows, is_finished=True)


class Upsert(_IndexOperation):
    """Replace half of the rows, and add some."""

    name = "upsert"

    def written(self, step: int) -> list[Item]:
        added = [
            Item(id=f"added-{step}-{n}", text=f"added in round {step}, number {n}", concepts=("kind:tea",))
            for n in range(3)
        ]
        return [*stock(range(0, _N, 2), f"round {step}"), *added]

    def rows(self, step: int) -> dict[str, Item]:
        """Give what is there before a step."""
        rows = {item.id: item for item in stock(range(_N))}
        for done in range(step):
            rows |= {item.id: item for item in self.written(done)}
        return rows

    def act(self, step: int, send: Send) -> None:
        with self.place.connect() as index:
            version = self.live(index)
            send("ready")
            version.upsert(self.written(step), ENCODER)
            send("done")

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        with self.place.connect() as index:
            return compare_rows(
                self.live(index), self.rows(step), self.rows(step + 1), is_finished=is_finished
            )


class Delete(_IndexOperation):
    """Delete a third of the rows; they are put back before the next step."""

    name = "delete"

    def gone(self, step: int) -> list[str]:
        return [f"i{(7 * step + 3 * n) % _N}" for n in range(_N // 3)]

    def act(self, step: int, send: Send) -> None:
        with self.place.connect() as index:
            version = self.live(index)
            send("ready")
            version.delete(self.gone(step))
            send("done")

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        before = {item.id: item for item in stock(range(_N))}
        after = {id_: item for id_, item in before.items() if id_ not in self.gone(step)}
        with self.place.connect() as index:
            return compare_rows(self.live(index), before, after, is_finished=is_finished)

    def settle(self, step: int) -> None:
        with self.place.connect() as index:
            self.live(index).upsert(stock(range(_N)), ENCODER)


class Fit(Operation):
    """Fit a regressor on other items, and save it over the one that serves."""

    name = "fit"

    @property
    def model(self) -> Path:
        return self.place.folder / "model"

    def index(self) -> Any:
        if self.place.uri:
            return self.place.connect()
        return str(self.model / "index.db")

    def items(self, step: int) -> tuple[list[Item], list[float]]:
        items = stock(range(3 * (step % 2), 12 + 3 * (step % 2)), f"set {step % 2}")
        return items, [float(len(item.text or "") * n) for n, item in enumerate(items)]

    def fitted(self, step: int, index: Any) -> ZeroShotRegressor:
        return ZeroShotRegressor(ENCODER, GRAPH, index=index, top_k=5).fit(*self.items(step))

    def prepare(self) -> None:
        self.expected = []
        for step in range(2):
            model = self.fitted(step, None)
            self.expected.append(model.predict(QUERIES).tolist())
            model.close()
        model = self.fitted(1, self.index())
        model.save(self.model)
        model.close()
        if self.place.uri:
            model.model_index_.index.close()

    def act(self, step: int, send: Send) -> None:
        index = self.index()
        send("ready")
        model = self.fitted(step, index)
        model.save(self.model, overwrite=True)
        send("done")
        model.close()
        if self.place.uri:
            index.close()

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        model = load_model(self.model, uri=self.place.uri)
        try:
            found = np.array(model.predict(QUERIES))
        finally:
            model.close()
        after, before = self.expected[step % 2], self.expected[(step + 1) % 2]
        allowed = [after] if is_finished else [before, after]
        if not any(np.allclose(found, each, rtol=1e-4) for each in allowed):
            return [("wrong", f"the model forecasts {found.tolist()}, expected {allowed}")]
        return []

    def settle(self, step: int) -> None:
        if self.place.uri:
            with self.place.connect() as index:
                live = index.live
                for info in index.versions():
                    if live is None or info.id != live.id:
                        index.drop(info.id)


class _ClassifierOperation(Operation):
    """A write of a saved classifier, beside a twin of it that nobody kills."""

    @property
    def model(self) -> Path:
        return self.place.folder / "model"

    def prepare(self) -> None:
        self.twin_folder = self.place.folder / "twin"
        twin = fitted_classifier()
        twin.save(self.twin_folder)
        twin.close()
        self.before = self.after = self.twin_answers(None)
        index = self.place.connect() if self.place.uri else None
        model = fitted_classifier(index)
        model.save(self.model)
        model.close()
        if index:
            index.close()
        self.twin_step = -1

    def twin_answers(self, step: int | None) -> Mapping[str, object]:
        """Answers of the twin after a step, which is saved; of it as it is for None."""
        twin = load_model(self.twin_folder)
        try:
            if step is not None:
                twin.partial_fit(*examples(step))
                twin.save(self.twin_folder, overwrite=True)
            return answers_of(twin)
        finally:
            twin.close()

    def load(self) -> ZeroShotClassifier:
        model = load_model(self.model, uri=self.place.uri)
        assert isinstance(model, ZeroShotClassifier)
        return model

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        if step != self.twin_step:
            self.twin_step, self.is_done = step, False
            self.before, self.after = self.after, self.twin_answers(step)
        elif is_finished and self.is_done:
            # The kill came when all was saved, so that the same is learned twice, which is not the same.
            self.after = self.twin_answers(step)
        model = self.load()
        try:
            found = answers_of(model)
            ids = model.version_.all_ids()
            count = model.version_.count()
        finally:
            model.close()
        problems: Problems = []
        if count != len(ids):
            problems.append(("doubled", f"{count} rows of {len(ids)} ids"))
        known = {item.id for item in stock(range(36))}
        if known - set(ids):
            problems.append(("lost", f"{len(known - set(ids))} examples of the fit"))
        self.is_done = not is_finished and same_answers(found, self.after)
        allowed = [self.after] if is_finished else [self.before, self.after]
        if not any(same_answers(found, each) for each in allowed):
            problems.append(
                ("wrong", f"the model answers {_short(found)}, expected {list(map(_short, allowed))}")
            )
        return problems


class PartialFit(_ClassifierOperation):
    """Learn further examples without saving, as far as the kill; then learn and save them."""

    name = "partial_fit"

    def act(self, step: int, send: Send) -> None:
        model = self.load()
        send("ready")
        model.partial_fit(*examples(step))
        # A kill from here on meets the save, which is an operation of its own.
        model.save(self.model, overwrite=True)
        send("done")
        model.close()


class Save(_ClassifierOperation):
    """Save further examples that were learned before."""

    name = "save"

    def act(self, step: int, send: Send) -> None:
        model = self.load()
        model.partial_fit(*examples(step))
        send("ready")
        model.save(self.model, overwrite=True)
        send("done")
        model.close()


class Joint(_IndexOperation):
    """Tune a head over the encoder and its index in rounds, with a checkpoint."""

    name = "joint rounds"

    def items(self) -> tuple[list[Item], list[str]]:
        items = stock(range(72))
        return items, [KINDS[n % len(KINDS)] for n in range(len(items))]

    def prepare(self) -> None:
        self.first = ""
        self.told: Any = None
        with self.place.connect() as index:
            self.first = index.build(self.items()[0], ENCODER)
            index.activate(self.first)

    def act(self, step: int, send: Send) -> None:
        from zeroshot_core.training import JointSettings, optimise_jointly

        settings = JointSettings(rounds=2, epochs=2, learning_rate=2e-3, batch_size=32)
        with self.place.connect() as index:
            send("ready")
            result = optimise_jointly(
                index,
                *self.items(),
                ENCODER,
                settings=settings,
                checkpoint=self.place.folder / "checkpoint",
            )
            send((result.version, result.encoder.fingerprint, len(result.rounds)))

    def look(self, step: int, *, is_finished: bool, told: Any) -> Problems:
        items = {item.id: item for item in self.items()[0]}
        problems: Problems = []
        with self.place.connect() as index:
            live = index.live
            if live is None:
                return [("lost", "the live version")]
            opened = index.open(fingerprint=live.fingerprint)
            if rows_of(opened) != items or opened.count() != len(items):
                problems.append(("lost", f"{opened.count()} rows of {len(items)}"))
            ids = list(items)[:5]
            best = opened.search_items(opened.item_vectors(ids), 1).ids
            if best != [[id_] for id_ in ids]:
                problems.append(("wrong", f"items {ids} find {best}"))
            if is_finished and told is not None:
                self.told = self.told or told
                if told != self.told or live.id != told[0]:
                    problems.append(
                        ("wrong", f"the run gave {told}, live is {live.id}, expected {self.told}")
                    )
        return problems

    def settle(self, step: int) -> None:
        shutil.rmtree(self.place.folder / "checkpoint", ignore_errors=True)
        with self.place.connect() as index:
            index.activate(self.first)
            for info in index.versions():
                if info.id != self.first:
                    index.drop(info.id)


def _short(answers: Mapping[str, object]) -> str:
    return f"{answers['labels']}, rejecting {answers['rejecting']}"


OPERATIONS: tuple[type[Operation], ...] = (
    Build,
    Activate,
    Upsert,
    Delete,
    Fit,
    PartialFit,
    Save,
    Joint,
)
