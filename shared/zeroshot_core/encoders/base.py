"""The contract of every encoder: contents in, unit vectors out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from zeroshot_core import checks
from zeroshot_core.spans import traced
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["Encoder", "Role"]

Role: TypeAlias = Literal["document", "query"]


class Encoder(ABC):
    """Turns texts or images into unit vectors; immutable, safe to share between threads."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if "encode" in vars(cls):
            cls.encode = traced("encode", "contents")(cls.encode)  # type: ignore[method-assign]

    @property
    @abstractmethod
    def name(self) -> str:
        """Name for people: a hub name, a folder, or the function's name."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """Length of the vectors."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """16 hex digits over weights, tokenizer, pooling, prompts, normalisation and dimension."""

    @property
    def document_fingerprint(self) -> str:
        """That of the encoder whose vectors documents have: what an index is opened with."""
        return self.fingerprint

    @property
    def modalities(self) -> tuple[str, ...]:
        """Kinds of content that `encode` takes, of ``"text"`` and ``"image"``."""
        return ("text",)

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of the languages that it reads; None where that is not known."""
        return None

    @property
    def repeatability(self) -> float:
        """Least cosine between two encodings of one text: batches change a vector in its last bits."""
        return 0.999

    def encode_stream(
        self, contents: Iterable[Content], *, role: Role = "document", block: int = 4096
    ) -> Iterator[Vectors]:
        """Encode contents of any number in constant memory.

        Parameters
        ----------
        block
            Contents that are held at a time, at least 1.

        Yields
        ------
        Vectors
            Shape (`block`, dimension), the last one maybe shorter, in the order of `contents`.

        Raises
        ------
        InvalidInputError
            If `block` is below 1, `contents` is one bare text, a table, a mapping or a set, or a content is
            empty or of a type that this encoder does not take.
        """
        checks.whole("block", block, least=1)
        # What is all there already is checked as in `encode`; a stream can't be, without being read.
        is_stream = isinstance(contents, Iterable) and not isinstance(contents, Collection)
        rest = iter(contents if is_stream else checks.sequence("contents", contents, of="texts"))
        while part := list(islice(rest, block)):
            yield self.encode(part, role=role)

    @abstractmethod
    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode contents, each unique one once.

        Parameters
        ----------
        contents
            Texts or images, shape (n,).
        role
            Which prompt applies, for models that distinguish queries from documents.

        Returns
        -------
        Vectors
            Shape (n, dimension), float32, rows of unit length, in the order of `contents`.

        Raises
        ------
        InvalidInputError
            If a content is empty or of a type that this encoder does not take.
        """

    @abstractmethod
    def to_config(self) -> dict[str, Any]:
        """JSON-able reference from which `encoder_from_config` opens the same encoder again."""

    def __sklearn_clone__(self) -> Encoder:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Encoder:
        # Immutable: a copy would only hold the weights twice.
        return self
