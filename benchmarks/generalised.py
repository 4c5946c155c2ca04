"""Generalised zero-shot classification: labels with ten examples and labels with none, in one prediction.

    python benchmarks/generalised.py --seeds 5

BANKING77 with 50 seen and 27 unseen labels, CLINC150 with 100 and 50, drawn anew for each seed; frozen
all-MiniLM-L6-v2, and labels by their names. Accuracies are those of the test texts among all labels.
The first baseline takes the label with the nearest example or label name. Prints one markdown table: mean and
standard deviation over the seeds.
"""

from __future__ import annotations

from collections.abc import Sequence

from output import argument_parser, mean_and_deviation, print_header
from zeroshot_core.datasets import load_labelled_texts
from zeroshot_core.encoders import load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.generalised_zero_shot import (
    SEEN_LABELS,
    GeneralisedReport,
    GeneralisedScores,
    evaluate_generalised,
)

COLUMNS = ("seen", "unseen", "harmonic_mean", "ausuc")


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, evaluate each set and seed, and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=SEEN_LABELS, default=list(SEEN_LABELS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--per-label", type=int, default=10)
    arguments = parser.parse_args(argv)
    encoder = RememberingEncoder(load_encoder())
    print_header("set", "method", "seen", "unseen", "harmonic mean", "AUSUC")
    for name in arguments.sets:
        data = load_labelled_texts(name)
        reports = [
            evaluate_generalised(data, seed, encoder=encoder, n_per_label=arguments.per_label)
            for seed in range(arguments.seeds)
        ]
        for line in rows(name, reports):
            print(line, flush=True)


def rows(name: str, reports: Sequence[GeneralisedReport]) -> list[str]:
    """Lines of the table for one set."""
    methods = {"classifier": [report.scores for report in reports]}
    for baseline in reports[0].baselines:
        methods[baseline.replace("_", " ")] = [report.baselines[baseline] for report in reports]
    lines = [f"| {name} | {method} | {cells(scores)} |" for method, scores in methods.items()]
    seen_only = mean_and_deviation([report.seen_only for report in reports])
    return [*lines, f"| {name} | linear probe, seen labels alone | {seen_only} | | | |"]


def cells(scores: Sequence[GeneralisedScores]) -> str:
    """Columns of one line."""
    return " | ".join(mean_and_deviation([getattr(each, column) for each in scores]) for column in COLUMNS)


if __name__ == "__main__":
    main()
