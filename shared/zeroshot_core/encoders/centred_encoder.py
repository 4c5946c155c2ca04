"""An encoder whose vectors say less of the language of a text, or of whether it is a text or an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.config_arrays import arrays_digest, arrays_to_text
from zeroshot_core.encoders.contents import unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.encoders.modalities import content_keys, content_name
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["CentredEncoder"]

# Texts of a language that its mean is taken of, and the fewest that make one.
_MOST_TEXTS, _FEWEST_TEXTS = 1000, 10
# At most so large a part of all directions is taken out.
_MOST_DIRECTIONS = 8


class CentredEncoder(Encoder):
    """Unit vectors of another encoder, without the directions in which the means of groups differ.

    Groups are languages, or the modalities of an encoder of texts and images, whose vectors lie apart (Liang
    et al. 2022, "Mind the Gap", arXiv:2203.02053), so that a text would find all texts before any image.

    A multilingual encoder puts texts of one language nearer to each other than their meaning would, and all
    texts into a narrow cone. Subtracting the mean of each language mends that, but needs the language of each
    text; taking out the span of the differences of the means does as much and does not (Yang et al. 2021, "A
    Simple and Effective Method To Eliminate the Self Language Bias", EMNLP).

    Parameters
    ----------
    base
        What encodes.
    mean
        Shape (d,): what is subtracted first.
    directions
        Shape (k, d), orthonormal rows: what is taken out then.

    Raises
    ------
    InvalidInputError
        If the arrays do not suit the base.
    """

    def __init__(self, base: Encoder, mean: Vectors, directions: Vectors) -> None:
        self._base = base
        self._directions = checks.vectors("directions", directions, (None, base.dimension))
        self._mean = checks.vectors("mean", np.reshape(mean, (1, -1)), (1, base.dimension))[0]

    @classmethod
    def fit(cls, base: Encoder, texts: Mapping[str, Sequence[Content]] | Sequence[Content]) -> CentredEncoder:
        """Learn from texts or images without labels, of the kind that will be encoded.

        Parameters
        ----------
        texts
            By language or modality, such as ``{"en": [...], "de": [...]}`` or ``{"text": [...], "image":
            [...]}``, at least 10 of each; they need not mean the same. A plain list has the common mean
            subtracted and nothing else.

        Raises
        ------
        InvalidInputError
            If a group has too few, or something is neither a text nor an image.
        """
        by_language = texts if isinstance(texts, Mapping) else {"all": texts}
        if not by_language:
            raise InvalidInputError("expected texts by language, got none; give some of each language")
        means = []
        for language, given in by_language.items():
            every = checks.sequence("texts", given, of="texts or images")
            own = list(dict(zip(content_keys(every), every, strict=True)).values())
            if len(own) < _FEWEST_TEXTS:
                raise InvalidInputError(
                    f"expected at least {_FEWEST_TEXTS} distinct texts or images of each group, got "
                    f"{len(own)} of {checks.shown(language)}; give more, or leave it out"
                )
            sample = own[:: -(-len(own) // _MOST_TEXTS)]
            roles: tuple[Role, Role] = ("document", "query")
            means.append([base.encode(sample, role=role).mean(axis=0, dtype=np.float64) for role in roles])
        rows = np.array(means).reshape(-1, base.dimension)
        mean = rows.mean(axis=0)
        _, sizes, directions = np.linalg.svd(rows - mean, full_matrices=False)
        n = (
            min(int((sizes > 1e-6).sum()), max(1, base.dimension // _MOST_DIRECTIONS))
            if len(means) > 1
            else 0
        )
        return cls(base, mean.astype(np.float32), directions[:n].astype(np.float32))

    @property
    def name(self) -> str:
        """The base's name, and that it is centred."""
        return f"{self._base.name}, centred"

    @property
    def base(self) -> Encoder:
        """What encodes."""
        return self._base

    @property
    def dimension(self) -> int:
        """The base's dimension."""
        return self._base.dimension

    @property
    def modalities(self) -> tuple[str, ...]:
        """The base's."""
        return self._base.modalities

    @property
    def languages(self) -> frozenset[str] | None:
        """The base's."""
        return self._base.languages

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the base's fingerprint, the mean and the directions."""
        arrays = arrays_digest(self._arrays())
        return fingerprint_of({"kind": "centred", "base": self._base.fingerprint, "arrays": arrays})

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode with the base, subtract the mean, and take the directions out.

        Raises
        ------
        InvalidInputError
            If the base refuses a content.
        """
        contents = checks.sequence("contents", contents, of="texts or images")
        rows = self._base.encode(contents, role=role, show_progress=show_progress) - self._mean
        rows -= rows @ self._directions.T @ self._directions
        return unit_rows(rows, [content_name(content) for content in contents])

    def to_config(self) -> dict[str, Any]:
        """JSON-able: the base's config, and what was learned."""
        return {
            "kind": "centred",
            "name": self.name,
            "base": self._base.to_config(),
            "arrays": arrays_to_text(self._arrays()),
            "fingerprint": self.fingerprint,
            "dimension": self.dimension,
        }

    def _arrays(self) -> dict[str, Vectors]:
        return {"mean": self._mean, "directions": self._directions}
