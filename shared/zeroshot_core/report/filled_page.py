"""Pages of this package: a template, the style that all share, and what stands above everything else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template

__all__ = ["filled_page"]


def filled_page(name: str, *, title: str, summary: str, facts: Mapping[str, str], **parts: str) -> str:
    """Fill the template of that name; title, summary and facts are texts, the other parts are HTML."""
    folder = files("zeroshot_core.report")
    template, style = (folder.joinpath(file).read_text(encoding="utf-8") for file in (name, "style.css"))
    return Template(template).substitute(
        style=style.rstrip("\n"),
        title=escape(title),
        summary=f'<p class="lead">{escape(summary)}</p>' if summary else "",
        facts="".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items()),
        **parts,
    )
