"""Texts, images and both in one list: each modality encoded in batches of its own, each content once."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.contents import unit_rows
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import ImageSource, image_digest, is_image, read_image
from zeroshot_core.types import Content, Item

if TYPE_CHECKING:
    from PIL.Image import Image

    from zeroshot_core.types import Vectors

__all__ = ["Parts", "Towers", "content_keys", "content_name", "named_contents", "parts_of"]

# What is meant as an image, and read as words.
_LIKE_IMAGE = re.compile(r"data:image/.*|\S+\.(?:png|jpe?g|webp|gif|bmp|tiff?)", re.IGNORECASE | re.DOTALL)
_READERS = min(4, os.cpu_count() or 1)


class Parts(NamedTuple):
    """What a content says: a text, an image, or both."""

    text: str | None
    image: ImageSource | None

    @property
    def modality(self) -> str:
        """``"text"``, ``"image"`` or ``"text+image"``."""
        if self.image is None:
            return "text"
        return "image" if self.text is None else "text+image"


def parts_of(contents: Sequence[Content]) -> list[Parts]:
    """Tell texts from images: a text is always a text, and what is no text always an image.

    Raises
    ------
    InvalidInputError
        If a content is empty, or neither a text, an image nor an item.
    """
    given = checks.repaired_texts(checks.sequence("contents", contents, of="texts, images or Items"))
    return [_parts(i, content) for i, content in enumerate(given)]


def _parts(i: int, content: Content) -> Parts:
    if isinstance(content, str) and content.strip():
        return Parts(content, None)
    if isinstance(content, Item):
        return Parts(content.text, content.image)
    if is_image(content):
        return Parts(None, content)
    if isinstance(content, str):
        raise InvalidInputError(
            f"content {i}: expected a non-empty text, got {content!r}; drop it or describe it"
        )
    raise InvalidInputError(
        f"content {i}: expected a text, an image (a Path, bytes or a PIL image) or an Item, got "
        f"{checks.shown(content)} of type {type(content).__name__}"
    )


def content_keys(contents: Sequence[Content]) -> list[str | tuple[str | None, str]]:
    """Tell contents apart: a text by itself, what has an image by its text and the digest of its image.

    Raises
    ------
    InvalidInputError
        If a content is empty, or neither a text, an image nor an item, or an image that cannot be read.
    """
    parts = parts_of(contents)
    digests = _digests([part.image for part in parts if part.image is not None])
    return [
        part.text or "" if part.image is None else (part.text, digests[_key(part.image)]) for part in parts
    ]


def named_contents(contents: Sequence[Content]) -> tuple[Sequence[str], dict[str, Content]]:
    """Give each content a text to tell it by, and beside, what is no text by that name."""
    if all(isinstance(content, str) for content in contents):
        return contents, {}
    keys = content_keys(contents)
    names = [key if isinstance(key, str) else f"image {key[1]} {key[0] or ''}" for key in keys]
    pairs = zip(names, contents, strict=True)
    return names, {name: content for name, content in pairs if not isinstance(content, str)}


def content_name(content: Content) -> str:
    """Name a content in an error."""
    return content[:60] if isinstance(content, str) else checks.shown(content)[:60]


@dataclass(frozen=True, kw_only=True)
class Towers:
    """How an encoder encodes each modality; what it has no way for is refused.

    Parameters
    ----------
    texts, images, pairs
        Give a row for each of several distinct texts, images, or texts with their images. Without `pairs`, a
        text with an image has the unit mean of both vectors.
    prepare
        Makes of an image what `images` takes, beside the encoding of others.
    batch
        Images at a time.
    """

    name: str
    dimension: int
    texts: Callable[[list[str]], Vectors] | None = None
    images: Callable[[list[Any]], Vectors] | None = None
    pairs: Callable[[list[str], list[Any]], Vectors] | None = None
    prepare: Callable[[Image], Any] = lambda image: image
    batch: int = 16
    allow_urls: bool = False

    def encode(self, contents: Sequence[Content], *, show_progress: bool = False) -> Vectors:
        """Encode contents: shape (n, dimension), rows of unit length, in their order.

        Raises
        ------
        InvalidInputError
            If a content is of a modality that the encoder does not take, or an image cannot be read.

        Warns
        -----
        UserWarning
            If a text alone looks like the path or data URI of an image, in an encoder of both.
        """
        parts = parts_of(contents)
        self._check(parts)
        if self.texts is not None and self.images is not None:
            self._warn_of_paths([part.text for part in parts if part.image is None and part.text])
        rows = np.zeros((len(parts), self.dimension), dtype=np.float32)
        if self.texts is not None:
            _add_texts(rows, [None if self._is_pair(part) else part.text for part in parts], self.texts)
        seen = [(i, part) for i, part in enumerate(parts) if part.image is not None]
        alone = [(i, Parts(None, part.image)) for i, part in seen if not self._is_pair(part)]
        if alone and self.images is not None:
            images = self.images
            self._add_seen(rows, alone, lambda _, given: images(given), show_progress)
        together = [(i, part) for i, part in seen if self._is_pair(part)]
        if together and self.pairs is not None:
            self._add_seen(rows, together, self.pairs, show_progress)
        return unit_rows(rows, [content_name(content) for content in contents]) if len(rows) else rows

    def _is_pair(self, part: Parts) -> bool:
        """Whether a text and an image are encoded as one."""
        return self.pairs is not None and part.modality == "text+image"

    def _check(self, parts: Sequence[Parts]) -> None:
        for i, part in enumerate(parts):
            if part.text is not None and self.texts is None:
                raise InvalidInputError(
                    f"content {i}: expected an image, got a text, {checks.shown(part.text[:200])}; encoder "
                    f"{self.name!r} takes images only: use one of texts and images, or fit_bridge; the path "
                    "of an image is given as Path or Item(image=...)"
                )
            if part.image is not None and self.images is None:
                raise InvalidInputError(
                    f"content {i}: expected a text, got an image ({type(part.image).__name__}); encoder "
                    f"{self.name!r} takes texts only: describe the image in words or use an encoder of images"
                )

    def _warn_of_paths(self, texts: Sequence[str]) -> None:
        """Tell who gives a path as a text that it is not opened."""
        paths = [text for text in texts if _LIKE_IMAGE.fullmatch(text.strip())]
        if paths:
            checks.warn(
                f"{len(paths)} of {len(texts)} texts look like an image, such as "
                f"{checks.shown(paths[0][:80])}, and encoder {self.name!r} reads them as words; give "
                "an image as Path, bytes, PIL image or Item(image=...)"
            )

    def _add_seen(
        self,
        rows: Vectors,
        parts: Sequence[tuple[int, Parts]],
        encode: Callable[[list[str], list[Any]], Vectors],
        show_progress: bool,
    ) -> None:
        """Add the unit vector of each image, with its text if it has one, to its row; each is read once."""
        from tqdm import tqdm

        places: dict[tuple[str, Hashable], list[int]] = {}
        sources: dict[tuple[str, Hashable], ImageSource] = {}
        for i, part in parts:
            key = part.text or "", _key(part.image)
            places.setdefault(key, []).append(i)
            sources[key] = part.image
        digests: dict[tuple[str, Hashable], tuple[str, str]] = {}
        waiting: dict[tuple[str, str], Any] = {}
        known: dict[tuple[str, str], Vectors] = {}

        def encode_waiting() -> None:
            if waiting:
                vectors = encode([text for text, _ in waiting], [*waiting.values()])
                known.update(zip(waiting, unit_rows(vectors, [*map(str, waiting)]), strict=True))
                waiting.clear()

        with tqdm(total=len(sources), unit="image", disable=not show_progress) as bar:
            for key, (digest, image) in zip(sources, self._read(list(sources.values())), strict=True):
                digests[key] = same = key[0], digest
                if same not in known:
                    waiting[same] = image
                if len(waiting) == self.batch:
                    encode_waiting()
                bar.update()
            encode_waiting()
        for key, own in places.items():
            rows[own] += known[digests[key]]

    def _read(self, sources: Sequence[ImageSource]) -> Iterator[tuple[str, Any]]:
        """Give the digest of each image, and what is encoded, the next ones being read meanwhile."""

        def read(source: ImageSource) -> tuple[str, Any]:
            found = read_image(source, allow_urls=self.allow_urls)
            return found.digest, self.prepare(found.pixels)

        with ThreadPoolExecutor(_READERS, thread_name_prefix="image-reader") as readers:
            ahead = deque(readers.submit(read, each) for each in sources[: 2 * self.batch])
            for source in [*sources[2 * self.batch :], *[None] * len(ahead)]:
                found = ahead.popleft().result()
                if source is not None:
                    ahead.append(readers.submit(read, source))
                yield found


def _digests(sources: Sequence[ImageSource]) -> dict[Hashable, str]:
    """Tell images apart by their bytes, each given object read once."""
    distinct = {_key(source): source for source in sources}
    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip(distinct, readers.map(image_digest, distinct.values()), strict=True))


def _key(source: ImageSource) -> Hashable:
    key: Hashable = os.fspath(source) if isinstance(source, os.PathLike) else source
    return key if isinstance(key, str | bytes) else id(source)


def _add_texts(rows: Vectors, texts: Sequence[str | None], encode: Callable[[list[str]], Vectors]) -> None:
    """Add the unit vector of each distinct text to the rows that have it; None for rows that have none."""
    places: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        if text is not None:
            places.setdefault(text, []).append(i)
    if places:
        vectors = unit_rows(encode(list(places)), list(places))
        for own, vector in zip(places.values(), vectors, strict=True):
            rows[own] += vector
