"""Zero-shot ranking: which concepts explain what was found, as diseases explain a patient's findings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from zeroshot_core import checks
from zeroshot_core.dataframes import frame_of_columns
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.base import FittedState, SavedModel
from zeroshot_core.estimators.indexing import ModelIndex, resolve_encoder
from zeroshot_core.estimators.model_inputs import read_schema
from zeroshot_core.estimators.model_state import ModelState, sparse_arrays
from zeroshot_core.estimators.unfitted_error import UnfittedError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.hierarchy import hierarchy_of
from zeroshot_core.graph.validation import first_of
from zeroshot_core.ranking.annotations import Annotations, AnnotationTypes
from zeroshot_core.ranking.findings import Case, Findings, as_findings, link_cases
from zeroshot_core.ranking.hit_writer import HitWriter
from zeroshot_core.ranking.likelihood import (
    FindingModel,
    Telling,
    excluded_scores,
    finding_ratios,
    finding_weights,
    learn_findings,
)
from zeroshot_core.retrieval import Retriever
from zeroshot_core.retrieval.link_choice import LinkChoice
from zeroshot_core.retrieval.linking import Linker
from zeroshot_core.types import Evidence, Hit, Item, Prediction

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Unpack

    from zeroshot_core.dataframes import Frame
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.saving import ModelParts
    from zeroshot_core.frames.table_schema import SchemaColumns, TableSchema
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.types import Floats

    Cases: TypeAlias = Sequence[Findings | Item | str] | Frame

__all__ = ["ZeroShotRanker"]

_CASES_PER_BLOCK = 64


class ZeroShotRanker(SavedModel, BaseEstimator):  # type: ignore[misc]
    """Ranks the concepts of one type by how likely they make what was found.

    Candidates (diseases) are linked to findings (phenotypes) by a relation whose weight is a frequency, and
    the findings form a hierarchy. Nothing is learned from solved cases: the score of a candidate is a log
    likelihood ratio over annotations, hierarchy and vectors (`ranking.likelihood`). Findings are given as
    concept ids or in free text, which is linked to the nearest names in the index.

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`; the default reads English.
    graph
        Candidates, findings and their relations.
    index
        An open `VectorIndex`, a URI, or None for a temporary Milvus Lite file. It holds the candidates as
        items, and the findings with their names and hierarchy.
    candidates
        Type of the concepts to rank; concepts of all other types are findings.
    relation, exclusion
        Types of the relations from a candidate to findings that it shows, and that it is known to lack.
    hierarchy
        Type of the relations between findings, from narrow to wide; None if they are a flat list.
    telling
        How findings are told.
    top_k
        Candidates given for each case.
    show_progress
        Whether `fit` draws progress bars on standard error.
    """

    _kind: ClassVar[str] = "ranker"
    _fitted: _RankerState

    def __init__(
        self,
        encoder: str | Encoder = "all-MiniLM-L6-v2",
        graph: KnowledgeGraph | None = None,
        *,
        index: VectorIndex | str | Path | None = None,
        candidates: str = "disease",
        relation: str = "has_phenotype",
        exclusion: str = "lacks_phenotype",
        hierarchy: str | None = "is_a",
        telling: Telling | None = None,
        top_k: int = 10,
        show_progress: bool = False,
    ) -> None:
        self.encoder = encoder
        self.graph = graph
        self.index = index
        self.candidates = candidates
        self.relation = relation
        self.exclusion = exclusion
        self.hierarchy = hierarchy
        self.telling = telling
        self.top_k = top_k
        self.show_progress = show_progress

    def fit(self, *, schema: TableSchema | None = None, **columns: Unpack[SchemaColumns]) -> ZeroShotRanker:
        """Index findings and candidates, and turn the annotations into likelihoods.

        Parameters
        ----------
        schema, columns
            What the columns of tables of cases hold, which `rank` and the others then take: a `TableSchema`,
            or keywords such as ``text=["note"], concepts=["finding 1", "finding 2"], id="patient"``. Where a
            row names concepts, these are its findings; else they are found in its text. Nothing else is
            learned from tables.

        Raises
        ------
        InvalidInputError
            If the graph lacks candidates, annotations or the named hierarchy, the hierarchy has a cycle, or a
            parameter is out of range; nothing has been changed then.
        """
        known = read_schema("ZeroShotRanker.fit", schema, columns, roles=("text", "concepts", "id"))
        checks.whole("top_k", self.top_k, least=1)
        checks.instance("graph", self.graph, KnowledgeGraph)
        annotations = Annotations.of(self.graph, self._types())
        encoder = resolve_encoder(self.encoder)
        with self._turns:
            model_index = ModelIndex(self.index)
            version = model_index.build(
                annotations.items(), encoder, annotations.findings, show_progress=self.show_progress
            )
            model = learn_findings(
                annotations.hierarchy,
                annotations.frequencies,
                annotations.lacked,
                annotations.near(version),
                annotations.kin(version),
                self.telling or Telling(),
            )
            linker = Linker(version, encoder)
            linker.choice  # noqa: B018 - learned now, since it takes a second
            model_index.publish(version)
            self._fitted = _fitted_state(
                model_index, version, encoder, annotations, model, linker, top_k=self.top_k, schema=known
            )
        return self

    def rank(self, X: Cases, *, top_k: int | None = None, databases: Sequence[str] = ()) -> list[list[Hit]]:
        """Rank the candidates of each case.

        Parameters
        ----------
        X
            Findings; items with their concepts; texts in which findings are mentioned; or a table, where
            `fit` was told what its columns hold. Former ids and other spellings of an id count as that of
            today; a warning names what means no concept.
        databases
            Prefixes of the candidates' ids, such as ``["OMIM"]``, that are ranked; empty for all.

        Returns
        -------
        list of list of Hit
            For each case `top_k` candidates, best first, ties by id; none where no finding is known. The
            score is the natural log likelihood ratio, the sum of the parts, which are those of each
            finding; excluded ones begin with ``not``. The metadata hold the `probability` among all that are
            ranked. The path leads from the finding that speaks most for the candidate to what it shows.
        """
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        fitted = self._learned()
        ranked = _ranked(fitted, databases)
        return _hits(fitted, _understood(fitted, X), ranked, top_k)

    def scores(self, X: Cases) -> Floats:
        """Log likelihood ratios, shape (q, m) in the order of `classes_`; 0 where nothing is known."""
        fitted = self._learned()
        cases = _understood(fitted, X)
        rows = [logs.sum(axis=0) + denied.sum(axis=0) for _, logs, denied in _scored(fitted, cases)]
        return np.stack(rows).astype(np.float64) if rows else np.zeros((0, len(fitted.classes)))

    def predict(self, X: Cases) -> npt.NDArray[np.str_]:
        """Best candidate of each case, shape (q,); empty strings where there is nothing to go on."""
        fitted = self._learned()
        best = [
            str(fitted.classes[(logs.sum(axis=0) + denied.sum(axis=0)).argmax()]) if case.present else ""
            for case, logs, denied in _scored(fitted, _understood(fitted, X))
        ]
        return np.array(best, dtype=np.str_)

    def explain(
        self,
        X: Cases,
        *,
        top_k: int | None = None,
        coverage: float | None = None,
        graph_weight: float | None = None,
        evidence: bool = True,
    ) -> list[Prediction]:
        """Best candidate with probabilities, and the best ones with what each finding says for them.

        Parameters
        ----------
        coverage, graph_weight
            For callers that don't know what kind of model they hold: they change nothing here.
        evidence
            Whether the best candidates are told with their findings and paths; without,
            `Prediction.evidence` is empty.
        """
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        fitted = self._learned()
        cases, ranked = _understood(fitted, X), _ranked(fitted, ())
        evidence = checks.flag("evidence", evidence)
        found = _hits(fitted, cases, ranked, top_k, with_paths=evidence)
        return [
            Prediction(
                id=case.id,
                value=hits[0].text if hits else "",
                probabilities=_by_name(hits),
                evidence=Evidence(concepts=tuple(hits)) if evidence else Evidence(),
            )
            for case, hits in zip(cases, found, strict=True)
        ]

    def predict_frame(self, X: Cases, *, top_k: int | None = None) -> Any:
        """Best candidates as a table, a row a case and candidate, those of a case together.

        Returns
        -------
        DataFrame
            Of the library of `X`; of pandas, or polars where that alone is installed, if `X` is no table. Its
            columns are ``id``, ``rank`` from 1, ``candidate``, ``name``, ``probability`` and ``score``.
        """
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        fitted = self._learned()
        cases = _understood(fitted, X)
        found = _hits(fitted, cases, _ranked(fitted, ()), top_k, with_paths=False)
        rows = [
            (case.id, rank, hit.id, hit.text, hit.metadata["probability"], hit.score)
            for case, hits in zip(cases, found, strict=True)
            for rank, hit in enumerate(hits, start=1)
        ]
        names = ("id", "rank", "candidate", "name", "probability", "score")
        return frame_of_columns(
            {name: [row[place] for row in rows] for place, name in enumerate(names)}, like=X
        )

    def understand(self, X: Cases) -> list[Case]:
        """Say which concepts the findings of each case were taken to mean, and which mean none."""
        return _linked(self._learned(), X)

    @property
    def classes_(self) -> npt.NDArray[np.str_]:
        """Ids of the candidates, shape (n_candidates,)."""
        return self._fitted.classes

    @property
    def graph_(self) -> KnowledgeGraph:
        """The findings and their hierarchy."""
        return self._fitted.annotations.findings

    @property
    def annotations_(self) -> Annotations:
        """Which candidate shows which findings."""
        return self._fitted.annotations

    @property
    def model_(self) -> FindingModel:
        """How likely each candidate makes each finding."""
        return self._fitted.model

    @property
    def linker_(self) -> Linker:
        """What finds findings in texts."""
        return self._fitted.linker

    @property
    def retriever_(self) -> Retriever:
        """What finds candidates by their names."""
        return self._fitted.retriever

    @property
    def writer_(self) -> HitWriter:
        """What puts scores into hits."""
        return self._fitted.writer

    def _learned(self) -> _RankerState:
        """Give what was learned, which answers a call from begin to end."""
        self._check_fitted()
        return self._fitted

    def _types(self) -> AnnotationTypes:
        return AnnotationTypes(
            candidates=self.candidates,
            relation=self.relation,
            exclusion=self.exclusion,
            hierarchy=self.hierarchy,
        )

    def _state(self) -> ModelState:
        annotations, learned = self.annotations_, {**vars(self.model_)}
        config = {
            "parameters": {
                **asdict(annotations.types),
                "top_k": self.top_k,
            },
            "telling": asdict(learned.pop("telling")),
            "ids": list(annotations.ids),
            "names": list(annotations.names),
            "choice": asdict(self.linker_.choice),
        }
        matrices = {"frequencies": annotations.frequencies, "lacks": annotations.lacked, **learned}
        arrays: dict[str, Any] = {}
        for name, matrix in matrices.items():
            arrays |= sparse_arrays(name, matrix)
        return ModelState(kind=self._kind, config=config, arrays=arrays)

    def _saved_graph(self) -> KnowledgeGraph:
        return self.graph_

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> ZeroShotRanker:
        findings = KnowledgeGraph() if parts.graph is None else parts.graph
        told, parameters = state.mapping("telling"), state.parameters(cls)
        checks.known_names("a saved telling", told, [field.name for field in fields(Telling)])
        telling = Telling(**told)
        ranker = cls(parts.encoder, findings, index=parts.model_index.index, telling=telling, **parameters)
        checks.whole("top_k", ranker.top_k, least=1)
        for name, value in asdict(ranker._types()).items():
            if name != "hierarchy" or value is not None:
                checks.text(name, value)
        ids = state.entries("ids")
        n, m = len(findings), len(ids)
        shapes = {"within": (n, n), "worth": (n, n), "kin": (m, m)}
        matrices = {
            field.name: state.matrix(field.name, np.float32, shapes.get(field.name, (n, m)))
            for field in fields(FindingModel)
            if field.name != "telling"
        }
        frequencies, lacks = (state.matrix(name, np.float64, (m, n)) for name in ("frequencies", "lacks"))
        below = [matrices["absent"], *(-matrix for name, matrix in matrices.items() if name != "absent")]
        if any(matrix.data.max(initial=0) > 0 for matrix in below) or frequencies.data.min(initial=0) < 0:
            raise InvalidInputError("expected log probabilities in 'absent' and shares elsewhere, got others")
        if not np.diff(frequencies.indptr).all():
            raise InvalidInputError("expected candidates that show a finding each, got one that shows none")
        annotations = Annotations(
            types=ranker._types(),
            ids=ids,
            names=state.entries("names", n=m),
            findings=findings,
            hierarchy=hierarchy_of(findings, (ranker.hierarchy,) if ranker.hierarchy else ()),
            frequencies=frequencies,
            lacked=lacks,
        )
        model = FindingModel(telling=telling, **matrices)
        weights = checks.sequence("weights", state.mapping("choice").get("weights"), of="numbers")
        choice = LinkChoice(
            weights=tuple(checks.real("weights", weight) for weight in weights),
            threshold=state.number("threshold", inside="choice"),
        )
        linker = Linker(parts.version, parts.encoder, choice=choice)
        ranker._fitted = _fitted_state(
            parts.model_index, parts.version, parts.encoder, annotations, model, linker, top_k=ranker.top_k
        )
        return ranker

    def _check_fitted(self) -> None:
        if not self._is_fitted:
            raise UnfittedError("expected a fitted ranker, got one before fit; call fit()")


@dataclass(frozen=True, kw_only=True, eq=False)
class _RankerState(FittedState):
    """What a ranker has learned."""

    annotations: Annotations
    classes: npt.NDArray[np.str_]
    model: FindingModel
    linker: Linker
    retriever: Retriever
    writer: HitWriter


def _fitted_state(
    model_index: ModelIndex,
    version: OpenVersion,
    encoder: Encoder,
    annotations: Annotations,
    model: FindingModel,
    linker: Linker,
    *,
    top_k: int,
    schema: TableSchema | None = None,
) -> _RankerState:
    return _RankerState(
        encoder=encoder,
        model_index=model_index,
        version=version,
        graph=annotations.findings,
        schema=schema,
        annotations=annotations,
        classes=np.array(annotations.ids),
        model=model,
        linker=linker,
        retriever=Retriever(version, encoder, annotations.findings, top_k=top_k),
        writer=HitWriter(annotations),
    )


def _understood(fitted: _RankerState, X: Cases) -> list[Case]:
    """As `understand`, with a warning that names what means no concept and so counts for nothing."""
    cases = _linked(fitted, X)
    unknown = list(dict.fromkeys(text for case in cases for text in case.unknown))
    if unknown:
        warnings.warn(
            f"{len(unknown)} findings mean no concept of the graph and count for nothing: "
            f"{first_of(map(checks.shown, unknown), len(unknown))}; mend their ids or words",
            stacklevel=3,
        )
    return cases


def _linked(fitted: _RankerState, X: Cases) -> list[Case]:
    findings, linker = fitted.annotations.findings, fitted.linker
    return link_cases(as_findings(fitted.read(X), linker.link_mentions), findings, linker)


def _hits(
    fitted: _RankerState,
    cases: Sequence[Case],
    ranked: npt.NDArray[np.int64],
    top_k: int,
    *,
    with_paths: bool = True,
) -> list[list[Hit]]:
    return [
        fitted.writer.hits(case, logs, denied, ranked, top_k, with_paths=with_paths) if case.present else []
        for case, logs, denied in _scored(fitted, cases)
    ]


def _scored(fitted: _RankerState, cases: Sequence[Case]) -> Iterator[tuple[Case, Floats, Floats]]:
    """Each case with what each of its findings, and each excluded one, says for each candidate."""
    for start in range(0, len(cases), _CASES_PER_BLOCK):
        block = cases[start : start + _CASES_PER_BLOCK]
        logs = finding_ratios(fitted.model, sparse.vstack([case.meant for case in block], format="csr"))
        denied = excluded_scores(
            fitted.model, sparse.vstack([case.ruled_out for case in block], format="csr")
        )
        starts = np.cumsum([0, *(len(case.present) for case in block)])
        denied_starts = np.cumsum([0, *(len(case.excluded) for case in block)])
        for place, case in enumerate(block):
            weights = finding_weights(fitted.model, case.meant)
            yield (
                case,
                weights[:, None] * logs[starts[place] : starts[place + 1]],
                denied[denied_starts[place] : denied_starts[place + 1]],
            )


def _ranked(fitted: _RankerState, databases: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rows of the candidates of these databases."""
    prefixes = tuple(f"{name}:" for name in checks.sequence("databases", databases, of="names")) or ("",)
    rows = np.flatnonzero([id_.startswith(prefixes) for id_ in fitted.classes.tolist()])
    if not len(rows):
        raise InvalidInputError(
            f"expected databases of candidates such as {str(fitted.classes[0])!r}, got "
            f"{checks.shown(list(databases))}"
        )
    return rows


def _by_name(hits: Sequence[Hit]) -> dict[str, float]:
    """Probabilities by name; candidates of one name, as of two databases, count together."""
    shares: dict[str, float] = {}
    for hit in hits:
        shares[hit.text] = shares.get(hit.text, 0.0) + float(hit.metadata["probability"])
    return shares
