"""``zeroshot evaluate languages``: how well the same meaning is found in another language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.columns import names_of
from zeroshot_core.cli.console import note, notes_for_warnings, write_json, write_line, write_table
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation.cross_lingual import LanguagesReport
    from zeroshot_core.evaluation.multilingual_texts import MultilingualReport, MultilingualText

__all__ = ["languages", "opened_encoder"]

_LANGUAGES = "ar,de,es,fr,it,ja,ko,pt,ru,tr,zh"


@notes_for_warnings()
def languages(
    encoder: Annotated[
        list[str] | None, typer.Option(help="Name or folder; several stand side by side.")
    ] = None,
    weight: Annotated[list[float] | None, typer.Option(help="Of each encoder side by side.")] = None,
    languages: Annotated[
        str | None,
        typer.Option("--languages", help="Codes, with commas between them; by default all that there are."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="File or folder of translations or labelled texts, in place of names of emoji."),
    ] = None,
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
    query_bank: Annotated[
        bool,
        typer.Option("--query-bank", help="Search with a bank of half of the names too."),
    ] = False,
    cache: Annotated[
        Path | None, typer.Option(help="File that keeps vectors, so that none is computed twice.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the halves, and of the bridge.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find translations by texts in other languages: names of emoji, or texts of your own."""
    from zeroshot_core.datasets import load_emoji_names
    from zeroshot_core.evaluation.cross_lingual import evaluate_languages

    own = (
        None
        if data is None
        else _own_texts(
            data, languages, {"--live": live, "--folder": bool(folder), "--query-bank": query_bank}
        )
    )
    asked = opened_encoder(encoder or ["use-multilingual"], weight, cache)
    other = opened_encoder([baseline], None, cache) if baseline else None
    if own is not None:
        _write_own(asked, own, other, is_centred=centre, seed=seed, json=json)
        return
    names = load_emoji_names(names_of(languages or _LANGUAGES), folder=folder)
    note(f"reading {len(names.names['en']):,} names in {len(names.names)} languages")
    report = evaluate_languages(
        asked,
        names,
        baseline=other,
        is_live=live,
        is_centred=centre,
        has_classes=classes,
        has_query_bank=query_bank,
        seed=seed,
    )
    if json:
        write_json(report.to_dict())
    else:
        _write(report)


def _own_texts(data: Path, languages: str | None, others: dict[str, bool]) -> list[MultilingualText]:
    from zeroshot_core.cli.language_files import read_language_files

    given = [option for option, is_given in others.items() if is_given]
    if given:
        raise InvalidInputError(f"expected no {given[0]} with --data: it is of emoji; leave it out")
    texts = read_language_files(data)
    known = {text.language for text in texts}
    wanted = names_of(languages) if languages else tuple(known)
    missing = sorted(set(wanted) - known)
    if missing:
        raise InvalidInputError(
            f"expected languages of {data}, which has {', '.join(sorted(known))}, got {missing[0]}; mend it"
        )
    kept = [text for text in texts if text.language in wanted]
    note(f"reading {len(kept):,} texts in {len(set(wanted))} languages")
    return kept


def _write_own(
    encoder: Encoder,
    texts: Sequence[MultilingualText],
    baseline: Encoder | None,
    *,
    is_centred: bool,
    seed: int,
    json: bool,
) -> None:
    from zeroshot_core.evaluation.multilingual_texts import evaluate_multilingual_texts

    report = evaluate_multilingual_texts(encoder, texts, baseline=baseline, is_centred=is_centred, seed=seed)
    if json:
        write_json(report.to_dict())
        return
    for each in (report, report.baseline):
        if each is not None:
            _write_texts(each)


def _write_texts(report: MultilingualReport) -> None:
    means = report.to_dict()["means"]
    columns: dict[str, dict[str, str]] = {}
    for name, recalls in ((f"-> {report.pivot}", report.into), (f"{report.pivot} ->", report.back)):
        if recalls:
            columns[name] = {code: _cell(recall) for code, recall in recalls.items()}
            at = means["into" if recalls is report.into else "back"]
            columns[name]["mean"] = f"{at['at_1']:.3f} {at['at_10']:.3f}"
    for name, part in ((f"by {report.pivot} examples", "classes"), ("by names", "class_names")):
        shares = getattr(report, part)
        if shares:
            columns[name] = {code: f"{share:.3f}" for code, share in shares.items()}
            columns[name]["mean"] = "" if means[part] is None else f"{means[part]:.3f}"
    codes = [
        code for code in dict.fromkeys(code for cells in columns.values() for code in cells) if code != "mean"
    ]
    write_table(
        f"{report.encoder}",
        ["language", *columns],
        [[code, *(cells.get(code, "") for cells in columns.values())] for code in (*codes, "mean")],
        numbers=range(1, len(columns) + 1),
    )
    if report.into:
        chance = sum(recall.at_1 for recall in report.chance.values()) / len(report.chance)
        fewest, most = min(report.n_pairs.values()), max(report.n_pairs.values())
        write_line(f"recall at 1 and 10 among {fewest:,} to {most:,} texts; at 1 by chance {chance:.4f}")
    if report.n_labels > 1:
        write_line(
            f"share of right labels, of {report.n_labels:,}, from {report.n_examples:,} {report.pivot} "
            f"examples and by names; by chance {report.class_chance:.4f}; the mean is of the other languages"
        )


def opened_encoder(names: list[str], weights: list[float] | None, cache: Path | None = None) -> Encoder:
    """Open one encoder, or several side by side, whose vectors a file may keep."""
    from zeroshot_core.encoders import CachedEncoder, SideBySideEncoder, load_encoder

    opened: list[Encoder] = [load_encoder(name) for name in names]
    if cache is not None:
        opened = [CachedEncoder(encoder, cache) for encoder in opened]
    return opened[0] if len(opened) == 1 and not weights else SideBySideEncoder(opened, weights)


def _write(report: LanguagesReport) -> None:
    from zeroshot_core.evaluation.cross_lingual import mean_recall

    parts = {
        "English name": report.names,
        "with a bank": report.banked,
        "asked alone": report.alone,
        "alone, with a bank": report.banked_alone,
        "keywords": report.keywords,
        "baseline": report.baseline,
    }
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
