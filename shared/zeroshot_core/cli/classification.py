"""``zeroshot evaluate classification``: how well texts get labels with no examples, or few."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.console import note, write_json, write_line, write_table

if TYPE_CHECKING:
    from zeroshot_core.evaluation.generalised_zero_shot import GeneralisedReport
    from zeroshot_core.evaluation.text_classification import ClassificationReport

__all__ = ["classification"]


class _LabelledTexts(str, Enum):
    BANKING77 = "banking77"
    CLINC150 = "clinc150"
    BBC = "bbc"
    PRODUCTS = "products"


class _LabelMode(str, Enum):
    ZERO_SHOT = "zero-shot"
    FEW_SHOT = "few-shot"
    GZSL = "gzsl"


class _LabelTune(str, Enum):
    NONE = "none"
    HEAD = "head"
    FULL = "full"


def classification(
    data: Annotated[_LabelledTexts, typer.Option(help="Which texts.")] = _LabelledTexts.BBC,
    mode: Annotated[
        _LabelMode, typer.Option(help="Examples of no label, of each label, or of some (gzsl).")
    ] = _LabelMode.ZERO_SHOT,
    shots: Annotated[int, typer.Option(min=1, help="Examples of a label, in few-shot and gzsl.")] = 10,
    tune: Annotated[
        _LabelTune, typer.Option(help="Train a head over the encoder, or its upper layers.")
    ] = _LabelTune.NONE,
    seed: Annotated[int, typer.Option(min=0, help="Of drawing and of all learning.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Label texts, beside baselines."""
    from zeroshot_core.datasets import load_labelled_texts
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.evaluation.generalised_zero_shot import evaluate_generalised
    from zeroshot_core.evaluation.text_classification import evaluate_few_shot, evaluate_zero_shot

    note(f"reading {data.value}")
    texts, encoder = load_labelled_texts(data.value), load_encoder()
    if mode is _LabelMode.GZSL:
        generalised = evaluate_generalised(texts, seed, encoder=encoder, n_per_label=shots)
        if json:
            write_json(generalised.to_dict())
        else:
            _write_generalised(generalised)
        return
    if mode is _LabelMode.ZERO_SHOT:
        report = evaluate_zero_shot(texts, encoder, seed=seed, tune=tune.value)
    else:
        report = evaluate_few_shot(texts, encoder, n_per_label=shots, seed=seed, tune=tune.value)
    if json:
        write_json(report.to_dict())
    else:
        _write(report)


def _write(report: ClassificationReport) -> None:
    rows = [
        [
            name.replace("_", " "),
            f"{scores.accuracy:.3f}",
            f"{scores.low:.3f} - {scores.high:.3f}",
            f"{scores.macro_f1:.3f}",
            "" if scores.calibration_error is None else f"{scores.calibration_error:.3f}",
        ]
        for name, scores in {**report.scores, **report.baselines}.items()
    ]
    write_table(
        f"{report.data}, {report.mode}, seed {report.seed}",
        ["method", "accuracy", "95% interval", "macro F1", "calibration error"],
        rows,
        numbers=range(1, 5),
    )
    write_line(
        f"{report.n_labels} labels, {report.n_test:,} texts asked; {report.n_unlabelled:,} texts without "
        f"labels and {report.n_per_label} examples a label to learn from; {report.seconds:.0f} s"
    )


def _write_generalised(report: GeneralisedReport) -> None:
    rows = {"examples and label vectors, stacked": report.scores, **report.baselines}
    names = list(asdict(report.scores))
    write_table(
        f"{report.data}, {report.n_per_label} examples of {report.n_seen} labels, none of {report.n_unseen}",
        ["method", *(name.replace("_", " ") for name in names)],
        [
            [method.replace("_", " "), *(f"{value:.3f}" for value in asdict(scores).values())]
            for method, scores in rows.items()
        ],
        numbers=range(1, len(names) + 1),
    )
