"""Zero-shot regression: numbers and curves for things without a history."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from zeroshot_core.errors import NotFittedError
from zeroshot_core.estimators.base import SavedModel
from zeroshot_core.estimators.encoder_tuning import Tuning, clear_rounds, holds_encoder, without_memory
from zeroshot_core.estimators.indexing import ModelIndex, as_items, resolve_encoder
from zeroshot_core.regression.ensemble import Ensemble
from zeroshot_core.regression.features import ConceptSpace
from zeroshot_core.regression.neighbours import known_neighbours
from zeroshot_core.regression.regressor_fitting import NumberTask, concept_space
from zeroshot_core.regression.regressor_inputs import check_learning, check_probability
from zeroshot_core.regression.regressor_state import regressor_state, restore_regressor
from zeroshot_core.regression.targets import check_targets
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Evidence, Item, Prediction

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.saving import ModelParts, ModelState
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.regression.ensemble import Forecast
    from zeroshot_core.types import Floats, Hit, Vectors

__all__ = ["ZeroShotRegressor"]

_N_CONCEPTS_SHOWN = 5
_EVIDENCE = ("graph", "top_k", "n_hops", "graph_weight")
_LEARNING = ("top_k", "n_hops", "random_state", "show_progress")


class ZeroShotRegressor(SavedModel, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a number or a curve for a new item from known items near it and the concepts it belongs to.

    Known items are indexed in Milvus. The evidence for an item is what its concepts, combinations of two
    concepts, nearby concepts and nearest items say about the target, beside its own vector. While learning,
    the evidence for each known item is gathered as if it were new: from outside its own fold, its own type,
    its own maker, and so on (`schemes`); a head is learned for each way of being new, and forecasts are
    mixed by which way a query resembles.

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`.
    graph
        The concepts that items are linked to; None predicts from vectors alone.
    index
        An open `VectorIndex`, a URI, or None for a temporary Milvus Lite file.
    top_k
        Neighbours that count as evidence.
    n_hops
        Relations crossed, head to tail, to find an item's concept of a type that it isn't linked to.
    graph_weight
        Share of the graph in the score of the hits that `explain` shows, 0 to 1.
    target
        ``"count"`` (whole numbers from 0), ``"nonnegative"``, ``"real"``, or ``"auto"`` to tell by the
        targets. Forecasts of counts and non-negative targets are never negative; they are the expectation on
        the scale of ``log(1 + y)``, which is best for relative errors (RMSLE).
    tune
        ``"none"`` leaves the encoder as it is; ``"head"`` trains a small head over it, ``"full"`` and
        ``"lora"`` its upper layers, and ``"joint"`` either together with the index (`optimise_jointly`), so
        that items of near targets become near. What is trained is kept only where held-out items (or
        `groups`) gain by it. Then it is tuned three times more: while heads learn, each item is seen through
        an encoder tuned without it (`cross_tuning`). If the forecasts of items not seen are no better for it,
        the base comes back after all. `tuning_` says what happened.
    budget_s
        Seconds of training, in equal shares for the four tunings of a regressor; None for no bound. Encoding
        and the heads come on top.
    checkpoints
        Folder of this model's own in which joint tuning keeps what each round left, so that a fit that was
        killed goes on from there; None takes one beside a local index, ``<index>-joint``, and none with a
        server or a temporary index. It is removed when the fit ends.
    random_state
        Seed of folds, heads and tuning; the same data and seed give the same model.
    show_progress
        Whether `fit` and `predict` draw progress bars on standard error.
    """

    _kind: ClassVar[str] = "regressor"

    def __init__(
        self,
        encoder: str | Encoder = "all-MiniLM-L6-v2",
        graph: KnowledgeGraph | None = None,
        *,
        index: VectorIndex | str | Path | None = None,
        top_k: int = 40,
        n_hops: int = 2,
        graph_weight: float = 0.3,
        target: str = "auto",
        tune: str = "none",
        budget_s: float | None = None,
        checkpoints: str | Path | None = None,
        random_state: int = 0,
        show_progress: bool = False,
    ) -> None:
        self.encoder = encoder
        self.graph = graph
        self.index = index
        self.top_k = top_k
        self.n_hops = n_hops
        self.graph_weight = graph_weight
        self.target = target
        self.tune = tune
        self.budget_s = budget_s
        self.checkpoints = checkpoints
        self.random_state = random_state
        self.show_progress = show_progress

    def fit(
        self, X: Sequence[Item | str], y: Any, groups: Sequence[Hashable] | None = None
    ) -> ZeroShotRegressor:
        """Index the known items and learn what their evidence says about the targets.

        Parameters
        ----------
        X
            Items or texts, shape (n,); at least 5.
        y
            Targets, shape (n,) or (n, horizon).
        groups
            Shape (n,): what will be unseen as a whole when predicting (the product type of each item, say).
            None learns for every way of being new that the graph's types suggest.

        Raises
        ------
        InvalidInputError
            If items or targets are wrong, or their numbers differ; nothing has been changed then.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        items = as_items(X, prefix="item-")
        targets = check_targets(y, len(items), self.target)
        check_learning(items, groups, **{name: getattr(self, name) for name in _EVIDENCE})
        base = resolve_encoder(self.encoder)
        tuning = Tuning(
            method=self.tune,
            budget_s=self.budget_s,
            checkpoints=self.checkpoints,
            random_state=self.random_state,
            show_progress=self.show_progress,
        )
        tuning.check_encoder(base)
        task = NumberTask(
            items=items,
            targets=targets,
            groups=groups,
            graph=self.graph,
            model_index=ModelIndex(self.index),
            **{name: getattr(self, name) for name in _LEARNING},
        )
        learned = task.learn(base, tuning)
        task.model_index.publish(learned.version)
        clear_rounds(learned.report, task.model_index, learned.version, self.checkpoints)
        held = self.encoder_ if self.holds_encoder_ else None
        self.holds_encoder_ = holds_encoder(learned.encoder, learned.report, held)
        self.tuning_ = learned.report
        encoder, ids = without_memory(learned.encoder, base), [item.id for item in items]
        self._adopt(task.model_index, learned.version, encoder, learned.space, ids, learned.ensemble)
        return self

    def predict(self, X: Sequence[Item | str]) -> Floats:
        """Forecast for items or texts, shape (q,) or (q, horizon), in the unit of the targets.

        What `fit` was given may be asked again. It is not new then: its target counts among those of its
        concepts and, under another id or as a text, among its neighbours'. How good forecasts of new items
        are, those of known ones do not tell.

        Raises
        ------
        NotFittedError
            Before `fit`.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        return self._shaped(self._forecast_of(X).mean)

    def predict_quantile(self, X: Sequence[Item | str], q: float) -> Floats:
        """Value that the truth stays below with probability `q` in (0, 1); shape as of `predict`."""
        check_probability(q, "q")
        return self._shaped(self._forecast_of(X, quantiles=(q,)).quantiles[0])

    def predict_interval(self, X: Sequence[Item | str], coverage: float = 0.9) -> Floats:
        """Lower and upper end that hold the truth with probability `coverage` in (0, 1).

        Returns
        -------
        Floats
            Shape (q, 2), or (q, 2, horizon) for curves, each step with its own coverage.
        """
        check_probability(coverage, "coverage")
        forecast = self._forecast_of(X, interval=coverage)
        return np.stack([self._shaped(end) for end in forecast.interval], axis=1)

    def explain(
        self,
        X: Sequence[Item | str],
        *,
        top_k: int = 5,
        coverage: float = 0.9,
        graph_weight: float | None = None,
    ) -> list[Prediction]:
        """Forecast with interval, nearest known items, concepts, and the paths that lead to them."""
        check_probability(coverage, "coverage")
        items = self._checked_items(X)
        vectors = self._encode(items)
        forecast = self._forecast(items, vectors, interval=coverage)
        values = self._shaped(forecast.mean)
        low, high = (self._shaped(end) for end in forecast.interval)
        hits = self.retriever_.retrieve(items, top_k=top_k + 1, graph_weight=graph_weight, vectors=vectors)
        concepts: list[list[Hit]] = [[] for _ in items]
        if self.space_:
            concepts = self.retriever_.related_concepts(items, top_k=_N_CONCEPTS_SHOWN, vectors=vectors)
        return [
            Prediction(
                id=item.id,
                value=_plain(values[row]),
                interval=(_plain(low[row]), _plain(high[row])),
                coverage=coverage,
                evidence=Evidence(
                    items=tuple(hit for hit in hits[row] if hit.id != item.id)[:top_k],
                    concepts=tuple(concepts[row]),
                ),
            )
            for row, item in enumerate(items)
        ]

    def _state(self) -> ModelState:
        return regressor_state(self.get_params(), self.ids_, self.ensemble_)

    def _saved_graph(self) -> KnowledgeGraph | None:
        return self.graph

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> ZeroShotRegressor:
        parameters, ids, ensemble = restore_regressor(state)
        model = cls(parts.encoder, parts.graph, index=parts.model_index.index, **parameters)
        space = concept_space(parts.version, parts.graph, model.n_hops)
        model._adopt(parts.model_index, parts.version, parts.encoder, space, ids, ensemble)
        return model

    def _adopt(
        self,
        model_index: ModelIndex,
        version: OpenVersion,
        encoder: Encoder,
        space: ConceptSpace | None,
        ids: Sequence[str],
        ensemble: Ensemble,
    ) -> None:
        """Take over everything learned, all at once."""
        self.retriever_ = Retriever(
            version, encoder, self.graph, graph_weight=self.graph_weight, n_hops=self.n_hops
        )
        self.model_index_, self.version_, self.encoder_, self.space_ = model_index, version, encoder, space
        self.ids_ = tuple(ids)
        self.rows_ = {id_: row for row, id_ in enumerate(ids)}
        self.ensemble_ = ensemble

    def _check_fitted(self) -> None:
        if not hasattr(self, "ensemble_"):
            raise NotFittedError("expected a fitted regressor, got one before fit; call fit(items, targets)")

    def _checked_items(self, X: Any) -> list[Item]:
        self._check_fitted()
        items = as_items(X, prefix="query-")
        if self.space_ is not None:
            self.space_.graph.require(concept for item in items for concept in item.concepts)
        return items

    def _encode(self, items: Sequence[Item]) -> Vectors:
        return self.encoder_.encode([item.content for item in items], show_progress=self.show_progress)

    def _forecast(
        self,
        items: Sequence[Item],
        vectors: Vectors,
        *,
        quantiles: Sequence[float] = (),
        interval: float | None = None,
    ) -> Forecast:
        found = known_neighbours(self.version_, self.rows_, items, vectors, self.top_k)
        return self.ensemble_.forecast(
            items, vectors, found, self.space_, quantiles=quantiles, coverage=interval
        )

    def _forecast_of(self, X: Any, **wanted: Any) -> Forecast:
        items = self._checked_items(X)
        return self._forecast(items, self._encode(items), **wanted)

    def _shaped(self, values: Floats) -> Floats:
        return values if self.ensemble_.targets.is_curve else values[:, 0]


def _plain(value: Any) -> Any:
    return tuple(value.tolist()) if np.ndim(value) else float(value)
