"""``zeroshot evaluate images``: what words and pictures find of each other over a bridge from few pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zeroshot_core.cli.columns import names_of
from zeroshot_core.cli.console import note, write_json, write_line, write_table
from zeroshot_core.cli.languages import opened_encoder

if TYPE_CHECKING:
    from zeroshot_core.evaluation.cross_modal import ImagesReport

__all__ = ["images"]

_LANGUAGES = "ar,zh,fr,de,it,ja,ko,nl,pl,pt,es,th,tr,ru"


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
    pairs: Annotated[int, typer.Option(min=0, help="Pictures with English names to learn from.")] = 1000,
    free: Annotated[
        bool, typer.Option("--free/--no-free", help="Learn from the classes of the image encoder too.")
    ] = True,
    languages: Annotated[
        str, typer.Option("--languages", help="Codes, with commas between them.")
    ] = _LANGUAGES,
    style: Annotated[str, typer.Option(help="Of the pictures: google or twitter.")] = "google",
    seed: Annotated[list[int] | None, typer.Option(help="Of the pictures held out; may be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find pictures of emoji by words and words by pictures, with encoders that never met."""
    from zeroshot_core.datasets import load_emoji_pictures
    from zeroshot_core.encoders import EfficientNetEncoder, load_encoder
    from zeroshot_core.evaluation.cross_modal import evaluate_images

    data = load_emoji_pictures(
        folder,
        names_of(languages),
        style=style,  # type: ignore[arg-type]  # checked there
    )
    note(f"reading {len(data.pictures):,} pictures, and their names in {len(data.names)} languages")
    tower = load_encoder(image_encoder)
    report = evaluate_images(
        tower,
        opened_encoder(encoder or ["use-multilingual"], weight),
        data,
        n_pairs=pairs,
        free_pairs=tower.class_pairs() if free and isinstance(tower, EfficientNetEncoder) else None,
        seeds=seed or [0],
    )
    if json:
        write_json(report.to_dict())
    else:
        _write(report)


def _write(report: ImagesReport) -> None:
    from zeroshot_core.evaluation.cross_lingual import mean_recall

    others = {code: recall for code, recall in report.search.items() if code != "en"}
    recalls = {
        "picture to caption": report.captions,
        "by the nearest known picture": report.nearest,
        "unseen groups": report.unseen,
        **{f"name in {code} to picture": recall for code, recall in report.search.items()},
        "mean of other languages": mean_recall(others),
        "by chance": report.chance,
    }
    rows = [
        [name, f"{recall.at_1:.3f}", f"{recall.at_10:.3f}"]
        for name, recall in recalls.items()
        if recall is not None
    ]
    write_table(
        f"{report.encoder}: {report.n_pairs:,} pairs", ["", "at 1", "at 10"], rows, numbers=range(1, 3)
    )
    labelled = "" if report.labelled is None else f", {report.labelled:.3f} from labelled pictures"
    write_line(f"groups of pictures: {report.labels:.3f} by their names alone{labelled}")
    seeds = ", ".join(map(str, report.seeds))
    write_line(f"recall among {report.n_documents:,}; means over seeds {seeds}")
    if report.bridge is not None:
        write_line(f"bridge of the first seed: {report.bridge.method}")
