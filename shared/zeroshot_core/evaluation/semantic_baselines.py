"""Baselines of ranking by findings: similarity of meaning in a hierarchy, and of vectors.

Each takes findings as rows of `Annotations.findings` and gives a score for every candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy import sparse

from zeroshot_core.graph.hierarchy import information_content

if TYPE_CHECKING:
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.ranking.annotations import Annotations
    from zeroshot_core.types import Floats

__all__ = ["semantic_baselines"]

Baseline: TypeAlias = "Callable[[Sequence[int]], Floats]"


def semantic_baselines(annotations: Annotations, version: OpenVersion) -> Mapping[str, Baseline]:
    """Prepare the baselines ``vectors_only``, ``resnik`` and ``ic_cosine``."""
    closure = annotations.hierarchy.closure
    content = information_content(annotations.hierarchy, annotations.frequencies)
    implied = ((annotations.frequencies > 0).astype(np.float64) @ closure) > 0
    weighted = implied.astype(np.float64) @ sparse.diags(content)
    return {
        "vectors_only": _vectors_only(annotations, version),
        "resnik": _resnik(weighted.tocsc(), closure),
        "ic_cosine": _ic_cosine(weighted.tocsr(), closure, content),
    }


def _vectors_only(annotations: Annotations, version: OpenVersion) -> Baseline:
    """Cosine between the mean vectors of the findings and of those that a candidate shows."""
    vectors = version.concept_vectors(annotations.findings.concept_ids).astype(np.float64)
    profiles = _unit((annotations.frequencies > 0).astype(np.float64) @ vectors)

    def score(rows: Sequence[int]) -> Floats:
        return np.asarray(profiles @ _unit(vectors[list(rows)].mean(axis=0, keepdims=True))[0])

    return score


def _resnik(weighted: sparse.csc_matrix, closure: sparse.csr_matrix) -> Baseline:
    """Sum over the findings of the content of the best concept in common (Köhler et al. 2009)."""

    def score(rows: Sequence[int]) -> Floats:
        best = [
            weighted[:, closure.indices[closure.indptr[row] : closure.indptr[row + 1]]].max(axis=1)
            for row in rows
        ]
        return np.asarray(sum(column.toarray().ravel() for column in best))

    return score


def _ic_cosine(weighted: sparse.csr_matrix, closure: sparse.csr_matrix, content: Floats) -> Baseline:
    """Cosine between sets of concepts with everything above them, weighted by their content."""
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())

    def score(rows: Sequence[int]) -> Floats:
        implied = np.unique(closure[list(rows)].indices)
        asked = np.zeros(len(content))
        asked[implied] = content[implied]
        norms = lengths * np.linalg.norm(asked)
        products = np.asarray(weighted @ asked)
        cosines: Floats = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
        return cosines

    return score


def _unit(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Floats = np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)
    return units
