"""What goes into an encoder and what comes out: checked texts, unit rows, and one vector of several texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, get_args

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Role
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.images import is_image
from zeroshot_core.types import Content, Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.encoders.base import Encoder
    from zeroshot_core.types import Ints, Vectors

__all__ = ["check_role", "joint_vector", "unique_texts", "unit_rows"]


def check_role(role: Role) -> None:
    """Refuse a role that no encoder knows.

    Raises
    ------
    InvalidInputError
        If `role` is neither ``"document"`` nor ``"query"``.
    """
    checks.choice("role", role, get_args(Role))


def unique_texts(contents: Sequence[Content], encoder_name: str) -> tuple[list[str], Ints]:
    """Find the distinct texts, in order of first appearance.

    Returns
    -------
    list of str, Ints
        The distinct texts, and for each content the position of its text among them, shape (n,).

    Raises
    ------
    InvalidInputError
        If a content is an image, another object, or an empty text, or if `contents` is no list: one bare
        text, a table, a mapping or a set.

    Warns
    -----
    UserWarning
        If texts hold lone surrogates: each is read as U+FFFD.
    """
    given = checks.repaired_texts(checks.sequence("contents", contents, of="texts"))
    position: dict[str, int] = {}
    where = np.empty(len(given), np.int64)
    for i, content in enumerate(given):
        if isinstance(content, Item) and content.image is None:
            content = content.text
        if not isinstance(content, str) or not content.strip():
            raise InvalidInputError(_refusal(i, content, encoder_name))
        where[i] = position.setdefault(content, len(position))
    return list(position), where


def _refusal(i: int, content: Content, encoder_name: str) -> str:
    if isinstance(content, str):
        return f"content {i}: expected a non-empty text, got {content!r}; drop it or describe it"
    kind = f"{type(content).__module__}.{type(content).__qualname__}"
    if is_image(content) or isinstance(content, Item):
        return (
            f"content {i}: expected a text, got an image ({checks.shown(content)[:60]}); encoder "
            f"{encoder_name!r} takes texts only: describe the image in words or use an encoder of images"
        )
    return f"content {i}: expected a text, got {content!r} of type {kind}; convert it with str()"


def unit_rows(rows: npt.ArrayLike, texts: Sequence[str]) -> Vectors:
    """Scale each row to length 1.

    Parameters
    ----------
    rows
        Shape (n, d).
    texts
        The n texts that the rows stand for, to name the culprit.

    Raises
    ------
    InvalidInputError
        If a row has a component that is not finite, or is all zeros and so has no direction.
    """
    vectors = np.asarray(rows, dtype=np.float64)
    # Dividing by the largest component first keeps the squares of huge and tiny vectors in range.
    peaks = np.abs(vectors).max(axis=1, initial=0.0)
    bad = np.flatnonzero(~np.isfinite(peaks) | (peaks == 0))
    if bad.size:
        raise InvalidInputError(
            f"expected vectors with finite components that are not all zero, got {vectors[bad[0]][:4]}... "
            f"for {texts[bad[0]][:60]!r} ({bad.size} such); drop these texts or use another encoder"
        )
    vectors = vectors / peaks[:, None]
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def joint_vector(
    encoder: Encoder, texts: Sequence[str] = (), *, vector: Sequence[float] | None = None
) -> Vectors | None:
    """Vector of a query that is given in several texts, or whose vector is known: shape (1, d), unit length.

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
