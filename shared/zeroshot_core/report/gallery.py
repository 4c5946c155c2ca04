"""A page of pictures found by words: one HTML file, the pictures within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from zeroshot_core import checks
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.files import write_text
from zeroshot_core.report.filled_page import filled_page

__all__ = ["FoundPicture", "Gallery", "GalleryQuery", "render_gallery", "write_gallery"]


@dataclass(frozen=True, kw_only=True)
class FoundPicture:
    """A picture and what it shows.

    Parameters
    ----------
    image
        A data URI, so that the page loads nothing.
    name
        Shown below the picture.

    Raises
    ------
    InvalidInputError
        If the image is no data URI.
    """

    image: str
    name: str

    def __post_init__(self) -> None:
        if not self.image.startswith("data:image/"):
            raise InvalidInputError(
                f"expected the image of a gallery as a data URI, got {checks.shown(self.image)}; "
                "give 'data:image/png;base64,...'"
            )


@dataclass(frozen=True, kw_only=True)
class GalleryQuery:
    """What was asked, and the pictures found, the nearest first.

    Parameters
    ----------
    language
        Code of the language of `text`, such as ``"ar"``.
    meaning
        In English; an empty text if `text` is.
    """

    text: str
    language: str
    meaning: str = ""
    found: Sequence[FoundPicture] = ()


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """What the page shows.

    Parameters
    ----------
    notes
        Paragraphs at the end, such as the licence of the pictures.
    """

    title: str
    summary: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    queries: Sequence[GalleryQuery] = ()
    notes: Sequence[str] = ()


def write_gallery(path: str | Path, gallery: Gallery) -> None:
    """Write one self-contained HTML file; it appears whole or not at all."""
    write_text(Path(path), render_gallery(gallery))


def render_gallery(gallery: Gallery) -> str:
    """Give the page as a string."""
    return filled_page(
        "gallery.html",
        title=gallery.title,
        summary=gallery.summary,
        facts=gallery.facts,
        queries="".join(map(_query, gallery.queries)),
        notes="".join(f'<p class="soft">{escape(note)}</p>' for note in gallery.notes),
    )


def _query(query: GalleryQuery) -> str:
    meaning = f" <small>{escape(query.meaning)}</small>" if query.meaning else ""
    found = "".join(map(_picture, query.found))
    return (
        f'<section><h2><span lang="{escape(query.language)}" dir="auto">{escape(query.text)}</span>{meaning}'
        f"</h2><ol>{found}</ol></section>"
    )


def _picture(picture: FoundPicture) -> str:
    """Draw it with its name as the caption, which a screen reader reads in place of the picture."""
    name = escape(picture.name)
    return (
        f'<li><figure><img src="{escape(picture.image)}" alt="{name}">'
        f'<figcaption aria-hidden="true">{name}</figcaption></figure></li>'
    )
