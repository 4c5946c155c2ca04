"""Zero-shot regression: numbers and curves for things without a history."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from zeroshot_core import checks
from zeroshot_core.checks import choice, real, whole
from zeroshot_core.dataframes import frame_of_columns
from zeroshot_core.encoders import TransformerEncoder
from zeroshot_core.encoders.wrappers import RememberingEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.base import FittedState, SavedModel
from zeroshot_core.estimators.encoder_tuning import (
    Tuning,
    clear_rounds,
    holds_encoder,
    refusal,
    tuned_encoder,
    without_memory,
)
from zeroshot_core.estimators.indexing import ModelIndex, as_items, check_graph, resolve_encoder
from zeroshot_core.estimators.model_inputs import read_fit, read_grid, read_groups, read_schema
from zeroshot_core.estimators.model_state import ModelState
from zeroshot_core.estimators.unfitted_error import UnfittedError
from zeroshot_core.graph.matrices import MOST_HOPS
from zeroshot_core.regression.contributions import Contributions, contributions_of
from zeroshot_core.regression.encoder_views import N_VIEWS, EncoderView, cross_fitted_views
from zeroshot_core.regression.ensemble import Ensemble, fit_ensemble
from zeroshot_core.regression.features import ConceptSpace
from zeroshot_core.regression.forecast_columns import evidence_columns, forecast_columns, nearest_ids
from zeroshot_core.regression.neighbour_features import Neighbours, known_neighbours
from zeroshot_core.regression.predictive_distribution import STATISTICS
from zeroshot_core.regression.targets import MISSING, TARGETS, Targets, check_targets, known_targets
from zeroshot_core.regression.totals import GroupTotal, group_totals, numbered
from zeroshot_core.retrieval import Retriever
from zeroshot_core.types import Evidence, Item, Prediction, content_key

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.encoder_tuning import Report
    from zeroshot_core.estimators.model_inputs import Entries
    from zeroshot_core.estimators.saving import ModelParts
    from zeroshot_core.frames.table_schema import SchemaColumns, TableSchema
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.index import OpenVersion, VectorIndex
    from zeroshot_core.regression.predictive_distribution import MixedForecast
    from zeroshot_core.types import Floats, Ints, Value, Vectors

__all__ = ["ZeroShotRegressor"]

_FEWEST_ITEMS = 5
# Milvus gives 16,384 hits at most, and the item itself may be one.
_MOST_NEIGHBOURS = 16_383
_N_CONCEPTS_SHOWN = 5


class ZeroShotRegressor(SavedModel, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts a number or a curve for a new item from known items near it and the concepts it belongs to.

    Known items are indexed in Milvus. The evidence for an item is what its concepts, combinations of two
    concepts, nearby concepts and nearest items say about the target, beside its own vector. While learning,
    the evidence for each known item is gathered as if it were new: from outside its own fold, its own type,
    its own maker, and so on (`scenarios`); a head is learned for each way of being new, and forecasts are
    mixed by which way a query resembles.

    Parameters
    ----------
    encoder
        An encoder, or a name for `load_encoder`; the default reads English.
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
        targets. Forecasts of counts and non-negative targets are never negative; heads learn them on the
        scale of ``log(1 + y)``, and `predict` says in which sense a forecast is a mean.
    tune
        ``"none"`` leaves the encoder as it is; ``"head"`` trains a small head over it, ``"full"`` and
        ``"lora"`` its upper layers, and ``"joint"`` either together with the index (`optimise_jointly`), so
        that items of near targets become near. What is trained is kept only where held-out items (or
        `groups`) gain by it. Then it is tuned three times more: while heads learn, each item is seen through
        an encoder tuned without it (`encoder_views`). If forecasts of items not seen are no better for it,
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
    _fitted: _RegressorState

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
        self,
        X: Entries,
        y: Any = None,
        groups: Sequence[Hashable] | str | None = None,
        *,
        missing: str = "raise",
        schema: TableSchema | None = None,
        **columns: Unpack[SchemaColumns],
    ) -> ZeroShotRegressor:
        """Index the known items and learn what their evidence says about the targets.

        Parameters
        ----------
        X
            Items or texts, shape (n,); at least 5. Or a table of pandas or polars: its rows are read by
            `items_from_frame`, and so are those of tables that are asked later. Without a graph, one is made
            of the columns of concepts.
        y
            Targets, shape (n,) or (n, horizon); None takes the columns of the target.
        groups
            Shape (n,): what will be unseen as a whole when predicting (the product type of each item, say),
            or the name of a table's column. None learns for every way of being new that the graph's types
            suggest.
        missing
            ``"raise"`` refuses NaN and None among the targets; ``"drop"`` leaves items without a target out,
            and fills single gaps of curves in from their other steps. A warning says how many.
        schema, columns
            What the columns of a table hold: a `TableSchema`, or its parts as keywords such as
            ``text=["name"], numeric=["price"], target="units"``.

        Raises
        ------
        InvalidInputError
            If a parameter is out of range, items or targets are wrong, or their numbers differ; nothing has
            been changed then.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        settings = self._settings()
        known = read_schema("ZeroShotRegressor.fit", schema, columns)
        given = read_fit(X, y, groups, schema=known, graph=check_graph(self.graph), prefix="item-")
        items, y, graph = as_items(given.X, prefix="item-"), given.y, given.graph
        checked_groups = _check_items(items, given.groups, graph)
        if choice("missing", missing, MISSING) == "drop":
            y, rows = known_targets(y, len(items), settings.target)
            items = [items[row] for row in rows]
            groups = None if checked_groups is None else [checked_groups[row] for row in rows]
            checked_groups = _check_items(items, groups, graph)
        targets = check_targets(y, len(items), settings.target)
        base = resolve_encoder(self.encoder)
        settings.tuning.check_encoder(base)

        with self._turns:
            learner = _Learner(
                # The texts are met again when a tuned head has been judged; an API would be paid twice.
                base=RememberingEncoder(base) if settings.tuning.method == "head" else base,
                items=items,
                targets=targets,
                groups=checked_groups,
                graph=graph,
                model_index=ModelIndex(self.index),
                settings=settings,
            )
            learned = learner.learn()
            learner.model_index.publish(learned.version)
            clear_rounds(learned.report, learner.model_index, learned.version, self.checkpoints)
            self._fitted = _fitted_state(
                settings,
                encoder=without_memory(learned.encoder, base),
                holds_encoder=holds_encoder(learned.encoder, learned.report, self._held_encoder),
                model_index=learner.model_index,
                version=learned.version,
                tuning=learned.report,
                graph=graph,
                schema=given.schema,
                space=learned.view.space,
                ids=[item.id for item in items],
                ensemble=learned.ensemble,
            )
        return self

    def predict(self, X: Entries, *, statistic: str = "expectation") -> Floats:
        """Forecast for items or texts, shape (q,) or (q, horizon), in the unit of the targets.

        Parameters
        ----------
        statistic
            ``"expectation"`` is the mean of what may happen: sums of forecasts are right, and squared errors
            least. ``"median"`` is as often too high as too low, and has the least absolute errors.
            ``"geometric"`` is the mean on the scale of ``log(1 + y)``, which has the least relative errors
            (RMSLE); of signed targets, which are learned on their own scale, it is what the heads say,
            without the mean of their errors.

        Notes
        -----
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
        asked = choice("statistic", statistic, STATISTICS)
        fitted, items, vectors = self._asked(X)
        return fitted.shaped(self._forecast(fitted, items, vectors).statistic(asked))

    def predict_quantile(self, X: Entries, q: float | Sequence[float]) -> Floats:
        """Value that the truth stays below with probability `q` in (0, 1), or one for each of several.

        Returns
        -------
        Floats
            Shape as of `predict` for one `q`; for a list of k, (q_items, k), or (q_items, k, horizon).
        """
        are_several = isinstance(q, Iterable) and not (isinstance(q, str | np.ndarray) and np.ndim(q) == 0)
        asked = checks.sequence("q", q, of="probabilities") if are_several else [q]
        if not asked:
            raise InvalidInputError("expected q as a probability, or as several, got none; give one")
        probabilities = [real("q", each, above=0, below=1) for each in asked]
        fitted, items, vectors = self._asked(X)
        forecast = self._forecast(fitted, items, vectors)
        found = [fitted.shaped(forecast.quantile(each)) for each in probabilities]
        return np.stack(found, axis=1) if are_several else found[0]

    def predict_interval(self, X: Entries, coverage: float = 0.9) -> Floats:
        """Lower and upper end that hold the truth with probability `coverage` in (0, 1).

        Returns
        -------
        Floats
            Shape (q, 2), or (q, 2, horizon) for curves, each step with its own coverage.
        """
        probability = real("coverage", coverage, above=0, below=1)
        fitted, items, vectors = self._asked(X)
        ends = self._forecast(fitted, items, vectors).interval(probability)
        return np.stack([fitted.shaped(end) for end in ends], axis=1)

    def predict_frame(
        self, X: Entries, *, coverage: float = 0.9, quantiles: Sequence[float] = (0.1, 0.5, 0.9)
    ) -> Any:
        """Forecast as a table, a row an item, from one pass of the heads.

        Parameters
        ----------
        coverage
            Probability that the interval is to hold, in (0, 1).
        quantiles
            Probabilities for which to give quantiles, in (0, 1); may be empty.

        Returns
        -------
        DataFrame
            Of the library of `X`; of pandas, or polars where that alone is installed, if `X` is no table. Its
            columns are ``id``; ``expected``, ``median``, ``low`` and ``high``; ``q10`` and so on for the
            quantiles; ``nearest``, known items with their similarity; and ``reason``, what these had, in
            words. Of a curve each step has columns of its own, ``expected_<step>``, named by the columns of
            the target, or numbered from 1.
        """
        probability = real("coverage", coverage, above=0, below=1)
        asked = _probabilities("quantiles", quantiles)
        fitted, items, vectors = self._asked(X)
        found = self._neighbours(fitted, items, vectors)
        forecast = fitted.ensemble.forecast(items, vectors, found, fitted.space)
        known = fitted.version.known_items(nearest_ids(found, fitted.ids))
        targets = fitted.ensemble.targets
        columns: dict[str, list[Any]] = {
            "id": [item.id for item in items],
            **forecast_columns(forecast, probability, asked, fitted.steps),
            **evidence_columns(items, found, fitted.ids, known, targets, fitted.graph),
        }
        return frame_of_columns(columns, like=X)

    def whatif(self, X: Entries, column: str, values: Sequence[Any], *, coverage: float = 0.9) -> Any:
        """Forecast each item with each of several values of a column, such as prices that it might have.

        Parameters
        ----------
        X
            A table, or items.
        column
            A column of the table that the model reads; of items, a numeric metadatum.
        values
            What stands in the column instead of the item's own value, shape (v,).

        Returns
        -------
        DataFrame
            As of `predict_frame`, a row an item and value, those of an item together: ``id``, the column
            (``<column>_given`` if its name is taken), ``expected``, ``median``, ``low`` and ``high``.

        Notes
        -----
        It tells what known items with such values sold, not what a change of the value brings about.

        Raises
        ------
        InvalidInputError
            If the model does not read the column; a forecast would not change with it.
        """
        probability = real("coverage", coverage, above=0, below=1)
        self._check_fitted()
        fitted = self._fitted
        read = fitted.ensemble.tables.metadata_keys
        grid, options = read_grid(X, column, values, fitted.schema, fitted.graph, read)
        fitted.check_links(grid)
        vectors, found = self._repeated(fitted, grid)
        forecast = fitted.ensemble.forecast(grid, vectors, found, fitted.space)
        told = forecast_columns(forecast, probability, (), fitted.steps)
        name = f"{column}_given" if column == "id" or column in told else column
        columns = {"id": [item.id for item in grid], name: options * (len(grid) // len(options))}
        return frame_of_columns(columns | told, like=X)

    @overload
    def predict_total(self, X: Entries, by: None = None, coverage: float = 0.9) -> GroupTotal: ...

    @overload
    def predict_total(
        self, X: Entries, by: Sequence[Hashable] | str, coverage: float = 0.9
    ) -> list[GroupTotal]: ...

    def predict_total(
        self, X: Entries, by: Sequence[Hashable] | str | None = None, coverage: float = 0.9
    ) -> GroupTotal | list[GroupTotal]:
        """Sum of the expectations over all items, or over the items of each group, with an interval.

        Items with a concept in common err together, by as much as they did out of fold: intervals of sums are
        wider than those of as many strangers.

        Parameters
        ----------
        by
            Shape (q,), the group of each item, such as its category, or the name of a table's column; None
            sums up all.
        coverage
            Probability that an interval holds its sum, in (0, 1).

        Returns
        -------
        GroupTotal | list[GroupTotal]
            One, or one for each group in the order in which they come. The same items give the same interval
            with the same `random_state`.
        """
        probability = real("coverage", coverage, above=0, below=1)
        fitted, items, vectors = self._asked(X)
        by = read_groups(X, by)
        groups, codes = numbered(
            [None] * len(items) if by is None else checks.groups(by, len(items), of="item")
        )
        groups = [None] if by is None else groups
        forecast = self._forecast(fitted, items, vectors)
        found = group_totals(
            forecast,
            codes,
            len(groups),
            blocks=fitted.ensemble.blocks(items, fitted.space) or (codes,),
            shared=forecast.shares @ fitted.ensemble.shared,
            coverage=probability,
            rng=np.random.default_rng(self._settings().tuning.random_state),
        )
        totals, low, high = map(fitted.shaped, found)
        told = [
            GroupTotal(
                group=group,
                total=_plain(totals[row]),
                interval=(_plain(low[row]), _plain(high[row])),
                coverage=probability,
                n=int((codes == row).sum()),
            )
            for row, group in enumerate(groups)
        ]
        return told[0] if by is None else told

    def order_quantity(
        self,
        X: Entries,
        cost_under: float | Sequence[float],
        cost_over: float | Sequence[float],
    ) -> Floats:
        """How much to order where what is missing and what is left over cost differently; shape of `predict`.

        The newsvendor's quantity (Arrow, Harris and Marschak, "Optimal inventory policy", Econometrica 19,
        1951): the quantile at ``cost_under / (cost_under + cost_over)``, of counts the next whole number.

        Parameters
        ----------
        cost_under, cost_over
            What a unit costs that is missing, and one that is left over, above 0; one for all, or shape (q,).
        """
        fitted, items, vectors = self._asked(X)
        under, over = (
            _costs(name, cost, len(items))
            for name, cost in (("cost_under", cost_under), ("cost_over", cost_over))
        )
        with np.errstate(over="ignore"):
            ratio = 1.0 / (1.0 + over / under)
        quantity = self._forecast(fitted, items, vectors).quantile(ratio)
        is_count = fitted.ensemble.targets.kind == "count"
        return fitted.shaped(np.ceil(quantity - 1e-9) if is_count else quantity)

    def explain(
        self,
        X: Entries,
        *,
        top_k: int = 5,
        coverage: float = 0.9,
        graph_weight: float | None = None,
        evidence: bool = True,
        statistic: str = "expectation",
        contributions: bool = False,
        quantiles: Sequence[float] = (),
    ) -> list[Prediction]:
        """Forecast with interval, nearest known items, concepts, and the paths that lead to them.

        Parameters
        ----------
        top_k
            Known items shown for each item.
        coverage
            Probability that the interval is to hold, in (0, 1).
        graph_weight
            Share of the graph in the score of the known items, 0 to 1; None takes that of the model.
        evidence
            Whether items, concepts and paths are searched for; without, `Prediction.evidence` is empty.
        statistic
            What `Prediction.value` is, as of `predict`.
        contributions
            Whether to say what moved each forecast, `Prediction.contributions`; see `contributions`.
        quantiles
            Probabilities for which to give `Prediction.quantiles`, in (0, 1).
        """
        levels = [
            real("quantiles", each, above=0, below=1)
            for each in checks.sequence("quantiles", quantiles, of="probabilities")
        ]
        asked = choice("statistic", statistic, STATISTICS)
        probability = real("coverage", coverage, above=0, below=1)
        n_items = whole("top_k", top_k, least=1)
        fitted, items, vectors = self._asked(X)
        forecast = self._forecast(fitted, items, vectors)
        parts = (forecast.statistic(asked), *forecast.interval(probability))
        values, low, high = map(fitted.shaped, parts)
        below = {level: fitted.shaped(forecast.quantile(level)) for level in levels}
        found = [Evidence()] * len(items)
        if checks.flag("evidence", evidence):
            found = _evidence(fitted, items, vectors, n_items, graph_weight)
        moved = (
            self._attributed(fitted, items, vectors) if checks.flag("contributions", contributions) else None
        )
        return [
            Prediction(
                id=item.id,
                value=_plain(values[row]),
                interval=(_plain(low[row]), _plain(high[row])),
                coverage=probability,
                evidence=found[row],
                contributions=() if moved is None else moved.by_item[row],
                quantiles={level: _plain(values[row]) for level, values in below.items()},
                typical=None if moved is None else moved.typical,
            )
            for row, item in enumerate(items)
        ]

    def contributions(self, X: Entries) -> Contributions:
        """Say what moved each forecast, set against a typical known item.

        What counts are the text, the concepts of each type, the nearest known items, and each numeric column.
        Their Shapley values add up to the geometric forecast (see `predict`) less that of the typical item,
        on the scale on which the model learns; see `Contribution`. It takes some fifty times as long as to
        forecast.

        Raises
        ------
        InvalidInputError
            If the model was saved by a version that kept no typical item; fit it again.
        """
        return self._attributed(*self._asked(X))

    @property
    def ensemble_(self) -> Ensemble:
        """The heads of the cold-start scenarios, and what they read."""
        return self._fitted.ensemble

    @property
    def space_(self) -> ConceptSpace | None:
        """The concepts and their vectors; None without any."""
        return self._fitted.space

    @property
    def ids_(self) -> tuple[str, ...]:
        """Ids of the known items."""
        return self._fitted.ids

    @property
    def rows_(self) -> Mapping[str, int]:
        """Row numbers of the known items by their ids."""
        return self._fitted.rows

    @property
    def retriever_(self) -> Retriever:
        """What finds known items and concepts."""
        return self._fitted.retriever

    def _settings(self) -> _RegressorSettings:
        """Check the parameters, and give them as plain types."""
        return _RegressorSettings(
            top_k=whole("top_k", self.top_k, least=1, most=_MOST_NEIGHBOURS),
            n_hops=whole("n_hops", self.n_hops, most=MOST_HOPS),
            graph_weight=real("graph_weight", self.graph_weight, least=0, most=1),
            target=choice("target", self.target, TARGETS),
            tuning=Tuning(
                method=self.tune,
                budget_s=self.budget_s,
                checkpoints=self.checkpoints,
                random_state=whole("random_state", self.random_state),
                show_progress=bool(self.show_progress),
            ),
        )

    def _check_fitted(self) -> None:
        if not self._is_fitted:
            raise UnfittedError("expected a fitted regressor, got one before fit; call fit(items, targets)")

    def _asked(self, X: Any) -> tuple[_RegressorState, list[Item], Vectors]:
        """Check what is asked for; what answers it from begin to end, the items and their vectors (q, d)."""
        self._check_fitted()
        fitted = self._fitted
        items = as_items(fitted.read(X), prefix="query-")
        fitted.check_links(items)
        contents = [item.content for item in items]
        return fitted, items, fitted.encoder.encode(contents, show_progress=self.show_progress)

    def _neighbours(self, fitted: _RegressorState, items: Sequence[Item], vectors: Vectors) -> Neighbours:
        return known_neighbours(fitted.version, fitted.rows, items, vectors, self._settings().top_k)

    def _repeated(self, fitted: _RegressorState, items: Sequence[Item]) -> tuple[Vectors, Neighbours]:
        """Vectors of items and what is near them, each content encoded and searched but once."""
        contents = {content_key(item): item.content for item in items}
        encoded = fitted.encoder.encode(list(contents.values()), show_progress=self.show_progress)
        row_of = {key: row for row, key in enumerate(contents)}
        vectors = encoded[[row_of[content_key(item)] for item in items]]
        # What is near depends on content and id alone.
        keys = [(item.id, content_key(item)) for item in items]
        firsts = {key: place for place, key in reversed(list(enumerate(keys)))}
        asked = list(firsts.values())
        near = self._neighbours(fitted, [items[place] for place in asked], vectors[asked])
        number = {key: place for place, key in enumerate(firsts)}
        places = np.array([number[key] for key in keys], dtype=np.int64)
        return vectors, replace(near, rows=near.rows[places], scores=near.scores[places])

    def _forecast(self, fitted: _RegressorState, items: Sequence[Item], vectors: Vectors) -> MixedForecast:
        found = self._neighbours(fitted, items, vectors)
        return fitted.ensemble.forecast(items, vectors, found, fitted.space)

    def _attributed(self, fitted: _RegressorState, items: Sequence[Item], vectors: Vectors) -> Contributions:
        found = self._neighbours(fitted, items, vectors)
        return contributions_of(fitted.ensemble, items, vectors, found, fitted.space)

    def _state(self) -> ModelState:
        config, arrays = self._fitted.ensemble.parts()
        config |= {"parameters": self._settings().saved, "ids": list(self._fitted.ids)}
        return ModelState(kind=self._kind, config=config, arrays=arrays)

    def _saved_graph(self) -> KnowledgeGraph | None:
        return self._fitted.graph

    @classmethod
    def _restored(cls, state: ModelState, parts: ModelParts) -> ZeroShotRegressor:
        model = cls(parts.encoder, parts.graph, index=parts.model_index.index, **state.parameters(cls))
        settings = model._settings()
        space = _concept_space(parts.version, parts.graph, settings.n_hops)
        ids = state.entries("ids")
        model._fitted = _fitted_state(
            settings,
            encoder=parts.encoder,
            holds_encoder=parts.holds_encoder,
            model_index=parts.model_index,
            version=parts.version,
            graph=parts.graph,
            space=space,
            ids=ids,
            ensemble=Ensemble.restored(state, len(ids), parts.encoder.dimension, space),
        )
        return model


@dataclass(frozen=True, kw_only=True, eq=False)
class _RegressorState(FittedState):
    """What a regressor has learned.

    Parameters
    ----------
    space
        The concepts and their vectors; None without any.
    ids, rows
        Ids of the known items, and their row numbers by id.
    """

    retriever: Retriever
    space: ConceptSpace | None
    ids: tuple[str, ...]
    rows: Mapping[str, int]
    ensemble: Ensemble

    @property
    def steps(self) -> tuple[str, ...]:
        """Names of a curve's steps, those of the target's columns if they were given as such; else none."""
        targets = self.ensemble.targets
        if not targets.is_curve:
            return ()
        names = () if self.schema is None else tuple(self.schema.target)
        return names if len(names) == targets.horizon else tuple(map(str, range(1, targets.horizon + 1)))

    def check_links(self, items: Sequence[Item]) -> None:
        """Refuse items that name a concept which the graph does not hold."""
        if self.space is not None:
            self.space.graph.require(concept for item in items for concept in item.concepts)

    def shaped(self, values: Floats) -> Floats:
        """Give values as curves, shape (q, horizon), or as numbers, shape (q,)."""
        return values if self.ensemble.targets.is_curve else values[:, 0]


def _fitted_state(
    settings: _RegressorSettings,
    *,
    encoder: Encoder,
    holds_encoder: bool,
    model_index: ModelIndex,
    version: OpenVersion,
    tuning: Report | None = None,
    graph: KnowledgeGraph | None,
    schema: TableSchema | None = None,
    space: ConceptSpace | None,
    ids: Sequence[str],
    ensemble: Ensemble,
) -> _RegressorState:
    return _RegressorState(
        encoder=encoder,
        holds_encoder=holds_encoder,
        model_index=model_index,
        version=version,
        tuning=tuning,
        graph=graph,
        schema=schema,
        retriever=Retriever(
            version, encoder, graph, graph_weight=settings.graph_weight, n_hops=settings.n_hops
        ),
        space=space,
        ids=tuple(ids),
        rows={id_: row for row, id_ in enumerate(ids)},
        ensemble=ensemble,
    )


def _evidence(
    fitted: _RegressorState,
    items: Sequence[Item],
    vectors: Vectors,
    top_k: int,
    graph_weight: float | None,
) -> list[Evidence]:
    """Known items, and concepts where there are any, for items with vectors (q, d)."""
    # An item that is known finds itself, which is no evidence.
    found = fitted.retriever.evidence(
        items,
        top_k=top_k + 1,
        n_concepts=_N_CONCEPTS_SHOWN,
        graph_weight=graph_weight,
        vectors=vectors,
    )
    return [
        replace(each, items=tuple(hit for hit in each.items if hit.id != item.id)[:top_k])
        for item, each in zip(items, found, strict=True)
    ]


def _check_items(
    items: Sequence[Item], groups: Sequence[Hashable] | None, graph: KnowledgeGraph | None
) -> list[Hashable] | None:
    """Refuse items and groups that nothing can be learned from; the groups as a list."""
    if len(items) < _FEWEST_ITEMS:
        raise InvalidInputError(f"expected at least {_FEWEST_ITEMS} items to learn from, got {len(items)}")
    known = None if groups is None else checks.groups(groups, len(items), of="item")
    if known is not None and len(set(known)) < 2:
        raise InvalidInputError(
            f"expected groups of at least 2 kinds, got only {known[0]!r}; leave groups out"
        )
    linked = [item.id for item in items if item.concepts]
    if graph is not None:
        graph.require(concept for item in items for concept in item.concepts)
    elif linked:
        raise InvalidInputError(
            f"expected a graph for items that are linked to concepts ({linked[0]!r} is), got graph=None"
        )
    return known


def _costs(name: str, cost: object, n: int) -> Floats:
    """Check costs, one for all or one for each of `n` items, and give one for each, shape (n,)."""
    found = checks.numbers(name, cost)
    if found.shape not in {(), (n,)} or not (np.isfinite(found).all() and (found > 0).all()):
        raise InvalidInputError(
            f"expected {name} above 0, one for all or one for each of {n} items, got {checks.shown(cost)}"
        )
    return np.broadcast_to(found, (n,))


def _probabilities(name: str, given: Any) -> list[float]:
    """Check distinct probabilities in (0, 1)."""
    found = [real(name, each, above=0, below=1) for each in checks.sequence(name, given, of="probabilities")]
    if len(set(found)) < len(found):
        raise InvalidInputError(f"expected distinct {name}, got {checks.shown(found)}")
    return found


def _plain(value: Floats) -> Value:
    return tuple(value.tolist()) if np.ndim(value) else float(value)


@dataclass(frozen=True, kw_only=True)
class _RegressorSettings:
    """The parameters of a regressor."""

    top_k: int
    n_hops: int
    graph_weight: float
    target: str
    tuning: Tuning

    @property
    def saved(self) -> dict[str, Any]:
        """Those that are saved with it, by their names in its constructor."""
        budget_s = self.tuning.budget_s
        return {
            "top_k": self.top_k,
            "n_hops": self.n_hops,
            "graph_weight": self.graph_weight,
            "target": self.target,
            "tune": self.tuning.method,
            "budget_s": None if budget_s is None else float(budget_s),
            "random_state": self.tuning.random_state,
        }


@dataclass(frozen=True, kw_only=True)
class _Learned:
    """What came of a fit.

    Parameters
    ----------
    version
        Of the items and the encoder; live already where joint rounds made it.
    report
        What tuning did; None without it.
    """

    encoder: Encoder
    report: Report | None
    version: OpenVersion
    view: EncoderView
    ensemble: Ensemble


@dataclass(frozen=True, kw_only=True)
class _Learner:
    """Items with targets, and how to learn from them.

    Parameters
    ----------
    base
        The encoder before it is tuned.
    """

    base: Encoder
    items: Sequence[Item]
    targets: Targets
    groups: Sequence[Hashable] | None
    graph: KnowledgeGraph | None
    model_index: ModelIndex
    settings: _RegressorSettings

    def learn(self) -> _Learned:
        """Tune the encoder if asked for, index the items, fit the ensemble; joint rounds alone go live."""
        there = {info.id for info in self.model_index.index.versions()}
        encoder, report = self._tuned(self._equal_share, np.arange(len(self.items)), self.graph)
        if report is None or not report.is_improved:
            return self._learned(encoder, report)
        tuned = self._learned(encoder, report, is_tuned=True)
        return self._better(self._learned(self.base, report), tuned, there)

    @property
    def _equal_share(self) -> Tuning:
        """How one of the encoders is tuned, in an equal share of the budget for each."""
        tuning = self.settings.tuning
        if tuning.budget_s is None:
            return tuning
        return replace(tuning, budget_s=tuning.budget_s / (1 + N_VIEWS))

    def _tuned(
        self, tuning: Tuning, rows: Ints, graph: KnowledgeGraph | None = None
    ) -> tuple[Encoder, Report | None]:
        """Tune the base on the items of some rows."""
        groups = self.groups
        return tuned_encoder(
            self.base,
            tuning,
            [self.items[row] for row in rows],
            self.targets.transform(self.targets.values[rows]),
            graph=graph,
            model_index=self.model_index,
            groups=None if groups is None else [groups[row] for row in rows],
        )

    def _learned(self, encoder: Encoder, report: Report | None, *, is_tuned: bool = False) -> _Learned:
        """Index the items, read their vectors, and fit the ensemble; over a tuned encoder by views."""
        settings = self.settings
        show_progress = settings.tuning.show_progress
        version = self.model_index.build(self.items, encoder, self.graph, show_progress=show_progress)
        view = EncoderView(
            rows=np.arange(len(self.items)),
            vectors=version.item_vectors([item.id for item in self.items]),
            space=_concept_space(version, self.graph, settings.n_hops),
        )
        ensemble = fit_ensemble(
            self.items,
            self.targets,
            self.groups,
            view,
            self._views(view) if is_tuned else (),
            top_k=settings.top_k,
            random_state=settings.tuning.random_state,
            show_progress=show_progress,
        )
        return _Learned(encoder=encoder, report=report, version=version, view=view, ensemble=ensemble)

    def _views(self, final: EncoderView) -> tuple[EncoderView, ...]:
        """See each item through an encoder that was tuned without it."""
        tuning = self._equal_share
        if tuning.method == "joint":
            # Joint rounds would need an index for each view: plain tuning stands in for them.
            method = "full" if isinstance(self.base, TransformerEncoder) else "head"
            tuning = replace(tuning, method=method)
        return cross_fitted_views(
            lambda rows: self._tuned(tuning, rows)[0],
            self.base,
            self.items,
            final,
            self.groups,
            random_state=tuning.random_state,
            show_progress=tuning.show_progress,
        )

    def _better(self, frozen: _Learned, tuned: _Learned, there: set[str]) -> _Learned:
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


def _concept_space(version: OpenVersion, graph: KnowledgeGraph | None, n_hops: int) -> ConceptSpace | None:
    """Read the concepts' vectors from a version; None without concepts."""
    if graph is None or not len(graph):
        return None
    return ConceptSpace(graph=graph, vectors=version.concept_vectors(graph.concept_ids), n_hops=n_hops)
