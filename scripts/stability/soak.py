"""A service for an hour: predict, learn, save, load anew, at a low rate, watched each minute."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from zeroshot_core import load_model

from scripts.stability.leaks import figures
from scripts.stability.outcome import CampaignOutcome, Tally, hang_s, target_name
from scripts.stability.samples import (
    QUERIES,
    Place,
    answers_of,
    examples,
    fitted_classifier,
    same_answers,
    stock,
)
from scripts.stability.sandbox import DeadWorkerError, FilesOfOthers, Worker

__all__ = ["run"]

_REST_S = 1.0
_LEARN_EVERY, _SAVE_EVERY = 15, 60
# Of an hour: what libraries and caches take in the first tenth is not a leak.
_WARM_UP = 0.1
_MB_PER_HOUR = 40


def run(n: int, *, uri: str | None = None, seed: int = 0, folder: Path) -> CampaignOutcome:
    """Serve for `n` seconds."""
    tally = Tally("soak", target_name(uri), n)
    others = FilesOfOthers(folder)
    place = Place.of(uri, folder / "service")
    minutes: list[dict[str, Any]] = []
    worker = Worker(_serve, place, n)
    start = time.monotonic()
    try:
        while (told := worker.receive(60 + 3 * hang_s())) is not None:
            for kind, what in told["problems"]:
                tally.fail(kind, f"after {told['second']:.0f} s: {what}")
            minutes.append(told)
            tally.advance(int(time.monotonic() - start) - tally.n)
        worker.end()
    except TimeoutError as error:
        tally.fail("hangs", f"after {time.monotonic() - start:.0f} s: {error}")
    except DeadWorkerError as error:
        tally.fail("raw", f"after {time.monotonic() - start:.0f} s: {error}")
    _judge(tally, minutes, n)
    for name in others.touched():
        tally.fail("foreign", name)
    if uri:
        place.clear()
    return tally.outcome()


def _judge(tally: Tally, minutes: list[dict[str, Any]], n: int) -> None:
    settled = [each for each in minutes if each["second"] >= _WARM_UP * n]
    if not settled:
        return
    first, last = settled[0], settled[-1]
    tally.notes.append(
        f"{last['asked']:,} predictions, {last['learned']} times learned, {last['saved']} times saved and "
        f"loaded; slowest round of questions {last['slowest']:.2f} s; {first['kB'] / 1024:.0f} MB after "
        f"{first['second'] / 60:.0f} minutes, {last['kB'] / 1024:.0f} MB after {last['second'] / 60:.0f}; "
        f"{first['threads']} to "
        f"{last['threads']} threads, {first['descriptors']} to {last['descriptors']} descriptors"
    )
    hours = (last["second"] - first["second"]) / 3600
    grown = (last["kB"] - first["kB"]) / 1024
    if n >= 600 and grown > max(_MB_PER_HOUR * hours, 10):
        tally.fail("wrong", f"memory grew by {grown:.0f} MB in {hours:.2f} hours")
    for what in ("threads", "descriptors"):
        if last[what] > first[what] + 5:
            tally.fail("wrong", f"{first[what]} {what} became {last[what]}")


class _Service:
    """A model that is asked, taught, saved and loaded."""

    def __init__(self, place: Place) -> None:
        self.place, self.folder = place, place.folder / "model"
        index = place.connect() if place.uri else None
        model = fitted_classifier(index)
        model.save(self.folder)
        model.close()
        if index:
            index.close()
        self.step = self.asked = self.learned = self.saved = 0
        self.slowest = 0.0
        self.ids = {item.id for item in stock(range(36))}
        self.problems: list[tuple[str, str]] = []
        self.model: Any = load_model(self.folder, uri=place.uri)
        self.expected = answers_of(self.model)

    def ask(self) -> None:
        start = time.monotonic()
        answers = answers_of(self.model)
        self.slowest = max(self.slowest, time.monotonic() - start)
        self.asked += 3 * len(QUERIES)
        if time.monotonic() - start > hang_s():
            self.problems.append(("hangs", f"a prediction took {time.monotonic() - start:.0f} s"))
        if not same_answers(answers, self.expected):
            self.problems.append(("wrong", "the model answers otherwise than a moment before"))
            self.expected = answers

    def learn(self) -> None:
        items, labels = examples(self.step)
        self.model.partial_fit(items, labels)
        self.ids |= {item.id for item in items}
        self.step += 1
        self.learned += 1
        self.expected = answers_of(self.model)
        missing = set(labels) - set(self.model.classes_)
        if missing:
            self.problems.append(("lost", f"labels {missing}"))

    def save_and_load(self) -> None:
        self.model.save(self.folder, overwrite=True)
        self.model.close()
        self.model = load_model(self.folder, uri=self.place.uri)
        self.saved += 1
        self.ask()
        there = self.model.version_.all_ids()
        if self.ids - set(there):
            self.problems.append(("lost", f"{len(self.ids - set(there))} rows"))
        if self.model.version_.count() != len(set(there)):
            self.problems.append(("doubled", f"{self.model.version_.count()} rows of {len(set(there))} ids"))


def _serve(place: Place, seconds: int, send: Any) -> None:
    service = _Service(place)
    start, round_number = time.monotonic(), 0
    # So that a short run does everything too.
    rest = min(_REST_S, seconds / (2 * _SAVE_EVERY + 1))
    reported = start
    while (now := time.monotonic()) - start < seconds:
        round_number += 1
        service.ask()
        if round_number % _LEARN_EVERY == 0:
            service.learn()
        if round_number % _SAVE_EVERY == 0:
            service.save_and_load()
        if now - reported >= 60:
            _report(service, now - start, send)
            reported = now
        time.sleep(rest)
    _report(service, time.monotonic() - start, send)
    service.model.close()
    send(None)


def _report(service: _Service, second: float, send: Any) -> None:
    send(
        {
            "second": second,
            "asked": service.asked,
            "learned": service.learned,
            "saved": service.saved,
            "slowest": service.slowest,
            "problems": service.problems,
            **figures(),
        }
    )
    service.problems = []
