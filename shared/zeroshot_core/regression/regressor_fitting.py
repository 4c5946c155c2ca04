"""What a regressor learns: an encoder, where it is tuned, and an ensemble over its vectors."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.estimators.encoder_tuning import Tuning, refusal, tuned_encoder
from zeroshot_core.regression.cross_tuning import share, tuned_views
from zeroshot_core.regression.ensemble import Ensemble, fit_ensemble
from zeroshot_core.regression.features import ConceptSpace

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.encoder_tuning import Report
    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion
    from zeroshot_core.regression.cross_tuning import View
    from zeroshot_core.regression.targets import Targets
    from zeroshot_core.types import Item, Vectors

__all__ = ["Learned", "NumberTask", "concept_space"]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What came of a fit.

    Parameters
    ----------
    version
        Of the items and the encoder, not yet live.
    report
        What tuning did; None without it.
    """

    encoder: Encoder
    version: OpenVersion
    space: ConceptSpace | None
    ensemble: Ensemble
    report: Report | None


@dataclass(frozen=True, kw_only=True)
class NumberTask:
    """Items with targets, and how to learn from them; the names are those of `ZeroShotRegressor`."""

    items: Sequence[Item]
    targets: Targets
    groups: Sequence[Hashable] | None
    graph: KnowledgeGraph | None
    model_index: ModelIndex
    top_k: int
    n_hops: int
    random_state: int
    show_progress: bool

    def learn(self, base: Encoder, tuning: Tuning) -> Learned:
        """Tune the encoder if asked for, index the items, fit the ensemble; nothing is live yet."""
        reader = RememberingEncoder(base) if tuning.method == "head" else base
        there = {info.id for info in self.model_index.index.versions()}
        targets = self.targets.transform(self.targets.values)
        tuning = replace(tuning, budget_s=share(tuning.budget_s))
        encoder, report = tuned_encoder(
            reader,
            tuning,
            self.items,
            targets,
            graph=self.graph,
            model_index=self.model_index,
            groups=self.groups,
        )
        version = self._indexed(encoder)
        if report is None or not report.is_improved:
            return self._learned(encoder, version, report)
        space = concept_space(version, self.graph, self.n_hops)
        views = tuned_views(
            reader,
            tuning,
            self.items,
            targets,
            self._vectors(version),
            space,
            groups=self.groups,
            model_index=self.model_index,
        )
        tuned = self._learned(encoder, version, report, views)
        frozen = self._learned(reader, self._indexed(reader), report)
        return self._better(frozen, tuned, there)

    def _better(self, frozen: Learned, tuned: Learned, there: set[str]) -> Learned:
        """Choose by forecasts of items that neither ensemble, nor what tuned the encoder, had seen."""
        before, after = frozen.ensemble.error, tuned.ensemble.error
        best, other = (tuned, frozen) if after < before else (frozen, tuned)
        left = other.version.info
        if left.id not in {*there, best.version.info.id} and not left.is_live:
            self.model_index.index.drop(left.id)
        if best is tuned:
            return tuned
        why = f"base kept: forecasts do not gain, squared error {before:.4f} before and {after:.4f} after"
        return replace(frozen, report=refusal(tuned.report, frozen.encoder, frozen.version.info.id, why))

    def _learned(
        self, encoder: Encoder, version: OpenVersion, report: Report | None, views: Sequence[View] = ()
    ) -> Learned:
        """Fit the ensemble; over a tuned encoder it needs views."""
        space = concept_space(version, self.graph, self.n_hops)
        ensemble = fit_ensemble(
            self.items,
            self._vectors(version),
            self.targets,
            space,
            self.groups,
            views=views,
            top_k=self.top_k,
            random_state=self.random_state,
            show_progress=self.show_progress,
        )
        return Learned(encoder=encoder, version=version, space=space, ensemble=ensemble, report=report)

    def _indexed(self, encoder: Encoder) -> OpenVersion:
        return self.model_index.build(self.items, encoder, self.graph, show_progress=self.show_progress)

    def _vectors(self, version: OpenVersion) -> Vectors:
        return version.item_vectors([item.id for item in self.items])


def concept_space(version: OpenVersion, graph: KnowledgeGraph | None, n_hops: int) -> ConceptSpace | None:
    """Read the concepts' vectors from a version; None without concepts."""
    if graph is None or not len(graph):
        return None
    return ConceptSpace(graph=graph, vectors=version.concept_vectors(graph.concept_ids), n_hops=n_hops)
