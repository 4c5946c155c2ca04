"""``zeroshot evaluate languages``: how well the same meaning is found in another language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.columns import names_of
from zeroshot_core.cli.console import note, write_json, write_line, write_table

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation.cross_lingual import LanguagesReport

__all__ = ["languages", "opened_encoder"]

_LANGUAGES = "ar,de,es,fr,it,ja,ko,pt,ru,tr,zh"


def languages(
    encoder: Annotated[
        list[str] | None, typer.Option(help="Name or folder; several stand side by side.")
    ] = None,
    weight: Annotated[list[float] | None, typer.Option(help="Of each encoder side by side.")] = None,
    languages: Annotated[
        str, typer.Option("--languages", help="Codes, with commas between them.")
    ] = _LANGUAGES,
    folder: Annotated[
        Path | None,
        typer.Option(help="node_modules with cldr-annotations-full, ...-derived-full and emojibase-data."),
    ] = None,
    baseline: Annotated[
        str, typer.Option(help="Encoder to compare with; an empty text compares with chance.")
    ] = "all-MiniLM-L6-v2",
    live: Annotated[
        bool, typer.Option("--live", help="Search an index of the baseline, over a bridge.")
    ] = False,
    centre: Annotated[
        bool, typer.Option("--centre", help="Centre by language, learned from half of the names.")
    ] = False,
    classes: Annotated[
        bool,
        typer.Option("--classes", help="Sort names into groups too, learned from half of the English ones."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the halves, and of the bridge.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find the English name of an emoji by its name in other languages."""
    from zeroshot_core.datasets import load_emoji_names
    from zeroshot_core.encoders import load_encoder
    from zeroshot_core.evaluation.cross_lingual import evaluate_languages

    data = load_emoji_names(names_of(languages), folder=folder)
    note(f"reading {len(data.names['en']):,} names in {len(data.names)} languages")
    report = evaluate_languages(
        opened_encoder(encoder or ["use-multilingual"], weight),
        data,
        baseline=load_encoder(baseline) if baseline else None,
        is_live=live,
        is_centred=centre,
        has_classes=classes,
        seed=seed,
    )
    if json:
        write_json(report.to_dict())
    else:
        _write(report)


def opened_encoder(names: list[str], weights: list[float] | None) -> Encoder:
    """Open one encoder, or several side by side."""
    from zeroshot_core.encoders import SideBySideEncoder, load_encoder

    opened = [load_encoder(name) for name in names]
    return opened[0] if len(opened) == 1 and not weights else SideBySideEncoder(opened, weights)


def _write(report: LanguagesReport) -> None:
    from zeroshot_core.evaluation.cross_lingual import mean_recall

    parts = {"English name": report.names, "keywords": report.keywords, "baseline": report.baseline}
    columns = {name: recalls for name, recalls in parts.items() if recalls}
    means = {name: mean_recall(recalls) for name, recalls in columns.items()}
    rows = [[code, *(_cell(recalls.get(code)) for recalls in columns.values())] for code in report.names]
    rows.append(["mean", *map(_cell, means.values())])
    write_table(
        f"{report.encoder}: recall",
        ["language", *columns],
        rows,
        numbers=range(1, len(columns) + 1),
    )
    write_line(
        f"recall at 1 and 10 of {report.n_documents:,}; by chance {report.chance.at_1:.4f} "
        f"{report.chance.at_10:.4f}"
    )
    for shares, how in (
        (report.classes, "from English examples"),
        (report.class_names, "by names of groups"),
    ):
        if shares:
            by_language = ", ".join(f"{code} {share:.3f}" for code, share in shares.items())
            mean = sum(shares.values()) / len(shares)
            write_line(f"groups {how}: {mean:.3f} ({by_language})")
    if report.bridge is not None:
        write_line(
            f"bridge: {report.bridge.method}, learned from {report.bridge.n_pairs:,} English texts; "
            f"{report.bridge.gain:+.3f} in mean reciprocal rank over the nearest known text"
        )


def _cell(recall: object) -> str:
    at_1, at_10 = getattr(recall, "at_1", None), getattr(recall, "at_10", None)
    return "" if at_1 is None else f"{at_1:.3f} {at_10:.3f}"
