"""How well rare diseases are recognised by findings, beside similarity of meaning and of vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation.metrics import tied_rank
from zeroshot_core.evaluation.semantic_baselines import semantic_baselines
from zeroshot_core.ranking.findings import Findings

if TYPE_CHECKING:
    from zeroshot_core.evaluation.patients import Patient
    from zeroshot_core.prediction import ZeroShotRanker
    from zeroshot_core.types import Floats, Ints

__all__ = ["RankScores", "RareDiseaseReport", "evaluate_rare_diseases"]

_N_ALONE = 20
_PATIENTS_PER_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class RankScores:
    """Share of patients whose right diagnosis is among the first 1, 3, 10; mean reciprocal rank."""

    top1: float
    top3: float
    top10: float
    mrr: float


@dataclass(frozen=True, kw_only=True)
class RareDiseaseReport:
    """What an evaluation found.

    Parameters
    ----------
    n_without_findings, n_without_diagnosis
        Patients of whom no finding is known, and whose diagnoses are not among the candidates; both count as
        failures.
    ms_per_case, ms_alone
        Ranking with reasons in one batch, per patient, and a patient alone (median of twenty).
    """

    n_patients: int
    n_candidates: int
    n_without_findings: int
    n_without_diagnosis: int
    scores: RankScores
    baselines: Mapping[str, RankScores]
    ms_per_case: float
    ms_alone: float

    def to_dict(self) -> dict[str, Any]:
        """Give the figures as plain JSON types."""
        record = asdict(self)
        return {**record.pop("scores"), **record}


def evaluate_rare_diseases(ranker: ZeroShotRanker, patients: Sequence[Patient]) -> RareDiseaseReport:
    """Rank the diseases for patients whose diagnoses are known.

    The rank of a patient is that of the best of the right diagnoses; equal scores share their mean rank.

    Raises
    ------
    InvalidInputError
        If there are no patients.
    """
    if not patients:
        raise InvalidInputError("expected at least 1 patient, got none")
    findings = [patient.findings for patient in patients]
    ranker.rank(findings[:1])
    start = perf_counter()
    ranker.rank(findings)
    ms_per_case = 1000 * (perf_counter() - start) / len(findings)
    ranks, baselines = _ranks(ranker, patients)
    places = {id_: row for row, id_ in enumerate(ranker.classes_.tolist())}
    return RareDiseaseReport(
        n_patients=len(patients),
        n_candidates=len(places),
        n_without_findings=sum(not case.present for case in ranker.understand(findings)),
        n_without_diagnosis=sum(places.keys().isdisjoint(patient.diagnoses) for patient in patients),
        scores=_scores(ranks),
        baselines={name: _scores(values) for name, values in baselines.items()},
        ms_per_case=ms_per_case,
        ms_alone=_alone(ranker, findings),
    )


def _alone(ranker: ZeroShotRanker, findings: Sequence[Findings]) -> float:
    seconds = []
    for each in findings[:_N_ALONE]:
        start = perf_counter()
        ranker.rank([each])
        seconds.append(perf_counter() - start)
    return 1000 * float(np.median(seconds))


def _ranks(ranker: ZeroShotRanker, patients: Sequence[Patient]) -> tuple[Floats, dict[str, Floats]]:
    """Rank of each patient's diagnosis by the ranker, and by each baseline; infinite where it is missing."""
    baselines = semantic_baselines(ranker.annotations_, ranker.version_)
    ranks: dict[str, list[float]] = {name: [] for name in ("", *baselines)}
    for patient, rows, scores in _scored(ranker, patients):
        right = np.flatnonzero(np.isin(ranker.classes_, patient.diagnoses))
        for name, values in ranks.items():
            if not len(rows) or not len(right):
                values.append(np.inf)
                continue
            values.append(_rank(scores if not name else baselines[name](rows), right))
    own = np.array(ranks.pop(""))
    return own, {name: np.array(values) for name, values in ranks.items()}


def _scored(
    ranker: ZeroShotRanker, patients: Sequence[Patient]
) -> Iterator[tuple[Patient, list[int], Floats]]:
    """Each patient with the likeliest meanings of the findings, as rows, and the scores of all candidates."""
    for start in range(0, len(patients), _PATIENTS_PER_BLOCK):
        block = patients[start : start + _PATIENTS_PER_BLOCK]
        findings = [patient.findings for patient in block]
        for patient, case, scores in zip(
            block, ranker.understand(findings), ranker.scores(findings), strict=True
        ):
            rows = np.asarray(case.meant.argmax(axis=1)).ravel() if case.present else np.array([], np.int64)
            yield patient, list(dict.fromkeys(rows.tolist())), scores


def _rank(scores: Floats, right: Ints) -> float:
    best = right[scores[right].argmax()]
    return tied_rank(scores[best], np.delete(scores, best))


def _scores(ranks: Floats) -> RankScores:
    return RankScores(
        top1=float((ranks <= 1).mean()),
        top3=float((ranks <= 3).mean()),
        top10=float((ranks <= 10).mean()),
        mrr=float((1.0 / ranks).mean()),
    )
