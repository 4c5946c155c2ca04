"""Lexical evidence: what the words of a text, and the characters in them, say about its target.

Vectors of a language model lose what is written alike and means something else, as "3-seat" and "2-seat",
and what no model has met: names of makers and series, codes, sizes. Counts of words, of pairs of words and of
character n-grams, weighed by how rare they are (TF-IDF, Salton and Buckley, "Term-weighting approaches in
automatic text retrieval", 1988), keep them, in any language; ridges turn them into forecasts, which the heads
read. Features are hashed (Weinberger et al., "Feature hashing for large scale multitask learning", ICML
2009), so that no text of a training item is saved with a model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.regression.concept_links import SparseRows

if TYPE_CHECKING:
    from zeroshot_core.estimators.model_state import ModelState
    from zeroshot_core.types import Floats, Ints

__all__ = ["N_WRITTEN_NUMBERS", "LexicalTable", "written_numbers"]

N_WRITTEN_NUMBERS = 6
_N_FIRST = 3
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
# Longer ones are codes; their powers would leave the range of numbers.
_LARGEST = 1e9

# Saved models hold numbers of features: what makes them must stay as it is.
_N_HASHED = 2**20
_MOST_CHARACTERS = 2000
_FEWEST_TEXTS, _MOST_KNOWN = 2, 2**18
# How strongly weights are drawn to 0. Texts that tell all and texts that tell little differ in what serves
# them, so the heads get a forecast of each.
_STRENGTHS = (0.3, 3.0)
_TOLERANCE, _MOST_STEPS = 1e-3, 100


@dataclass(frozen=True, kw_only=True)
class LexicalTable:
    """Features of texts, and the weights of ridges that forecast a target from them.

    Parameters
    ----------
    known
        Shape (p,), rising numbers of the hashed features that at least two training texts have, the most
        common 262,144 at most.
    rarity
        Shape (p,), the weight of each: ``1 + log((1 + n) / (1 + number of texts with it))``.
    weights, intercepts
        Shapes (s, p, f) and (s, f), for each strength a column of weights: of all training items (f is 1), or
        of those outside each fold.
    """

    known: Ints
    rarity: Floats
    weights: Floats
    intercepts: Floats

    @classmethod
    def learn(cls, texts: Sequence[str], targets: Floats) -> tuple[LexicalTable, SparseRows]:
        """Learn features and weights from texts and their transformed targets (n,); their `rows` too."""
        counts = _counts(texts)
        n_with = np.bincount(counts.indices, minlength=counts.shape[1])
        common = np.argsort(-n_with, kind="stable")[:_MOST_KNOWN]
        known = np.sort(common[n_with[common] >= _FEWEST_TEXTS])
        rarity = 1.0 + np.log((1.0 + len(texts)) / (1.0 + n_with[known]))
        none = np.zeros((len(_STRENGTHS), len(known), 1))
        table = cls(known=known, rarity=rarity, weights=none, intercepts=none.sum(axis=1))
        rows = table._weighed(counts)
        return table._fitted(rows, targets, np.zeros((len(texts), 1), dtype=bool)), rows

    def rows(self, texts: Sequence[str]) -> SparseRows:
        """Weigh the features of texts, shape (n, p); words and characters have unit length each."""
        return self._weighed(_counts(texts))

    def _weighed(self, counts: sparse.csr_matrix) -> SparseRows:
        n_texts = counts.shape[0]
        if not len(self.known):
            return SparseRows.of(sparse.csr_matrix((n_texts, 0)))
        # Scipy's own choice of columns takes time for all that there could be.
        columns = np.minimum(np.searchsorted(self.known, counts.indices), len(self.known) - 1)
        is_known = self.known[columns] == counts.indices
        rows, columns = np.repeat(np.arange(n_texts), np.diff(counts.indptr))[is_known], columns[is_known]
        values = (1.0 + np.log(counts.data[is_known])) * self.rarity[columns]
        parts = 2 * rows + (self.known[columns] >= _N_HASHED)
        lengths = np.sqrt(np.bincount(parts, values**2, 2 * n_texts))
        return SparseRows(
            ends=np.append(0, np.cumsum(np.bincount(rows, minlength=n_texts))),
            columns=columns,
            values=values / lengths[parts],
            n_columns=len(self.known),
        )

    def out_of_fold(self, rows: SparseRows, targets: Floats, folds: Ints) -> LexicalTable:
        """Copy the table with weights for each fold, learned from the items of all others."""
        return self._fitted(rows, targets, folds[:, None] == np.arange(int(folds.max()) + 1))

    def forecasts(self, rows: SparseRows, places: Ints) -> Floats:
        """Forecast the transformed target by each ridge, shape (q, s).

        Parameters
        ----------
        rows
            Of the texts, as `rows` gives them.
        places
            Shape (q,), the column of weights that counts for each.
        """
        each = zip(self.weights, self.intercepts, strict=True)
        return np.stack([rows.times(weights, places) + start[places] for weights, start in each], axis=1)

    def _fitted(self, rows: SparseRows, targets: Floats, is_out: Any) -> LexicalTable:
        """Fit a column of weights for each column of `is_out`, shape (n, f), without the rows it names."""
        from sklearn.linear_model import Ridge

        n_folds = is_out.shape[1]
        weights = np.zeros((len(_STRENGTHS), len(self.known), n_folds))
        intercepts = np.full((len(_STRENGTHS), n_folds), targets.mean())
        for fold in range(n_folds):
            used = np.flatnonzero(~is_out[:, fold])
            if not len(self.known) or not len(used):
                continue
            matrix = rows.matrix[used]
            for place, strength in enumerate(_STRENGTHS):
                ridge = Ridge(strength, solver="sparse_cg", tol=_TOLERANCE, max_iter=_MOST_STEPS)
                ridge.fit(matrix, targets[used])
                weights[place, :, fold], intercepts[place, fold] = ridge.coef_, ridge.intercept_
        return replace(self, weights=weights, intercepts=intercepts)

    def arrays(self) -> dict[str, Any]:
        """Give the parts to be saved, by name."""
        return {
            "lexical.known": self.known,
            "lexical.rarity": self.rarity,
            "lexical.weights": self.weights[:, :, 0],
            "lexical.intercepts": self.intercepts[:, 0],
        }

    @classmethod
    def restored(cls, state: ModelState) -> LexicalTable | None:
        """Put together again what `arrays` took apart; None for a model that was saved without.

        Raises
        ------
        InvalidInputError
            If a part is missing, or they do not fit each other.
        """
        if "lexical.known" not in state.arrays:
            return None
        known = state.array("lexical.known", np.int64, (None,))
        is_rising = not len(known) or (
            known[0] >= 0 and known[-1] < 2 * _N_HASHED and (np.diff(known) > 0).all()
        )
        rarity = state.array("lexical.rarity", np.float64, (len(known),))
        if not is_rising or (rarity < 0).any():
            raise InvalidInputError(
                "expected rising numbers of lexical features and weights above 0, got others"
            )
        return cls(
            known=known,
            rarity=rarity,
            weights=state.array("lexical.weights", np.float64, (len(_STRENGTHS), len(known)))[:, :, None],
            intercepts=state.array("lexical.intercepts", np.float64, (len(_STRENGTHS),))[:, None],
        )


def written_numbers(texts: Sequence[str]) -> Floats:
    """Read the numbers in texts, shape (n, 6): sizes, amounts and counts stand there as often as in columns.

    They are the first three, the largest, the logarithm of the product, and how many there are; 0 where there
    are none. A comma is a decimal mark.
    """
    return np.asarray([_summed_up(text) for text in texts], dtype=np.float64).reshape(-1, N_WRITTEN_NUMBERS)


def _summed_up(text: str) -> list[float]:
    read = [float(word.replace(",", ".")) for word in _NUMBER.findall(text[:_MOST_CHARACTERS])]
    found = [number for number in read if number < _LARGEST]
    product = sum(math.log(number) for number in found if number > 0)
    return [*(found + [0.0] * _N_FIRST)[:_N_FIRST], max(found, default=0.0), product, float(len(found))]


def _counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """Count words and pairs of them, then character n-grams, shape (n, 2 * _N_HASHED)."""
    given = [text[:_MOST_CHARACTERS] for text in texts]
    if not given:
        return sparse.csr_matrix((0, 2 * _N_HASHED))
    return sparse.csr_matrix(sparse.hstack([hasher.transform(given) for hasher in _hashers()]))


@cache
def _hashers() -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import HashingVectorizer

    shared = {"n_features": _N_HASHED, "alternate_sign": False, "norm": None}
    words = HashingVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), **shared)
    return words, HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), **shared)
