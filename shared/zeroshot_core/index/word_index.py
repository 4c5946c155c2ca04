"""BM25 over texts in memory, with the formula and the constants of Milvus Lite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from zeroshot_core.index.word_text import word_text

if TYPE_CHECKING:
    from zeroshot_core.types import Floats, Ints

__all__ = ["WordIndex"]

_K1, _B = 1.5, 0.75


@dataclass(frozen=True, kw_only=True)
class WordIndex:
    """What each word of each text counts, by BM25 [1]_.

    ``log((n - df + .5) / (df + .5) + 1) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length))``

    Parameters
    ----------
    columns
        Column of each word.
    weights
        Shape (n_texts, n_words).

    References
    ----------
    .. [1] Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", Foundations and
       Trends in Information Retrieval 3, 2009.
    """

    columns: dict[str, int]
    weights: sparse.csc_matrix

    @classmethod
    def of(cls, texts: Iterable[str]) -> WordIndex:
        """Count the words of texts."""
        columns: dict[str, int] = {}
        rows = [
            [columns.setdefault(word, len(columns)) for word in word_text(text).split()] for text in texts
        ]
        lengths = np.array([len(row) for row in rows], dtype=np.float64)
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        flat = np.fromiter((column for row in rows for column in row), np.int64, int(ends[-1]))
        counts = sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(rows), len(columns)))
        counts.sum_duplicates()
        n_texts = np.bincount(counts.indices, minlength=len(columns))
        rarity = np.log((len(rows) - n_texts + 0.5) / (n_texts + 0.5) + 1.0)
        saturation = _K1 * (1 - _B + _B * lengths / max(lengths.mean(), 1e-12)) if len(rows) else lengths
        own = np.repeat(saturation, np.diff(counts.indptr))
        counts.data = rarity[counts.indices] * counts.data * (_K1 + 1) / (counts.data + own)
        return cls(columns=columns, weights=counts.tocsc())

    def best(self, text: str, top_k: int, is_allowed: np.ndarray | None) -> tuple[Ints, Floats]:
        """Rows and scores of the best texts that share a word with `text`, best first, ties by row."""
        asked = Counter(word for word in word_text(text).split() if word in self.columns)
        wanted = self.weights[:, [self.columns[word] for word in asked]]
        scores = np.asarray(wanted @ np.array([*asked.values()], dtype=np.float64))
        if is_allowed is not None:
            scores = np.where(is_allowed, scores, 0.0)
        rows = np.flatnonzero(scores)
        if len(rows) > top_k:
            rows = rows[scores[rows] >= np.partition(scores[rows], -top_k)[-top_k]]
        rows = rows[np.argsort(-scores[rows], kind="stable")][:top_k]
        return rows, scores[rows]
