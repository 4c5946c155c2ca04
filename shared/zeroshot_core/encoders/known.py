"""Vectors that are there already, so that a text embedded elsewhere is not embedded again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.wrapping import WrappingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["KnownVectors", "joint_vector"]


class KnownVectors(WrappingEncoder):
    """Another encoder that takes the vectors of documents from a table where they are in it.

    Parameters
    ----------
    encoder
        What encodes all other texts; the one that the vectors come from.
    vectors
        Vector by text; scaled to length 1.

    Raises
    ------
    InvalidInputError
        If a vector has another dimension than the encoder's, or no direction.
    """

    def __init__(self, encoder: Encoder, vectors: Mapping[str, Sequence[float]]) -> None:
        super().__init__(encoder)
        wrong = {len(vector) for vector in vectors.values()} - {encoder.dimension}
        if wrong:
            raise InvalidInputError(
                f"expected vectors of {encoder.dimension} dimensions, got {wrong.pop()}; give the encoder "
                "that they were made with"
            )
        rows = unit_rows(np.reshape([*vectors.values()], (-1, encoder.dimension)), [*vectors])
        self._known = dict(zip(vectors, rows, strict=True))

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Look up the documents that are known, encode the other contents."""
        check_role(role)
        if role == "query":
            return self._encoder.encode(contents, role=role, show_progress=show_progress)
        texts, where = unique_texts(contents, self.name)
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        new = [place for place, text in enumerate(texts) if text not in self._known]
        for place in set(range(len(texts))).difference(new):
            rows[place] = self._known[texts[place]]
        if new:
            fresh = [texts[place] for place in new]
            rows[new] = self._encoder.encode(fresh, role=role, show_progress=show_progress)
        return rows[where]


def joint_vector(
    encoder: Encoder, texts: Sequence[str] = (), *, vector: Sequence[float] | None = None
) -> Vectors | None:
    """Vector of a query that is told in several texts, or whose vector is known: shape (1, d), unit length.

    That of several texts is ``unit(mean)`` of theirs; None where there are neither texts nor a vector.

    Raises
    ------
    InvalidInputError
        If the vector has another dimension than the encoder's, or no direction.
    """
    if vector is None and not texts:
        return None
    if vector is None:
        return unit_rows(encoder.encode(texts, role="query").mean(axis=0, keepdims=True), [texts[0]])
    if len(vector) != encoder.dimension:
        raise InvalidInputError(
            f"expected a query vector of {encoder.dimension} dimensions, got {len(vector)}; embed the query "
            f"with {encoder.name}, or give it without a vector"
        )
    return unit_rows([vector], ["the query"])
