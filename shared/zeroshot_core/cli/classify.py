"""``zeroshot classify``: a label for a text, without a model and without examples."""

from __future__ import annotations

from typing import Annotated

import typer

from zeroshot_core.cli.console import write_json, write_table

__all__ = ["classify"]


def classify(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What to label.")],
    labels: Annotated[str, typer.Option(help="Labels to choose from, with commas between them.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Choose the label that fits a text best, by what the labels mean."""
    from zeroshot_core.prediction import ZeroShotClassifier

    names = [name.strip() for name in labels.split(",") if name.strip()]
    model = ZeroShotClassifier().fit(labels=names)
    shares = model.predict_proba(texts)
    model.close()
    found = [dict(zip(model.classes_.tolist(), map(float, row), strict=True)) for row in shares]
    if json:
        write_json(
            {
                "predictions": [
                    {"text": text, "label": max(each, key=each.__getitem__), "probabilities": each}
                    for text, each in zip(texts, found, strict=True)
                ]
            }
        )
        return
    for text, each in zip(texts, found, strict=True):
        ranked = sorted(each.items(), key=lambda pair: -pair[1])
        write_table(text, ["label", "probability"], [[name, f"{p:.3f}"] for name, p in ranked], numbers=(1,))
