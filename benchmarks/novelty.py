"""Texts that no known label fits: detection and open-set classification over seeds.

    python benchmarks/novelty.py --data clinc150 --tune none full
    python benchmarks/novelty.py --data banking77 --known 0.25 0.5 0.75 --tune none --seeds 10

CLINC150: all labels known, its 4,500 test texts against 1,000 out of scope. BANKING77: the known labels are
drawn at random for each seed, all their training texts are learned from, and all test texts are asked.
Encoders are trained on texts of the known labels alone. Prints one markdown table, means over the seeds:
AUROC / FPR95 of the weighted score, of the same learned without labels, and of the distance to the five
nearest; accuracy and macro-F1 with "new" as one more label at a rate of false alarms that is learned from
labels held out, unless one is given, and that rate among the known test texts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from output import argument_parser, print_header
from zeroshot_core.datasets import load_labelled_texts
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.novelty_detection import (
    Detection,
    NoveltyReport,
    evaluate_novelty,
    split_novelty,
    tuned_on_known,
)

HEADS = (
    "data",
    "known",
    "encoder",
    "weighted",
    "without labels",
    "5 nearest",
    "accuracy",
    "macro-F1",
    "alarms",
)


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, evaluate each share, encoder and seed, and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", choices=("clinc150", "banking77"), default="clinc150")
    parser.add_argument("--known", nargs="+", type=float, default=[None])
    parser.add_argument("--tune", nargs="+", choices=("none", "head", "full"), default=["none"])
    parser.add_argument("--false-alarm-rate", type=rate, default="auto")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args(argv)
    base = RememberingEncoder(load_encoder())
    print_header(*HEADS)
    for known in arguments.known:
        for tune in arguments.tune:
            reports = [
                evaluated(arguments.data, known, tune, seed, base, arguments.false_alarm_rate)
                for seed in range(arguments.seeds)
            ]
            print(row(known, tune, reports), flush=True)


def evaluated(
    name: str, known: float | None, tune: str, seed: int, base: Encoder, rate: float | str
) -> NoveltyReport:
    """Evaluate one cell."""
    data = load_labelled_texts(name)
    split = split_novelty(data, seed, known=known)
    encoder, calibration = base, None
    if tune != "none":
        encoder, _, calibration = tuned_on_known(
            load_encoder(), data, split, layers=tune == "full", seed=seed
        )
    return evaluate_novelty(
        data, split, encoder=encoder, calibration=calibration, seed=seed, false_alarm_rate=rate
    )


def rate(given: str) -> float | str:
    """Read a share, or "auto"."""
    return given if given == "auto" else float(given)


def row(known: float | None, tune: str, reports: Sequence[NoveltyReport]) -> str:
    """One line of the table."""
    detections = (
        [report.detection for report in reports],
        [report.without_labels for report in reports],
        [report.baselines["knn_distance"] for report in reports],
    )
    figures = ("accuracy", "macro_f1", "false_alarm_rate")
    cells = [reports[0].data, "all" if known is None else f"{known:g}", tune, *map(detected, detections)]
    cells += [f"{np.mean([getattr(r.open_set, name) for r in reports]):.3f}" for name in figures]
    return f"| {' | '.join(cells)} |"


def detected(found: Sequence[Detection]) -> str:
    """AUROC and FPR95."""
    return f"{np.mean([each.auroc for each in found]):.4f} / {np.mean([each.fpr95 for each in found]):.3f}"


if __name__ == "__main__":
    main()
