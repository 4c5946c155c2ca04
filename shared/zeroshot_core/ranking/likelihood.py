"""How likely findings are under each candidate: a likelihood ratio that knows imprecise and stray findings.

A patient with a disease shows one of its annotated findings, in proportion to their frequencies. It is
told in one of three ways: as itself or in wider words (k steps up the hierarchy with probability
``(1 - p) p^k``), as another finding that shares a wider one with it, or as one whose vector is near. Or it
has nothing to do with the disease. With b the background of findings, the ratio of finding q for d is ::

    r(q, d) = (1 - noise) [ share_told told(q, d) / b(q)
                            + share_retold sum over a above q of reach(a, d) / b(below a)
                            + share_near near(q, d) / b(q) ] + noise

where the bracket is mixed with those of the candidates whose vectors are near, since one disease is often
in two databases, and its relatives look alike. The score of d is the sum of ``log r`` over the findings, each
weighted down by what it has in common with the others (`finding_weights`), plus what excluded findings say:
with f(e, d) the probability that d shows e or something narrower, ``log(1 - trust f(e, d))``.

References
----------
Robinson et al., "Interpretable clinical genomics with a likelihood ratio paradigm", AJHG 107, 2020 (ratios of
findings); Bauer et al., "Bayesian ontology querying for accurate and noise-tolerant semantic searches",
Bioinformatics 28, 2012 (noise on a hierarchy).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph.hierarchy import Hierarchy, information_content, wider_words

if TYPE_CHECKING:
    from zeroshot_core.types import Floats

__all__ = [
    "FindingModel",
    "Telling",
    "excluded_scores",
    "finding_ratios",
    "finding_weights",
    "learn_findings",
]

# A share of what is uniform keeps the background of what nobody was annotated with above 0.
_UNIFORM = 0.3
_MOST_CERTAIN = 0.98


@dataclass(frozen=True, kw_only=True)
class Telling:
    """How findings are told: probabilities from 0 to 1, those of the three ways summing to 1.

    Parameters
    ----------
    noise
        Of a finding that has nothing to do with the disease.
    imprecision
        Of each further step up the hierarchy.
    retold, near
        Of a finding told as another one under a common wider one, and as one with a near vector.
    reach
        Of each further step up to that common one.
    kin
        Of a finding known of a near candidate, but not yet of this one.
    trust
        Of an excluded finding being truly absent.

    Raises
    ------
    InvalidInputError
        If one is out of range, or would make findings impossible: no noise, or imprecision or trust of 1.
    """

    noise: float = 0.4
    imprecision: float = 0.3
    retold: float = 0.3
    near: float = 0.2
    reach: float = 0.5
    kin: float = 0.3
    trust: float = 0.5

    def __post_init__(self) -> None:
        shares = {field.name: getattr(self, field.name) for field in fields(self)}
        below_1 = ("imprecision", "trust")
        wrong = {
            name: share
            for name, share in shares.items()
            if not isinstance(share, int | float) or not 0 <= share <= 1 or (name in below_1 and share == 1)
        }
        if wrong or self.noise == 0 or self.retold + self.near > 1:
            raise InvalidInputError(
                "expected probabilities from 0 to 1, noise above 0, imprecision and trust below 1, "
                f"and retold and near of at most 1 together, got {wrong or shares}"
            )


@dataclass(frozen=True, kw_only=True)
class FindingModel:
    """What was learned from annotations, over n findings and m candidates.

    Parameters
    ----------
    direct
        Shape (n, m): the first and the third term of the ratio, divided by the background.
    reach
        Shape (n, m): share of a candidate's findings that are told through each wider one.
    within
        Shape (n, n): 1 / (background below a) where the column's finding a is above the row's.
    kin
        Shape (m, m): share of each candidate in what is known of another; rows sum to 1.
    absent
        Shape (n, m): log probability that a candidate shows nothing at or below a finding.
    lacked
        Shape (n, m): 1 where a candidate is known to lack the finding.
    worth
        Shape (n, n): the root of the information content of each concept that is above the row's finding.
    """

    direct: sparse.csr_matrix
    reach: sparse.csr_matrix
    within: sparse.csr_matrix
    kin: sparse.csr_matrix
    absent: sparse.csr_matrix
    lacked: sparse.csr_matrix
    worth: sparse.csr_matrix
    telling: Telling


def learn_findings(
    hierarchy: Hierarchy,
    frequencies: sparse.csr_matrix,
    lacked: sparse.csr_matrix,
    near: sparse.csr_matrix,
    kin: sparse.csr_matrix,
    telling: Telling,
) -> FindingModel:
    """Turn annotations into the matrices that ratios are made of.

    Parameters
    ----------
    frequencies
        Shape (m, n): how often a candidate shows a finding, above 0 to 1; no empty row.
    lacked
        Shape (m, n): 1 where a candidate is known to lack a finding, and with it all narrower ones.
    near
        Shape (n, n): probability that the row's finding is told as the column's because their vectors are
        near; rows sum to 1.
    kin
        Shape (m, m): how near the row's candidate the others are; rows sum to 1, or to 0 for one that has no
        near ones.
    """
    m, n = frequencies.shape
    totals = np.asarray(frequencies.sum(axis=1)).ravel()
    shares = (sparse.diags(1.0 / totals) @ frequencies).tocsr()
    told = (shares @ wider_words(hierarchy, telling.imprecision)).tocsr()
    typical = np.asarray(told.mean(axis=0)).ravel()
    background = (1.0 - _UNIFORM) * typical / typical.sum() + _UNIFORM / n
    below = np.asarray(hierarchy.closure.T @ background).ravel()
    exact = 1.0 - telling.retold - telling.near
    direct = (exact * told + telling.near * (shares @ near)) @ sparse.diags(1.0 / background)
    shown = frequencies.copy()
    shown.data = np.log1p(-np.minimum(shown.data, _MOST_CERTAIN))
    has_kin = np.asarray(kin.sum(axis=1)).ravel() > 0
    return FindingModel(
        direct=_rows(direct.T),
        reach=_rows(telling.retold * (shares @ wider_words(hierarchy, telling.reach)).T),
        within=_rows(hierarchy.closure @ sparse.diags(1.0 / below)),
        kin=_rows(telling.kin * kin + sparse.diags(1.0 - telling.kin * has_kin, shape=(m, m))),
        absent=_rows((shown @ hierarchy.closure).T),
        lacked=_rows(hierarchy.closure @ lacked.T > 0),
        worth=_rows(hierarchy.closure @ sparse.diags(np.sqrt(information_content(hierarchy, frequencies)))),
        telling=telling,
    )


def finding_ratios(model: FindingModel, findings: sparse.csr_matrix) -> Floats:
    """Log likelihood ratio of each finding for each candidate, shape (f, m).

    Parameters
    ----------
    findings
        Shape (f, n): how probably each finding means each concept, rows summing to 1.
    """
    meant = findings.astype(np.float32)
    ratios = (meant @ model.direct).toarray() + ((meant @ model.within) @ model.reach).toarray()
    ratios = (model.kin @ ratios.T).T
    # A text may also mean another finding than the one that is lacked.
    lacked = (meant @ model.lacked).tocoo()
    ratios[lacked.row, lacked.col] *= np.maximum(1.0 - lacked.data, 0.0)
    noise = model.telling.noise
    logs: Floats = np.log((1.0 - noise) * ratios + noise)
    return logs


def finding_weights(model: FindingModel, findings: sparse.csr_matrix) -> Floats:
    """How much each finding of one case counts, shape (f,): 1 / (sum of its overlaps with all findings).

    The overlap of two findings is the information content of what is above both, as a share of what is above
    either; with itself it is 1. Findings that say the same count once together.
    """
    worth = findings.astype(np.float32) @ model.worth
    common = (worth @ worth.T).toarray().astype(np.float64)
    own = common.diagonal()
    either = own[:, None] + own[None, :] - common
    overlaps = np.divide(common, either, out=np.eye(len(own)), where=either > 0)
    weights: Floats = 1.0 / overlaps.sum(axis=1)
    return weights


def excluded_scores(model: FindingModel, findings: sparse.csr_matrix) -> Floats:
    """Log probability that each excluded finding is absent under each candidate, shape (f, m), at most 0."""
    absent = np.exp((findings.astype(np.float32) @ model.absent).toarray())
    scores: Floats = np.log(1.0 - model.telling.trust * (1.0 - absent))
    return scores


def _rows(matrix: Any) -> sparse.csr_matrix:
    rows: sparse.csr_matrix = matrix.tocsr().astype(np.float32)
    return rows
