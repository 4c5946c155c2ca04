"""``zeroshot evaluate rare-disease``: how well diseases are told from what was found."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeroshot_core.cli.console import note, shows_progress, write_json, write_line, write_table

if TYPE_CHECKING:
    from zeroshot_core.evaluation import Patient, RareDiseaseReport
    from zeroshot_core.prediction import ZeroShotRanker

__all__ = ["rare_disease"]


class _Database(str, Enum):
    OMIM = "OMIM"
    ORPHA = "ORPHA"
    ALL = "all"


class _Told(str, Enum):
    IDS = "ids"
    WORDS = "words"


def rare_disease(
    patients: Annotated[
        str, typer.Option(help="'simulated', or a JSON list of patients with their diagnoses.")
    ] = "simulated",
    n: Annotated[int, typer.Option(min=1, help="Patients to simulate.")] = 600,
    findings: Annotated[int, typer.Option(min=1, help="Findings of a simulated patient.")] = 5,
    noise: Annotated[int, typer.Option(min=0, help="Unrelated findings added to them.")] = 2,
    imprecision: Annotated[
        float, typer.Option(min=0, max=1, help="Share of findings that are told as a parent.")
    ] = 0.4,
    told: Annotated[
        _Told, typer.Option(help="Simulated findings as ids, or as one of their names.")
    ] = _Told.IDS,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation.")] = 0,
    database: Annotated[_Database, typer.Option(help="Which diseases to rank.")] = _Database.ALL,
    exclude_references: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Publications to leave out, one a line (PMID:...)."),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder that keeps the fitted model for the next run.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Rank rare diseases for patients whose diagnoses are known."""
    from zeroshot_core.evaluation import (
        evaluate_rare_diseases,
        read_patients,
        simulate_patients,
        told_in_words,
    )
    from zeroshot_core.evaluation.patients import with_current_ids

    given = None if patients == "simulated" else read_patients(Path(patients))
    ranker = _ranker(database, exclude_references, model)
    cases: list[Patient]
    if given is not None:
        cases = with_current_ids(given, ranker.saved_extra_["alternative_ids"])
    else:
        cases = simulate_patients(
            ranker.annotations_, n, n_findings=findings, noise=noise, imprecision=imprecision, seed=seed
        )
        if told is _Told.WORDS:
            cases = told_in_words(cases, ranker.annotations_, seed=seed)
    report = evaluate_rare_diseases(ranker, cases)
    if json:
        write_json(report.to_dict())
    else:
        _write(report)
    ranker.close()


def _ranker(database: _Database, exclude_references: Path | None, folder: Path | None) -> ZeroShotRanker:
    """Open the ranker that a folder keeps, or fit one and keep it there."""
    from zeroshot_core.estimators.saving import MANIFEST
    from zeroshot_core.prediction import ZeroShotRanker

    excluded = sorted(set(exclude_references.read_text("utf-8").split())) if exclude_references else []
    digest = hashlib.sha256("\n".join(excluded).encode()).hexdigest()[:16] if excluded else ""
    about = {"database": database.value, "excluded_references": digest}
    if folder is not None and (folder / MANIFEST).exists():
        ranker = ZeroShotRanker.load(folder)
        if {name: ranker.saved_extra_.get(name) for name in about} != about:
            ranker.close()
            raise typer.BadParameter(
                f"expected a model for these diseases and references in {folder}, got one for others; "
                "name another folder",
                param_hint="--model",
            )
        return ranker
    return _fitted(database, excluded, about, folder)


def _fitted(
    database: _Database, excluded: list[str], about: dict[str, Any], folder: Path | None
) -> ZeroShotRanker:
    from zeroshot_core.datasets import DATABASES, load_rare_diseases
    from zeroshot_core.prediction import ZeroShotRanker

    databases = DATABASES if database is _Database.ALL else (database.value,)
    note("reading the ontology and its annotations")
    data = load_rare_diseases(databases=databases, excluded_references=excluded)
    index = None if folder is None else str(_made(folder) / "index.db")
    ranker = ZeroShotRanker(graph=data.graph, index=index, show_progress=shows_progress()).fit()
    ranker.saved_extra_ = {**about, "alternative_ids": dict(data.alternative_ids), "version": data.version}
    if folder is not None:
        ranker.save(folder, extra=ranker.saved_extra_)
    return ranker


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(report: RareDiseaseReport) -> None:
    rows = {"ours": report.scores, **report.baselines}
    names = list(asdict(report.scores))
    write_table(
        "Right diagnosis among the first",
        ["method", *names],
        (
            [method.replace("_", " "), *(f"{value:.3f}" for value in asdict(scores).values())]
            for method, scores in rows.items()
        ),
        numbers=range(1, len(names) + 1),
    )
    write_line(
        f"{report.n_patients:,} patients, {report.n_candidates:,} diseases; {report.ms_per_case:.0f} ms a "
        f"patient in a batch, {report.ms_alone:.0f} ms alone"
    )
    if report.n_without_findings or report.n_without_diagnosis:
        write_line(
            f"nothing to go on for {report.n_without_findings}, diagnosis not among the diseases for "
            f"{report.n_without_diagnosis}; both count as failures"
        )
