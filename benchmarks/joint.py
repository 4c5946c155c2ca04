"""Joint optimisation of encoder and index against simpler tuning, on seen and on unseen classes.

    python benchmarks/joint.py --seeds 5

The classes of BANKING77 and CLINC150 are split into seen and unseen ones (50 and 27, 100 and 50). The encoder
is tuned on a few texts of the seen classes; then a few texts of all classes are indexed, and each test text
is searched among all of them. All ways of tuning have the same texts, held-out part, epochs and guard; they
differ in the negatives alone. Prints one markdown table: accuracy of the vote of the nearest ten, mean
average precision, seconds of tuning, and the gains over in-batch negatives with 95% intervals (paired
bootstrap over the test texts of all seeds).

The data are found in the folder of the environment variable ZEROSHOT_DATA, else ../shared/data: `banking77`
(`train.csv`, `test.csv`) and `clinc150` (`data_full.json`).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.training.joint import JointSettings, optimise_jointly
from zeroshot_core.types import Item

N_SEEN = {"banking77": 50, "clinc150": 100}
N_VOTES = 10
N_RESAMPLES = 2000
BASELINE = "in-batch negatives"

Floats = npt.NDArray[np.float64]
Texts = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One seed: texts with labels to tune on, to index and to ask; which queries are of unseen classes."""

    training: Texts
    known: Texts
    queries: Texts
    is_unseen: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Right (1) or wrong (0) and average precision of each query, and the seconds of tuning."""

    right: Floats
    precision: Floats
    seconds: float


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, run all methods on all seeds, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=sorted(N_SEEN), default=sorted(N_SEEN))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--per-class", type=int, default=20, help="texts of each class to tune on and to index"
    )
    parser.add_argument("--queries-per-class", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=1, help="in each round; the others have as many in all")
    parser.add_argument("--trained-layers", type=int, help="upper layers to train; all by default")
    arguments = parser.parse_args(argv)
    folder = Path(os.environ.get("ZEROSHOT_DATA", "../shared/data"))
    if not folder.is_dir():
        sys.exit(f"the data are not there: set ZEROSHOT_DATA to the folder that holds {sorted(N_SEEN)}")
    print(
        "| set | method | seen | unseen | MAP seen | MAP unseen | s "
        "| gain seen | gain unseen | MAP gain unseen |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in arguments.sets:
        for row in table(name, folder, arguments):
            print(row, flush=True)


def table(name: str, folder: Path, arguments: argparse.Namespace) -> Iterator[str]:
    """Rows of one data set."""
    outcomes: dict[str, list[Outcome]] = {}
    is_unseen = []
    for seed in range(arguments.seeds):
        trial = draw(name, folder, arguments.per_class, arguments.queries_per_class, seed)
        is_unseen.append(trial.is_unseen)
        for method, encoder, seconds in tuned(trial, arguments, seed):
            outcomes.setdefault(method, []).append(ask(trial, encoder, seconds))
            print(f"{name}, seed {seed}, {method}: {seconds:.0f} s", file=sys.stderr, flush=True)
    parts = (~np.concatenate(is_unseen), np.concatenate(is_unseen))
    right = {method: np.concatenate([each.right for each in found]) for method, found in outcomes.items()}
    precision = {
        method: np.concatenate([each.precision for each in found]) for method, found in outcomes.items()
    }
    for method, found in outcomes.items():
        means = [f"{values[method][part].mean():.3f}" for values in (right, precision) for part in parts]
        gains = [
            interval(values[method][part] - values[BASELINE][part])
            for values, part in ((right, parts[0]), (right, parts[1]), (precision, parts[1]))
        ]
        seconds = np.mean([each.seconds for each in found])
        yield f"| {name} | {method} | {' | '.join(means)} | {seconds:.0f} | {' | '.join(gains)} |"


def draw(name: str, folder: Path, per_class: int, queries_per_class: int, seed: int) -> Trial:
    """Split the classes, and draw texts of each."""
    rng = np.random.default_rng(seed)
    train, test = read(name, folder)
    labels = rng.permutation(sorted({label for _, label in train})).tolist()
    seen = set(labels[: N_SEEN[name]])
    known = sample(train, per_class, rng)
    told = {text for text, _ in known}
    queries = [pair for pair in sample(test, queries_per_class, rng) if pair[0] not in told]
    return Trial(
        training=[pair for pair in known if pair[1] in seen],
        known=known,
        queries=queries,
        is_unseen=np.array([label not in seen for _, label in queries]),
    )


def read(name: str, folder: Path) -> tuple[Texts, Texts]:
    """Texts with labels to learn from and to test on."""
    if name == "clinc150":
        parts = json.loads((folder / name / "data_full.json").read_text(encoding="utf-8"))
        return [tuple(pair) for pair in parts["train"]], [tuple(pair) for pair in parts["test"]]
    found = []
    for part in ("train", "test"):
        with (folder / name / f"{part}.csv").open(encoding="utf-8", newline="") as file:
            found.append([(row["text"], row["category"]) for row in csv.DictReader(file)])
    return found[0], found[1]


def sample(pairs: Texts, n: int, rng: np.random.Generator) -> Texts:
    """At most `n` distinct texts of each label."""
    of_label: dict[str, dict[str, None]] = {}
    for place in rng.permutation(len(pairs)).tolist():
        text, label = pairs[place]
        of_label.setdefault(label, {})[text] = None
    return [(text, label) for label in sorted(of_label) for text in list(of_label[label])[:n]]


def tuned(trial: Trial, arguments: argparse.Namespace, seed: int) -> Iterator[tuple[str, Encoder, float]]:
    """Each method's encoder, and how long it took."""
    base = load_encoder()
    yield "frozen", base, 0.0
    rounds, layers = arguments.rounds, arguments.trained_layers
    at_once = JointSettings(epochs=rounds * arguments.epochs, trained_layers=layers)
    for method, n_rounds, settings in (
        (BASELINE, 1, replace(at_once, n_negatives=0)),
        ("negatives mined once", 1, at_once),
        ("joint rounds", rounds, replace(at_once, epochs=arguments.epochs)),
    ):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/tuning.db") as index:
            result = optimise_jointly(
                index,
                as_items(trial.training),
                [label for _, label in trial.training],
                base,
                settings=replace(settings, rounds=n_rounds),
                random_state=seed,
            )
            print(*result.rounds, sep="\n", file=sys.stderr)
        yield method, result.encoder, time.monotonic() - start


def ask(trial: Trial, encoder: Encoder, seconds: float) -> Outcome:
    """Search each query among the indexed texts of all classes."""
    labels = {f"{place}": label for place, (_, label) in enumerate(trial.known)}
    with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/known.db") as index:
        version = index.open(index.build(as_items(trial.known), encoder), fingerprint=encoder.fingerprint)
        vectors = encoder.encode([text for text, _ in trial.queries], role="query")
        found = version.search_items(vectors, len(trial.known))
    right, precision = [], []
    for (_, label), ids, scores in zip(trial.queries, found.ids, found.scores, strict=True):
        names = [labels[id_] for id_ in ids]
        right.append(float(vote(names[:N_VOTES], scores[:N_VOTES]) == label))
        hits = np.array([name == label for name in names])
        ranks = np.flatnonzero(hits) + 1
        precision.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    return Outcome(right=np.array(right), precision=np.array(precision), seconds=seconds)


def vote(names: Sequence[str], scores: Floats) -> str:
    """Label with the largest sum of scores."""
    sums: dict[str, float] = {}
    for name, score in zip(names, scores.tolist(), strict=True):
        sums[name] = sums.get(name, 0.0) + score
    return max(sums, key=lambda name: sums[name])


def as_items(pairs: Texts) -> list[Item]:
    """Items with their places as ids."""
    return [Item(id=str(place), text=text) for place, (text, _) in enumerate(pairs)]


def interval(differences: Floats) -> str:
    """Mean difference with its bootstrap interval."""
    rng = np.random.default_rng(0)
    means = [
        differences[rng.integers(0, len(differences), len(differences))].mean() for _ in range(N_RESAMPLES)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
