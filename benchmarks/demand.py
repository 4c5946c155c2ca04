"""Forecasts for new items: the zero-shot regressor beside gradient boosting on the same items.

    python benchmarks/demand.py --data furniture --splits lines category name --seeds 0 1 2 3 4

Prints one markdown table, which may be pasted into benchmarks/README.md. With ``--tune head`` the
regressor over a tuned encoder stands beside it, and below the table the paired 95% interval of the change.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import version

import zeroshot_core
from output import argument_parser, print_command, print_header
from zeroshot_core.datasets import load_product_lines
from zeroshot_core.encoders import load_encoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.evaluation import DATA_SETS, evaluate_demand
from zeroshot_core.evaluation.demand import DemandReport, Scores, TunedScores

COLUMNS = (
    "rmsle",
    "wape",
    "spearman",
    "rmse",
    "total_ratio",
    "coverage_90",
    "width_90",
    "interval_score_90",
    "crps",
)
PACKAGES = ("catboost", "numpy", "pymilvus", "scikit-learn", "sentence-transformers", "torch")


def main(argv: list[str] | None = None) -> None:
    """Parse the arguments, run every split and seed, print a row for each method as it comes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--data", choices=list(DATA_SETS), default="complete-journey")
    parser.add_argument("--file", help="the furniture's ikea.csv")
    parser.add_argument("--splits", nargs="+", default=["lines"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--tune", default="none", help="fit over a tuned encoder too")
    parser.add_argument("--budget-s", type=float, help="seconds for tuning")
    arguments = parser.parse_args(argv)
    print_command(__file__, argv)
    print(f"Versions: {_versions()}\n")
    print_header("split", "seed", "method", *COLUMNS, "seconds")
    lines = None if arguments.data == "furniture" else load_product_lines()
    plain = load_encoder("all-MiniLM-L6-v2")
    # Weights can be trained only where nothing stands around them.
    read = RememberingEncoder(plain) if arguments.tune in {"none", "head"} else plain
    gains: list[str] = []
    for split in arguments.splits:
        for seed in arguments.seeds if split != "launch" else arguments.seeds[:1]:
            report = evaluate_demand(
                split,
                seed,
                data=arguments.data,
                file=arguments.file,
                encoder=read,
                lines=lines,
                tune=arguments.tune,
                budget_s=arguments.budget_s,
                with_catboost=True,
            )
            for method, scores, seconds in _methods(report):
                print(_row(split, seed, method, scores, seconds), flush=True)
            gains += [_gain(split, seed, report.tuned)] if report.tuned else []
    print("\n" + "\n".join(gains))


def _methods(report: DemandReport) -> Iterator[tuple[str, Scores, float | None]]:
    """Yield name, scores and, where it was measured, seconds of each method."""
    yield "zero-shot regressor", report.scores, report.seconds
    if report.tuned:
        yield f"with a tuned encoder ({report.tuned.tune})", report.tuned.scores, report.tuned.seconds
    yield "the same without the graph", report.no_graph, None
    yield from ((name.replace("_", " "), scores, None) for name, scores in report.baselines.items())


def _gain(split: str, seed: int, tuned: TunedScores) -> str:
    change = tuned.difference
    return (
        f"- {split} {seed}: tuning changes the squared log error by {change.mean:+.4f} "
        f"(95%: {change.low:+.4f} to {change.high:+.4f}); {tuned.verdict}"
    )


def _row(split: str, seed: int, method: str, scores: Scores, seconds: float | None) -> str:
    figures = [f"{getattr(scores, column):.3f}" for column in COLUMNS]
    return " | ".join(["| " + split, str(seed), method, *figures, f"{seconds:.0f} |" if seconds else "|"])


def _versions() -> str:
    installed = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"zeroshot-milvus {zeroshot_core.__version__}, Python {platform.python_version()}, {installed}"


if __name__ == "__main__":
    main()
