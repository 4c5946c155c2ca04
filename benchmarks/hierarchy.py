"""Labels in a hierarchy: what it does to scores, and answers with a wider concept where no label is sure.

    python benchmarks/hierarchy.py --sets products clinc150 --shots 0 5 --confidence 0.8

Prints a markdown table: accuracy with its 95% bootstrap interval; how often the label is at least of the
right kind; and for answers of at least the confidence, how many texts get one, how many of these are labels,
and how many are right. Each set is measured with its ``is_a`` relations and without. The products' 301 labels
are categories in departments, those of CLINC150 are intents in domains.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from output import argument_parser, print_header
from zeroshot_core.datasets import LabelledTexts, load_labelled_texts
from zeroshot_core.encoders import Encoder, load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation.text_classification import draw_examples
from zeroshot_core.graph import KnowledgeGraph, ancestors
from zeroshot_core.prediction import ZeroShotClassifier
from zeroshot_core.statistics import percentile_interval, resampled_means

_N_RESAMPLES = 1000
_FURTHEST = 20


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, measure, and print the table."""
    parser = argument_parser(__doc__)
    parser.add_argument("--sets", nargs="+", choices=("products", "clinc150"), default=["products"])
    parser.add_argument("--shots", nargs="+", type=int, default=[0, 5])
    parser.add_argument("--confidence", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    print_header(
        "set",
        "shots",
        "hierarchy",
        "accuracy",
        "95% interval",
        "right kind",
        "answered",
        "by a label",
        "right",
    )
    for name in arguments.sets:
        data, encoder = load_labelled_texts(name), RememberingEncoder(load_encoder())
        for shots in arguments.shots:
            for line in rows(data, encoder, shots, arguments.confidence, arguments.seed):
                print(line, flush=True)


def rows(data: LabelledTexts, encoder: Encoder, shots: int, confidence: float, seed: int) -> Iterator[str]:
    """One line of the table with the hierarchy, and one without."""
    bare = KnowledgeGraph(data.graph.concepts.values())
    for kind, graph in {"yes": data.graph, "no": bare}.items():
        model = ZeroShotClassifier(encoder, graph, random_state=seed)
        if shots:
            model.fit(*draw_examples(data, shots, seed), labels=data.labels)
        else:
            model.fit(labels=data.labels)
        best = model.predict(data.test_texts).tolist()
        sure = model.predict(data.test_texts, confidence=confidence).tolist()
        model.close()
        figures = " | ".join(measured(data, best, sure, seed))
        yield f"| {data.name} | {shots} | {kind} | {figures} |"


def measured(data: LabelledTexts, best: Sequence[str], sure: Sequence[str], seed: int) -> list[str]:
    """Figures of the best labels, and of the answers that are sure."""
    wider = {
        label: set(ancestors(data.graph, [label], _FURTHEST, ["is_a"])) | {label} for label in data.labels
    }
    pairs = list(zip(best, data.test_labels, strict=True))
    is_right = np.array([found == truth for found, truth in pairs])
    is_kin = [bool((wider[found] - {found}) & wider[truth]) or found == truth for found, truth in pairs]
    low, high = percentile_interval(resampled_means(is_right, _N_RESAMPLES, np.random.default_rng(seed)))
    answered = [(found, truth) for found, truth in zip(sure, data.test_labels, strict=True) if found]
    n_answered = max(1, len(answered))
    return [
        f"{is_right.mean():.3f}",
        f"{low:.3f} - {high:.3f}",
        f"{np.mean(is_kin):.3f}",
        f"{len(answered) / len(sure):.3f}",
        f"{sum(found in wider for found, _ in answered) / n_answered:.3f}",
        f"{sum(found in wider[truth] for found, truth in answered) / n_answered:.3f}",
    ]


if __name__ == "__main__":
    main()
