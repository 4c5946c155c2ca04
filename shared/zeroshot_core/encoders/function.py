"""Any embedding API as an encoder."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.encoders.modalities import Towers
from zeroshot_core.errors import InvalidInputError, require
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Vectors

__all__ = ["FunctionEncoder"]

_PROBE = "The quick brown fox jumps over the lazy dog."
_PROBE_BITS = 16


class FunctionEncoder(Encoder):
    """Unit vectors from a function, such as a client of an embedding service.

    Parameters
    ----------
    function
        Takes a list of texts, gives as many vectors: lists of numbers, or an array of shape (n, dimension).
        None for a model of images alone.
    name
        Name of the model behind the function; part of the fingerprint.
    dimension
        Length of the vectors; without it, one text is embedded at the first use to find out.
    fingerprint
        16 hex digits that stand for the model. Without it they are made from the name, the dimension and 16
        signs of fixed random projections of the vector of one fixed text: signs, because services return
        vectors that differ in the last digits from call to call. Give it for a service that drifts more.
    batch_size
        Most texts that the function gets in one call.
    query_function
        The same for texts in the role ``query``, of a model that tells queries from documents.
    image_function
        The same for images, which it gets as upright PIL images in RGB, for a model that puts both into one
        space; an item of both has the unit mean of the two vectors.
    image_batch
        Most images that the function gets in one call.
    allow_urls
        Whether an image may be a URL, which is fetched; never one of a private network.

    Raises
    ------
    InvalidInputError
        If there is no function, the name is empty, a number is below 1, or the fingerprint is not 16 hex
        digits.
    """

    def __init__(
        self,
        function: Callable[[list[str]], Any] | None,
        *,
        name: str,
        dimension: int | None = None,
        fingerprint: str | None = None,
        batch_size: int = 256,
        query_function: Callable[[list[str]], Any] | None = None,
        image_function: Callable[[list[Any]], Any] | None = None,
        image_batch: int = 16,
        allow_urls: bool = False,
    ) -> None:
        query_function = function if query_function is None else query_function
        own = [image_function] if function is None else [function, query_function, image_function or function]
        for given in own:
            if not callable(given):
                raise InvalidInputError(
                    f"expected a function from a list of texts to vectors, got {checks.shown(given)}"
                )
        if fingerprint is not None and not _is_fingerprint(fingerprint):
            raise InvalidInputError(
                f"expected a fingerprint of 16 lower-case hex digits, got {checks.shown(fingerprint)}"
            )
        self._functions = {"document": function, "query": query_function, "image": image_function}
        self._image_batch = checks.whole("image_batch", image_batch, least=1)
        self._allow_urls = checks.flag("allow_urls", allow_urls)
        self._name = checks.text("name", name, remedy="give that of the model behind the function")
        self._dimension = None if dimension is None else checks.whole("dimension", dimension, least=1)
        self._fingerprint = fingerprint
        self._batch_size = checks.whole("batch_size", batch_size, least=1)
        self._lock = threading.RLock()

    def __reduce__(self) -> NoReturn:
        raise InvalidInputError(
            f"expected an encoder that can be pickled, got a FunctionEncoder ({self._name}); wrap the "
            "function anew where it is needed"
        )

    @property
    def name(self) -> str:
        """Name of the model behind the function."""
        return self._name

    @property
    def dimension(self) -> int:
        """Length of the vectors; the first use may call the function."""
        with self._lock:
            if self._dimension is None:
                self._dimension = self._call(*self._probes()[0]).shape[1]
            return self._dimension

    @property
    def modalities(self) -> tuple[str, ...]:
        """Of ``"text"`` and ``"image"``, those that there is a function for."""
        kinds = {"text": self._functions["document"], "image": self._functions["image"]}
        return tuple(kind for kind, function in kinds.items() if function is not None)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over name, dimension and vectors of a fixed text and image; the first use calls."""
        with self._lock:
            if self._fingerprint is None:
                parts: dict[str, Any] = {"kind": "function", "name": self._name, "dimension": self.dimension}
                for probes, kind in self._probes():
                    (vector,) = unit_rows(self._checked(probes, kind), ["the probe"])
                    parts["image probe" if kind == "image" else "probe"] = _projection_signs(vector)
                self._fingerprint = fingerprint_of(parts)
            return self._fingerprint

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode texts, and images where there is a function for them, each distinct one once.

        Raises
        ------
        InvalidInputError
            If a content is of a kind that there is no function for, or the vectors are of another count,
            length or kind.
        """
        check_role(role)
        if self._functions["image"] is None:
            texts, where = unique_texts(contents, self._name)
            return self._text_rows(texts, role, show_progress)[where]
        towers = Towers(
            name=self._name,
            dimension=self.dimension,
            texts=(lambda given: self._text_rows(given, role, show_progress))
            if self._functions["document"] is not None
            else None,
            images=lambda images: np.asarray(self._checked(images, "image"), dtype=np.float32),
            batch=self._image_batch,
            allow_urls=self._allow_urls,
        )
        return towers.encode(contents, show_progress=show_progress)

    def _text_rows(self, texts: list[str], role: Role, show_progress: bool) -> Vectors:
        from tqdm import tqdm

        rows = np.empty((len(texts), self.dimension), np.float32)
        with tqdm(total=len(texts), unit="text", disable=not show_progress) as bar:
            for start in range(0, len(texts), self._batch_size):
                batch = texts[start : start + self._batch_size]
                rows[start : start + len(batch)] = unit_rows(self._checked(batch, role), batch)
                bar.update(len(batch))
        return rows

    def to_config(self) -> dict[str, Any]:
        """JSON-able reference; opening it again needs the function."""
        return {
            "kind": "function",
            "name": self._name,
            "dimension": self.dimension,
            "fingerprint": self.fingerprint,
        }

    def _probes(self) -> list[tuple[list[Any], str]]:
        """Give a text, or an image, or both, to know the model by, each with the function that it is for."""
        probes: list[tuple[list[Any], str]] = []
        if self._functions["document"] is not None:
            probes.append(([_PROBE], "document"))
        if self._functions["image"] is not None:
            library = require("PIL.Image", extra="images")
            wave = np.add.outer(np.arange(96) * 5, np.arange(96) * 3)
            shades = np.stack([wave, wave * 2, wave[::-1]], axis=2) % 256
            probes.append(([library.fromarray(shades.astype(np.uint8))], "image"))
        return probes

    def _checked(self, contents: list[Any], kind: str) -> Floats:
        rows = self._call(contents, kind)
        if rows.shape[1] != self.dimension:
            raise InvalidInputError(
                f"expected vectors of length {self.dimension} from {self._name!r}, got {rows.shape[1]}; "
                "give another dimension, or another name if the model behind it has changed"
            )
        return rows

    def _call(self, contents: list[Any], kind: str) -> Floats:
        answer = self._functions[kind](contents)  # type: ignore[misc]
        try:
            rows = np.asarray(answer, dtype=np.float64)
        except (OverflowError, TypeError, ValueError) as error:
            raise InvalidInputError(
                f"expected vectors of numbers of one length from {self._name!r}, got {checks.shown(answer)}"
            ) from error
        if rows.ndim != 2 or len(rows) != len(contents):
            what = "image" if kind == "image" else "text"
            raise InvalidInputError(
                f"expected {len(contents)} vectors for {len(contents)} {what}s from {self._name!r}, "
                f"got an array of shape {rows.shape}; return one vector for each {what}"
            )
        return rows


def _is_fingerprint(text: str) -> bool:
    return isinstance(text, str) and len(text) == 16 and set(text) <= set("0123456789abcdef")


def _projection_signs(vector: Vectors) -> str:
    """Signs of fixed +-1 projections of a vector (Charikar 2002, SimHash), one character each.

    The directions come from SHAKE-256, whose bits are the same on every machine and library version.
    """
    n_bytes = -(-len(vector) * _PROBE_BITS // 8)
    bits = np.unpackbits(np.frombuffer(hashlib.shake_256(b"zeroshot probe").digest(n_bytes), np.uint8))
    directions = bits[: len(vector) * _PROBE_BITS].reshape(_PROBE_BITS, len(vector)) * 2.0 - 1.0
    return "".join("+" if projection > 0 else "-" for projection in directions @ vector.astype(np.float64))
