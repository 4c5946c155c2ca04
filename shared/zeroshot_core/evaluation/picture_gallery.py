"""Ten questions in five languages, and the pictures that a bridge learned in English finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core import checks
from zeroshot_core.evaluation.cross_modal import fitted_bridge, split_pictures
from zeroshot_core.images import kept_image
from zeroshot_core.report import FoundPicture, Gallery, GalleryQuery

if TYPE_CHECKING:
    from zeroshot_core.datasets.emoji_pictures import EmojiPictures
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.types import Vectors

__all__ = ["GALLERY_QUERIES", "picture_gallery"]

# Written down before any was asked.
GALLERY_QUERIES = (
    GalleryQuery(language="en", text="something sweet to eat"),
    GalleryQuery(language="en", text="a person doing sports"),
    GalleryQuery(language="de", text="ein Tier im Wald", meaning="an animal in the forest"),
    GalleryQuery(language="de", text="schlechtes Wetter", meaning="bad weather"),
    GalleryQuery(language="ru", text="музыкальный инструмент", meaning="musical instrument"),
    GalleryQuery(language="ru", text="который час", meaning="what time is it"),
    GalleryQuery(language="zh", text="海里的动物", meaning="animals in the sea"),
    GalleryQuery(language="zh", text="交通工具", meaning="means of transport"),
    GalleryQuery(language="ar", text="زهرة جميلة", meaning="a beautiful flower"),
    GalleryQuery(language="ar", text="وجه حزين", meaning="a sad face"),
)
_N_FOUND = 8


def picture_gallery(
    images: Encoder,
    texts: Encoder,
    data: EmojiPictures,
    *,
    n_pairs: int = 1000,
    free_pairs: Sequence[tuple[Vectors, str]] | None = None,
    seed: int = 0,
    queries: Sequence[GalleryQuery] = GALLERY_QUERIES,
) -> Gallery:
    """Search pictures that are in no pair, as `evaluate_images` holds them out, by words in any language.

    Raises
    ------
    InvalidInputError
        If there are fewer pictures than asked for.
    """
    asked = checks.sequence("queries", queries, of="queries")
    rows, held_out = split_pictures(data, checks.whole("n_pairs", n_pairs), seed)
    bridge, _ = fitted_bridge(images, texts, data, rows, free_pairs, seed)
    pictures = bridge.encode([data.pictures[row] for row in held_out])
    cosines = bridge.encode([query.text for query in asked], role="query") @ pictures.T
    nearest = held_out[(-cosines).argsort(axis=1, kind="stable")[:, :_N_FOUND]]
    return Gallery(
        title="Pictures found by words",
        summary="An encoder of images and one of texts that never met, joined by English names of pictures.",
        facts={
            "encoders": bridge.name,
            "pairs learned from": f"{n_pairs:,}",
            "pictures searched, in no pair": f"{len(held_out):,}",
            "seed": str(seed),
        },
        queries=[
            GalleryQuery(
                language=query.language,
                text=query.text,
                meaning=query.meaning,
                found=[_found(data.pictures[row], data.names["en"][row]) for row in places],
            )
            for query, places in zip(asked, nearest, strict=True)
        ],
        notes=[
            "The nearest is the first. Names are shown for the reader: the search sees pictures alone.",
            f"Pictures: {data.licence}. Names: Unicode's CLDR, Unicode-3.0.",
        ],
    )


def _found(path: Path, name: str) -> FoundPicture:
    return FoundPicture(image=kept_image(path.read_bytes()), name=name)
