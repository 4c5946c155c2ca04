"""Joint optimisation of encoder and index against simpler tuning, on seen and on unseen classes.

    python benchmarks/joint.py --seeds 5

The classes of BANKING77 and CLINC150 are split into seen and unseen ones (50 and 27, 100 and 50), and a few
texts of all of them are indexed. All ways of tuning are given all these texts and the labels of the seen
classes; they have the same held-out part, epochs, steps and guard, and differ in what they take from the
index: nothing, hard negatives and unlabelled neighbours mined once, or both mined anew from the live version
in each round; one row has the rounds with labelled texts alone. A step has 64 labelled texts, and 32
unlabelled ones besides where those are learned from. Then each test text is searched among the indexed ones.
Prints one markdown table: accuracy of the vote of the nearest ten, mean average precision,
seconds of tuning, and the gains over in-batch negatives with 95% intervals (paired bootstrap over the test
texts of all seeds).

A residual head over the frozen encoder is trained, each text read once for all; `--trained-layers` trains the
upper layers of the encoder instead, which takes much longer.

The data are found in the folder of the environment variable ZEROSHOT_DATA, else ../shared/data: `banking77`
(`train.csv`, `test.csv`) and `clinc150` (`data_full.json`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from output import argument_parser, print_header
from zeroshot_core.datasets import load_labelled_texts
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.statistics import percentile_interval, resampled_means
from zeroshot_core.training import JointSettings, optimise_jointly
from zeroshot_core.types import Item

N_SEEN = {"banking77": 50, "clinc150": 100}
DEV_SEED = 100
N_VOTES = 10
N_RESAMPLES = 2000
BASELINE = "in-batch negatives"
METHODS = (BASELINE, "mined once", "joint rounds", "joint rounds, labelled texts alone")

Floats = npt.NDArray[np.float64]
Texts = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One seed: texts to index, which of them have no label, and texts to ask with, which are unseen."""

    known: Texts
    is_unlabelled: npt.NDArray[np.bool_]
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
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=sorted(N_SEEN), default=sorted(N_SEEN))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--per-class", type=int, default=10, help="texts of each class to tune on and to index"
    )
    parser.add_argument("--queries-per-class", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=2, help="in each round; the others have as many in all")
    parser.add_argument("--trained-layers", type=int, help="train so many upper layers, and no head")
    parser.add_argument("--rate", type=float, help="highest learning rate; 1e-3 for a head, else 5e-5")
    parser.add_argument(
        "--dev", action="store_true", help="ask with training texts, seeds from 100 on: to choose settings by"
    )
    arguments = parser.parse_args(argv)
    print_header(
        "set",
        "method",
        "seen",
        "unseen",
        "MAP seen",
        "MAP unseen",
        "s",
        "gain seen",
        "gain unseen",
        "MAP gain seen",
        "MAP gain unseen",
    )
    is_head = arguments.trained_layers is None
    base = RememberingEncoder(load_encoder()) if is_head else load_encoder()
    settings = JointSettings(
        rounds=arguments.rounds,
        epochs=arguments.epochs,
        trained_layers=arguments.trained_layers,
        learning_rate=arguments.rate or (1e-3 if is_head else 5e-5),
    )
    for name in arguments.sets:
        for row in table(name, base, settings, arguments):
            print(row, flush=True)


def table(name: str, base: Encoder, settings: JointSettings, arguments: argparse.Namespace) -> Iterator[str]:
    """Rows of one data set."""
    outcomes: dict[str, list[Outcome]] = {}
    is_unseen = []
    data = load_labelled_texts(name)
    train = list(zip(data.train_texts, data.train_labels, strict=True))
    test = list(zip(data.test_texts, data.test_labels, strict=True))
    first = DEV_SEED if arguments.dev else 0
    for seed in range(first, first + arguments.seeds):
        parts = (train, train if arguments.dev else test)
        trial = draw(parts, N_SEEN[name], arguments.per_class, arguments.queries_per_class, seed)
        is_unseen.append(trial.is_unseen)
        for method, outcome in measured(trial, base, settings, arguments.methods, seed):
            outcomes.setdefault(method, []).append(outcome)
    unseen = np.concatenate(is_unseen)
    groups = (~unseen, unseen)
    right = {method: np.concatenate([each.right for each in found]) for method, found in outcomes.items()}
    precision = {
        method: np.concatenate([each.precision for each in found]) for method, found in outcomes.items()
    }
    for method, found in outcomes.items():
        means = [f"{values[method][part].mean():.3f}" for values in (right, precision) for part in groups]
        gains = [
            interval(values[method][part] - values[BASELINE][part])
            for values, part in ((right, ~unseen), (right, unseen), (precision, ~unseen), (precision, unseen))
        ]
        seconds = np.mean([each.seconds for each in found])
        yield f"| {name} | {method} | {' | '.join(means)} | {seconds:.0f} | {' | '.join(gains)} |"


def draw(parts: tuple[Texts, Texts], n_seen: int, per_class: int, queries_per_class: int, seed: int) -> Trial:
    """Split the classes, and draw texts of each."""
    rng = np.random.default_rng(seed)
    train, test = parts
    labels = rng.permutation(sorted({label for _, label in train})).tolist()
    seen = set(labels[:n_seen])
    known = sample(train, per_class, rng)
    indexed = {text for text, _ in known}
    queries = [pair for pair in sample(test, queries_per_class, rng) if pair[0] not in indexed]
    return Trial(
        known=known,
        is_unlabelled=np.array([label not in seen for _, label in known]),
        queries=queries,
        is_unseen=np.array([label not in seen for _, label in queries]),
    )


def sample(pairs: Texts, n: int, rng: np.random.Generator) -> Texts:
    """At most `n` distinct texts of each label."""
    of_label: dict[str, dict[str, None]] = {}
    for place in rng.permutation(len(pairs)).tolist():
        text, label = pairs[place]
        of_label.setdefault(label, {})[text] = None
    return [(text, label) for label in sorted(of_label) for text in list(of_label[label])[:n]]


def measured(
    trial: Trial, base: Encoder, settings: JointSettings, methods: Sequence[str], seed: int
) -> Iterator[tuple[str, Outcome]]:
    """Each method on an index that all share: what it answers in the end."""
    items = [Item(id=str(place), text=text) for place, (text, _) in enumerate(trial.known)]
    labels = [
        None if is_unlabelled else label
        for (_, label), is_unlabelled in zip(trial.known, trial.is_unlabelled, strict=True)
    ]
    at_once = replace(settings, rounds=1, epochs=settings.rounds * settings.epochs)
    in_batch = replace(at_once, n_negatives=0, n_neighbours=0)
    ways = dict(zip(METHODS, (in_batch, at_once, settings, replace(settings, n_neighbours=0)), strict=True))
    with tempfile.TemporaryDirectory() as folder, VectorIndex.connect(f"{folder}/index.db") as index:
        index.activate(index.build(items, base))
        yield "frozen", ask(trial, index, base, 0.0)
        for method in methods:
            start = time.monotonic()
            result = optimise_jointly(index, items, labels, base, settings=ways[method], random_state=seed)
            seconds = time.monotonic() - start
            print(f"seed {seed}, {method}: {result.verdict}, {seconds:.0f} s", file=sys.stderr, flush=True)
            yield method, ask(trial, index, result.encoder, seconds)


def ask(trial: Trial, index: VectorIndex, encoder: Encoder, seconds: float) -> Outcome:
    """Rank the texts of the live version for each query."""
    labels = np.array([label for _, label in trial.known])
    vectors = index.open(fingerprint=encoder.fingerprint).item_vectors([str(n) for n in range(len(labels))])
    scores = encoder.encode([text for text, _ in trial.queries], role="query") @ vectors.T
    order = np.argsort(-scores, axis=1, kind="stable")
    right, precision = [], []
    for (_, label), own, ranked in zip(trial.queries, scores, order, strict=True):
        nearest = ranked[:N_VOTES]
        right.append(float(vote(labels[nearest].tolist(), own[nearest]) == label))
        ranks = np.flatnonzero(labels[ranked] == label) + 1
        precision.append(float((np.arange(1, len(ranks) + 1) / ranks).mean()))
    return Outcome(right=np.array(right), precision=np.array(precision), seconds=seconds)


def vote(names: Sequence[str], scores: npt.NDArray[np.floating[Any]]) -> str:
    """Label with the largest sum of scores."""
    sums: dict[str, float] = {}
    for name, score in zip(names, scores.tolist(), strict=True):
        sums[name] = sums.get(name, 0.0) + score
    return max(sums, key=lambda name: sums[name])


def interval(differences: Floats) -> str:
    """Mean difference with its bootstrap interval."""
    low, high = percentile_interval(resampled_means(differences, N_RESAMPLES, np.random.default_rng(0)))
    return f"{differences.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


if __name__ == "__main__":
    main()
