"""``zeroshot evaluate images``: what words and pictures find of each other over a bridge from few pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.columns import names_of
from zeroshot_core.cli.console import note, notes_for_warnings, write_json, write_line, write_table
from zeroshot_core.cli.languages import opened_encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.evaluation.cross_lingual import Recall
    from zeroshot_core.evaluation.cross_modal import ImagesReport

__all__ = ["images"]

_LANGUAGES = "ar,zh,fr,de,it,ja,ko,nl,pl,pt,es,th,tr,ru"


@notes_for_warnings()
def images(
    folder: Annotated[
        Path,
        typer.Option(help="node_modules with the npm packages of names and pictures: see `make data`."),
    ],
    encoder: Annotated[
        list[str] | None, typer.Option(help="Of texts, name or folder; several stand side by side.")
    ] = None,
    weight: Annotated[list[float] | None, typer.Option(help="Of each encoder side by side.")] = None,
    image_encoder: Annotated[str, typer.Option(help="Of pictures.")] = "efficientnet-lite0",
    pairs: Annotated[
        list[int] | None,
        typer.Option(min=0, help="Pictures with English names to learn from; 100 and 1000 unless given."),
    ] = None,
    free: Annotated[
        bool, typer.Option("--free/--no-free", help="Learn from the classes of the image encoder too.")
    ] = True,
    languages: Annotated[
        str, typer.Option("--languages", help="Codes, with commas between them.")
    ] = _LANGUAGES,
    style: Annotated[str, typer.Option(help="Of the pictures: google or twitter.")] = "google",
    seed: Annotated[
        list[int] | None, typer.Option(help="Of the pictures held out; 0, 1 and 2 unless given.")
    ] = None,
    baseline: Annotated[
        str, typer.Option(help="Encoder of texts to compare with; an empty text leaves it out.")
    ] = "all-MiniLM-L6-v2",
    cache: Annotated[
        Path | None,
        typer.Option(help="File to keep vectors in, so that a second run takes seconds to encode."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="HTML page to write: ten queries in five languages and what they find."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find pictures of emoji by words and words by pictures, with encoders that never met."""
    from zeroshot_core.datasets import load_emoji_pictures
    from zeroshot_core.encoders import CachedEncoder, EfficientNetEncoder, load_encoder
    from zeroshot_core.encoders.wrappers import RememberingEncoder
    from zeroshot_core.evaluation.cross_modal import evaluate_images
    from zeroshot_core.evaluation.picture_gallery import picture_gallery
    from zeroshot_core.report import write_gallery

    data = load_emoji_pictures(
        folder,
        names_of(languages),
        style=style,  # type: ignore[arg-type]  # checked there
    )
    note(f"reading {len(data.pictures):,} pictures, and their names in {len(data.names)} languages")
    opened = load_encoder(image_encoder)
    free_pairs = opened.class_pairs() if free and isinstance(opened, EfficientNetEncoder) else None

    def kept(encoder: Encoder) -> Encoder:
        return RememberingEncoder(encoder if cache is None else CachedEncoder(encoder, cache))

    tower = kept(opened)
    words = RememberingEncoder(opened_encoder(encoder or ["use-multilingual"], weight, cache))
    counts, seeds = pairs or [100, 1000], seed or [0, 1, 2]
    reports = [
        evaluate_images(tower, texts, data, n_pairs=n_pairs, free_pairs=free_pairs, seeds=seeds)
        for texts in (words, *([kept(load_encoder(baseline))] if baseline else []))
        for n_pairs in counts
    ]
    if report is not None:
        gallery = picture_gallery(
            tower, words, data, n_pairs=counts[-1], free_pairs=free_pairs, seed=seeds[0]
        )
        write_gallery(report, gallery)
        note(f"gallery: {report}")
    if json:
        write_json({"reports": [each.to_dict() for each in reports]})
    else:
        _write(reports)


def _write(reports: Sequence[ImagesReport]) -> None:
    first = reports[0]
    names: dict[str, Sequence[Recall | float | None]] = {
        "picture to caption": [each.captions for each in reports],
        "by the nearest known picture": [each.nearest for each in reports],
        "unseen groups": [each.unseen for each in reports],
        "unseen groups, in three parts": [each.unseen_parts for each in reports],
        **{f"name in {code} to picture": [each.search[code] for each in reports] for code in first.search},
        "mean of other languages": [each.mean_search for each in reports],
        "group, by its name alone": [each.labels for each in reports],
        "group, from labelled pictures": [each.labelled for each in reports],
    }
    rows = [[name, *map(_cell, found)] for name, found in names.items() if any(found)]
    heads = [f"{each.encoder.partition(' -> ')[2]}, {each.n_pairs:,} pairs" for each in reports]
    write_table(
        f"{first.encoder.partition(' -> ')[0]}: recall at 1 and 10, share of groups",
        ["", *heads],
        rows,
        numbers=range(1, len(heads) + 1),
    )
    write_line(
        f"recall among {first.n_documents:,}, by chance {_cell(first.chance)}, within a part "
        f"{_cell(first.chance_parts)}; means over seeds {', '.join(map(str, first.seeds))}"
    )
    bridges = [each.bridge.method for each in reports if each.bridge is not None]
    if bridges:
        write_line(f"bridges of the first seed: {', '.join(bridges)}")


def _cell(found: Recall | float | None) -> str:
    if found is None:
        return ""
    return f"{found:.3f}" if isinstance(found, float) else f"{found.at_1:.3f} {found.at_10:.3f}"
