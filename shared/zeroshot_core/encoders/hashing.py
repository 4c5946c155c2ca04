"""An encoder without a model: hashed character n-grams, for tests and first steps offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role, unique_texts, unit_rows
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.types import Content

if TYPE_CHECKING:
    from zeroshot_core.types import Vectors

__all__ = ["HashEncoder"]

_NGRAMS = (2, 4)


class HashEncoder(Encoder):
    """Unit vectors of hashed character n-grams: texts that share spelling are near.

    Needs no download and gives the same vectors on every machine. It knows nothing of meaning; use it where
    an encoder is needed and its quality is not.

    Parameters
    ----------
    dimension
        Length of the vectors, from 8 to 32,768, the most that Milvus holds.
    """

    def __init__(self, dimension: int = 64) -> None:
        self._dimension = checks.whole("dimension", dimension, least=8, most=32_768)

    @property
    def name(self) -> str:
        """Name with the dimension, such as ``hash-64``."""
        return f"hash-{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return self._dimension

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the n-gram lengths and the dimension."""
        return fingerprint_of({"kind": "hash", "ngrams": _NGRAMS, "dimension": self._dimension})

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode texts; too fast for a progress bar, and the role makes no difference."""
        from sklearn.feature_extraction.text import HashingVectorizer

        check_role(role)
        texts, where = unique_texts(contents, self.name)
        hasher = HashingVectorizer(
            analyzer="char_wb", ngram_range=_NGRAMS, n_features=self._dimension, norm=None
        )
        rows = hasher.transform(texts).toarray() if texts else np.empty((0, self._dimension))
        return unit_rows(rows, texts)[where]

    def to_config(self) -> dict[str, Any]:
        """JSON-able reference: the dimension says it all."""
        return {"kind": "hash", "dimension": self._dimension, "fingerprint": self.fingerprint}
