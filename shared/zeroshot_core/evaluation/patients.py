"""Patients with known diagnoses: simulated from annotations, or read from a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction import Findings

if TYPE_CHECKING:
    from zeroshot_core.ranking.annotations import Annotations

__all__ = ["Patient", "read_patients", "simulate_patients", "told_in_words", "with_current_ids"]


@dataclass(frozen=True, kw_only=True)
class Patient:
    """Findings, and the ids of the diseases any of which is the right diagnosis."""

    findings: Findings
    diagnoses: tuple[str, ...]


def simulate_patients(
    annotations: Annotations,
    n_patients: int,
    *,
    n_findings: int = 5,
    noise: int = 2,
    imprecision: float = 0.4,
    seed: int = 0,
) -> list[Patient]:
    """Draw patients as Köhler et al. [1]_ did: findings of a disease, some stated vaguely, some unrelated.

    Diseases are drawn uniformly, without replacement while there are enough, among those annotated with at
    least `n_findings`.

    Parameters
    ----------
    n_findings
        Drawn without replacement from those of the disease, in proportion to their frequencies.
    noise
        Unrelated findings added, drawn uniformly from all.
    imprecision
        Probability from 0 to 1 that a finding is stated as one of its parents.

    Raises
    ------
    InvalidInputError
        If a number is out of range, or no disease has so many findings.

    References
    ----------
    .. [1] Köhler et al., "Clinical diagnostics in human genetics with semantic similarity searches in
       ontologies", AJHG 85, 2009.
    """
    _check(n_patients, n_findings, noise, imprecision)
    rng = np.random.default_rng(seed)
    rich = np.flatnonzero(np.diff(annotations.frequencies.indptr) >= n_findings)
    if not len(rich):
        raise InvalidInputError(f"expected a disease with at least {n_findings} findings, got none")
    drawn = rng.choice(rich, n_patients, replace=n_patients > len(rich))
    return [
        Patient(
            findings=Findings(
                id=f"patient-{number}",
                present=_findings(annotations, int(disease), rng, n_findings, noise, imprecision),
            ),
            diagnoses=(annotations.ids[disease],),
        )
        for number, disease in enumerate(drawn)
    ]


def _check(n_patients: int, n_findings: int, noise: int, imprecision: float) -> None:
    if n_patients < 1 or n_findings < 1 or noise < 0:
        raise InvalidInputError(
            "expected at least 1 patient, 1 finding and 0 unrelated ones, got "
            f"{n_patients}, {n_findings} and {noise}"
        )
    if not 0 <= imprecision <= 1:
        raise InvalidInputError(f"expected an imprecision from 0 to 1, got {imprecision}")


def _findings(
    annotations: Annotations,
    disease: int,
    rng: np.random.Generator,
    n_findings: int,
    noise: int,
    imprecision: float,
) -> tuple[str, ...]:
    shown, frequencies = annotations.shown_by(disease)
    parents = annotations.hierarchy.parents
    rows = []
    for row in rng.choice(shown, n_findings, replace=False, p=frequencies / frequencies.sum()):
        above = parents.indices[parents.indptr[row] : parents.indptr[row + 1]]
        rows.append(rng.choice(above) if rng.random() < imprecision and len(above) else row)
    rows += rng.choice(parents.shape[0], noise, replace=False).tolist()
    return tuple(annotations.findings.concept_ids[row] for row in rows)


def told_in_words(patients: Sequence[Patient], annotations: Annotations, *, seed: int = 0) -> list[Patient]:
    """Tell every finding by one of its names, drawn uniformly from its name and synonyms."""
    rng = np.random.default_rng(seed)

    def words(ids: Sequence[str]) -> tuple[str, ...]:
        concepts = [annotations.findings.concepts[id_] for id_ in ids]
        return tuple(str(rng.choice([concept.name, *concept.synonyms])) for concept in concepts)

    return [_retold(patient, words) for patient in patients]


def _retold(patient: Patient, retell: Callable[[Sequence[str]], tuple[str, ...]]) -> Patient:
    findings = patient.findings
    retold = replace(findings, present=retell(findings.present), excluded=retell(findings.excluded))
    return replace(patient, findings=retold)


def with_current_ids(patients: Sequence[Patient], alternative_ids: Mapping[str, str]) -> list[Patient]:
    """Replace ids of findings that have been merged into others or replaced by them."""

    def current(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(alternative_ids.get(text, text) for text in texts)

    return [_retold(patient, current) for patient in patients]


def read_patients(path: Path) -> list[Patient]:
    """Read a JSON list of ``{"phenotypes": [...], "excluded": [...], "diagnoses": [...]}``.

    Phenotypes are ids or free text; ``excluded`` may be left out.

    Raises
    ------
    InvalidInputError
        If the file can't be read or an entry is wrong; the message names the first.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"expected a readable JSON file, got {path}: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise InvalidInputError(f"{path}: expected a list of patients, got {type(entries).__name__}")
    return [_patient(path, number, entry) for number, entry in enumerate(entries)]


def _patient(path: Path, number: int, entry: Any) -> Patient:
    fields = {"phenotypes", "excluded", "diagnoses"}
    if not isinstance(entry, dict) or not {"phenotypes", "diagnoses"} <= entry.keys() <= fields:
        got = sorted(entry) if isinstance(entry, dict) else type(entry).__name__
        raise InvalidInputError(
            f"{path}, patient {number}: expected an object with phenotypes, diagnoses and perhaps excluded, "
            f"got {got}"
        )
    for name, values in entry.items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InvalidInputError(
                f"{path}, patient {number}: expected {name} as a list of strings, got {values!r}"
            )
    findings = Findings(
        id=f"patient-{number}",
        present=tuple(entry["phenotypes"]),
        excluded=tuple(entry.get("excluded", ())),
    )
    return Patient(findings=findings, diagnoses=tuple(entry["diagnoses"]))
