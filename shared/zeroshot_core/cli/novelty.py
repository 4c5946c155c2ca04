"""``zeroshot evaluate novelty``: how well texts of no known label are told from the others."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.console import note, write_json, write_line, write_table

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation.novelty_detection import NoveltyReport

__all__ = ["novelty"]


class _NoveltyTexts(str, Enum):
    CLINC150 = "clinc150"
    BANKING77 = "banking77"


class _NoveltyTune(str, Enum):
    NONE = "none"
    HEAD = "head"
    FULL = "full"


def _open_share(share: float | None) -> float | None:
    if share is not None and not 0 < share < 1:
        raise typer.BadParameter(f"expected a share above 0 and below 1, got {share}")
    return share


def _rate(given: str) -> float | str:
    from zeroshot_core.novelty.scorer import AUTO, check_false_alarm_rate

    try:
        rate = given if given == AUTO else float(given)
    except ValueError:
        rate = given
    check_false_alarm_rate(rate)
    return rate


def novelty(
    data: Annotated[_NoveltyTexts, typer.Option(help="Which texts.")] = _NoveltyTexts.CLINC150,
    known: Annotated[
        float | None,
        typer.Option(
            callback=_open_share,
            help="Share of the labels that are known; without it all of CLINC150's, half of BANKING77's.",
        ),
    ] = None,
    tune: Annotated[
        _NoveltyTune,
        typer.Option(help="Train a head over the encoder, or its upper layers, on the known texts."),
    ] = _NoveltyTune.NONE,
    false_alarm_rate: Annotated[
        str,
        typer.Option(
            metavar="auto|SHARE",
            help="Share of known texts that may be called new; auto learns it from labels held out.",
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of the known labels and of all learning.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find the texts that none of the known labels fits."""
    from zeroshot_core.datasets import load_labelled_texts
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.evaluation.novelty_detection import evaluate_novelty, split_novelty, tuned_on_known

    rate = _rate(false_alarm_rate)
    texts = load_labelled_texts(data.value)
    split = split_novelty(texts, seed, known=known)
    base = load_encoder()
    encoder: Encoder = base
    calibration = None
    if tune is not _NoveltyTune.NONE:
        note(f"training on texts of {len(split.labels)} labels")
        encoder, found, calibration = tuned_on_known(
            base, texts, split, layers=tune is _NoveltyTune.FULL, seed=seed
        )
        note(found.verdict)
    report = evaluate_novelty(
        texts, split, encoder=encoder, calibration=calibration, seed=seed, false_alarm_rate=rate
    )
    if json:
        write_json(report.to_dict())
    else:
        _write(report)


def _write(report: NoveltyReport) -> None:
    rows = {
        "weighted": report.detection,
        "weighted, without labels": report.without_labels,
        **{name.replace("_", " "): found for name, found in report.baselines.items()},
    }
    write_table(
        f"New texts of {report.data}, {report.n_known_labels} labels known, seed {report.seed}",
        ["score", "AUROC", "95% interval", "FPR95", "AUPR"],
        (
            [
                name,
                f"{found.auroc:.4f}",
                "{:.4f}-{:.4f}".format(*found.auroc_interval),
                f"{found.fpr95:.3f}",
                f"{found.aupr:.3f}",
            ]
            for name, found in rows.items()
        ),
        numbers=range(1, 5),
    )
    found = report.open_set
    write_line(
        f"{report.n_new:,} of {report.n_test:,} test texts are new; at a stated rate of "
        f"{report.stated_rate:g}: accuracy {found.accuracy:.3f}, macro-F1 {found.macro_f1:.3f}, "
        f"{found.false_alarm_rate:.3f} of the known and {found.detection_rate:.3f} of the new called new"
    )
