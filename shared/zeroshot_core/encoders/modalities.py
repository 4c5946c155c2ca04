"""Texts, images and both in one list: each modality encoded in batches of its own, each content once."""

from __future__ import annotations

import os
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
        """
        parts = parts_of(contents)
        self._check(parts)
        rows = np.zeros((len(parts), self.dimension), dtype=np.float32)
        digests = _digests([part.image for part in parts if part.image is not None])
        keys = [None if part.image is None else digests[_key(part.image)] for part in parts]
        sources = {key: part.image for key, part in zip(keys, parts, strict=True) if key is not None}
        together = [self.pairs is not None and part.modality == "text+image" for part in parts]
        texts = [None if both else part.text for part, both in zip(parts, together, strict=True)]
        alone = [None if both else key for key, both in zip(keys, together, strict=True)]
        if self.texts is not None:
            _add(rows, texts, self.texts)
        if self.images is not None:
            _add(rows, alone, lambda new: self._of_images([sources[key] for key in new], show_progress))
        if self.pairs is not None:
            pairs = [
                (part.text, key) if both else None
                for part, key, both in zip(parts, keys, together, strict=True)
            ]
            _add(rows, pairs, lambda new: self._of_pairs([(text, sources[key]) for text, key in new]))
        return unit_rows(rows, [content_name(content) for content in contents]) if len(rows) else rows

    def _check(self, parts: Sequence[Parts]) -> None:
        for i, part in enumerate(parts):
            if part.text is not None and self.texts is None:
                raise InvalidInputError(
                    f"content {i}: expected an image, got a text, {checks.shown(part.text)}; encoder "
                    f"{self.name!r} takes images only: use one of texts and images, or fit_bridge"
                )
            if part.image is not None and self.images is None:
                raise InvalidInputError(
                    f"content {i}: expected a text, got an image ({type(part.image).__name__}); encoder "
                    f"{self.name!r} takes texts only: describe the image in words or use an encoder of images"
                )

    def _of_images(self, sources: Sequence[ImageSource], show_progress: bool) -> Vectors:
        from tqdm import tqdm

        assert self.images is not None  # only called where there is one
        rows = []
        with tqdm(total=len(sources), unit="image", disable=not show_progress) as bar:
            for batch in self._decoded(sources):
                rows.append(self.images(batch))
                bar.update(len(batch))
        return np.concatenate(rows)

    def _of_pairs(self, pairs: Sequence[tuple[str, ImageSource]]) -> Vectors:
        assert self.pairs is not None
        rows, start = [], 0
        for batch in self._decoded([source for _, source in pairs]):
            rows.append(self.pairs([text for text, _ in pairs[start : start + len(batch)]], batch))
            start += len(batch)
        return np.concatenate(rows)

    def _decoded(self, sources: Sequence[ImageSource]) -> Iterator[list[Any]]:
        """Give batches of images, the next one being read while one is encoded."""

        def read(source: ImageSource) -> Any:
            return self.prepare(read_image(source, allow_urls=self.allow_urls).pixels)

        with ThreadPoolExecutor(_READERS, thread_name_prefix="image-reader") as readers:
            ahead = deque([[readers.submit(read, each) for each in sources[: self.batch]]])
            for start in range(self.batch, len(sources) + self.batch, self.batch):
                ahead.append([readers.submit(read, each) for each in sources[start : start + self.batch]])
                yield [future.result() for future in ahead.popleft()]


def _digests(sources: Sequence[ImageSource]) -> dict[Hashable, str]:
    """Tell images apart by their bytes, each given object read once."""
    distinct = {_key(source): source for source in sources}
    with ThreadPoolExecutor(_READERS) as readers:
        return dict(zip(distinct, readers.map(image_digest, distinct.values()), strict=True))


def _key(source: ImageSource) -> Hashable:
    key: Hashable = os.fspath(source) if isinstance(source, os.PathLike) else source
    return key if isinstance(key, str | bytes) else id(source)


def _add(rows: Vectors, keys: Sequence[Any], encode: Callable[[list[Any]], Vectors]) -> None:
    """Add the unit vector of each distinct key to the rows that have it; None for rows that have none."""
    places: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(i)
    if places:
        vectors = unit_rows(encode(list(places)), list(map(str, places)))
        for own, vector in zip(places.values(), vectors, strict=True):
            rows[own] += vector
