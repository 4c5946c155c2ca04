"""Retrieval by vectors and graph together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from zeroshot_core import checks
from zeroshot_core.encoders import Encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, check_relation_weights
from zeroshot_core.index.collection import CollectionInfo, require_graph
from zeroshot_core.index.connection import begin_each
from zeroshot_core.index.filters import holds
from zeroshot_core.index.open_version import OpenVersion, require_lexical
from zeroshot_core.retrieval.activation import ActivatedGraph, Activation, Spread, Spreading, unmoved
from zeroshot_core.retrieval.candidates import Candidates, gather, n_near
from zeroshot_core.retrieval.hits import best_concepts, best_items, vector_hits
from zeroshot_core.retrieval.linked_candidates import gather_linked
from zeroshot_core.retrieval.modality_scales import ModalityScales, begin_scaled_search
from zeroshot_core.retrieval.queries import check_queries, content_of, words_of
from zeroshot_core.retrieval.query_bank import BankScores, QueryBank, begin_bank_search
from zeroshot_core.retrieval.saved_retriever import read_retriever, write_retriever
from zeroshot_core.retrieval.scoring import Weights, check_graph_weight, check_lexical_weight, seed_weights
from zeroshot_core.spans import span, traced
from zeroshot_core.types import Concept, Evidence, Hit, Item

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.estimators.indexing import ModelIndex
    from zeroshot_core.index import Collection, Filter, GraphCollection
    from zeroshot_core.index.collection import LexicalResult, SearchResult
    from zeroshot_core.index.link_table import LinkTable
    from zeroshot_core.types import Vectors

__all__ = ["Retriever"]

_N_SEEDS = 5
# A server is asked for so many at a time.
_QUERIES_AT_ONCE = 32


class Retriever:
    """Finds items and concepts for texts and items; holds no state between calls.

    A query activates concepts: an item its own, a text the five nearest ones in the index, weighted by
    `scoring.seed_weights`. The activation spreads over the relations (`activation.Spreading`). Candidates
    are the items nearest to the query, and the nearest of those linked to three concepts that are active but
    rare among the first (`candidates.best_links`), where such an item could be among the hits. Each gets
    ``score = (1 - graph_weight) * vector + graph_weight * graph`` from its cosine similarity and
    `scoring.overlap_scores`. With a `lexical_weight` the items best by words are candidates too, and
    ``(1 - lexical_weight) * vector + lexical_weight * lexical`` takes the place of ``vector``
    (`scoring.lexical_scores`). Where an index holds texts and images, ``vector`` is put on one scale for both
    (`modality_scales.ModalityScales`). With a `query_bank`, what items owe to being near to any query is
    taken from ``vector``, the same from each item for all queries.

    Parameters
    ----------
    version
        The opened version of the index, or another library's collection (`existing_retriever`).
    encoder
        The one that the version was built with.
    graph
        The one that the version was built with; or ``"stored"``, to read the part around the concepts of the
        queries from Milvus, for graphs larger than memory. Without concepts only vectors count.
    top_k
        Hits for each query.
    graph_weight
        Share of the graph in the score, from 0 (vectors only) to 1.
    lexical_weight
        Share of words, by Milvus's BM25, in what the text says: from 0 (vectors only) to 1. Above 0 it needs
        a version that indexes words (`IndexParams(lexical=True)`).
    n_hops
        Relations that an activation may cross.
    decay
        What is kept of it at each crossing, above 0 and at most 1.
    spread
        ``"hops"``, or ``"pagerank"`` for activation that has no limit of hops and goes back to the concepts
        of the query with probability ``1 - decay`` before each (`graph.personalized_pagerank`).
    relation_weights
        What relations weigh by their type; 1 where it is missing, 0 for types that are not followed. Like
        ``"pagerank"``, it needs a graph in memory.
    query_bank
        Queries without answers of the language and kind that will be asked (`QueryBank.fit`); None leaves
        cosines as they are. For an index of texts or of images, not of both.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, a relation type is not in the graph, the graph is not that of the
        version, words shall count that are not indexed, or the bank is of another encoder.
    FingerprintMismatchError
        If the encoder is not that of the version.
    """

    def __init__(
        self,
        version: Collection,
        encoder: Encoder,
        graph: KnowledgeGraph | Literal["stored"] | None = None,
        *,
        top_k: int = 10,
        graph_weight: float = 0.3,
        lexical_weight: float = 0.0,
        n_hops: int = 2,
        decay: float = 0.5,
        spread: Spread = "hops",
        relation_weights: Mapping[str, float] | None = None,
        query_bank: QueryBank | None = None,
    ) -> None:
        # Keeps an index open that `load` opened.
        self._owner: ModelIndex | None = None
        remedy = "VectorIndex.open gives a version"
        checks.instance("version.info", getattr(version, "info", None), CollectionInfo, remedy=remedy)
        self._stored: GraphCollection | None = None
        if isinstance(graph, str):
            _check_stored(version.info, graph, spread, relation_weights)
            self._stored = require_graph(version, "a Retriever with graph='stored'")
            graph = None
        if graph is not None:
            checks.instance("graph", graph, KnowledgeGraph, remedy="or 'stored', or None")
        checks.instance("encoder", encoder, Encoder, remedy="load_encoder opens one")
        version.info.check(encoder, graph)
        if query_bank is not None:
            checks.instance("query_bank", query_bank, QueryBank, remedy="QueryBank.fit makes one")
            query_bank.check(encoder)
        self.version = version
        self.encoder = encoder
        self.query_bank = query_bank
        self.graph = KnowledgeGraph() if graph is None else graph
        self.top_k = checks.whole("top_k", top_k, least=1)
        self.graph_weight = check_graph_weight(graph_weight)
        self.lexical_weight = self._checked_words(lexical_weight)
        self.spreading = Spreading(
            spread=spread,
            n_hops=n_hops,
            decay=decay,
            relation_weights=check_relation_weights(self.graph, relation_weights),
        )

    @traced("search", "queries")
    def retrieve(
        self,
        queries: Sequence[str | Item],
        *,
        top_k: int | None = None,
        graph_weight: float | None = None,
        lexical_weight: float | None = None,
        filter: Filter | None = None,
        vectors: Vectors | None = None,
        with_paths: bool = True,
    ) -> list[list[Hit]]:
        """Find the best items for each query.

        Parameters
        ----------
        queries
            Texts or items; an item's own concepts take the place of the nearest ones.
        filter
            Which items may be found. What it leaves out lends nothing to what is found: a relation of the
            graph whose sources are items counts by the share of those that the filter leaves.
        vectors
            Shape (q, d), unit rows: what the encoder gives for the queries in the role ``query``, if that is
            known already.
        with_paths
            Whether to find the path that led to each hit, which takes the longest after the search itself.

        Returns
        -------
        list of list of Hit
            For each query `top_k` hits (or all that the filter leaves, if fewer), best first, ties by id.
            With weights of 0 these are ranking and scores of the vector search alone.

        Raises
        ------
        InvalidInputError
            If a query is empty or of another type, a parameter is out of range, or the vectors are not one
            finite row of the encoder's dimension for each query.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        with_paths = checks.flag("with_paths", with_paths)
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        weights = self._weights(graph_weight, lexical_weight)
        checked = check_queries(queries)
        if not checked:
            return []
        vectors = self._vectors(checked, vectors)
        begun = self._begin(checked, vectors, top_k, filter, weights)
        # A server searches while the activation spreads.
        activation = self.reach(checked, vectors, filter) if weights.graph else None
        return begun(activation, with_paths)

    def candidates(
        self, queries: Sequence[str | Item], *, top_k: int | None = None, filter: Filter | None = None
    ) -> list[Candidates]:
        """Find all that may become one of the `top_k` hits of each query, with all parts of its score.

        Raises
        ------
        InvalidInputError
            If a query or `top_k` is wrong, or there is neither a graph nor an index of words.
        """
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        checked = check_queries(queries)
        if not self.has_words:
            self._require_graph()
        if not checked:
            return []
        vectors = self._vectors(checked, None)
        scales = self._score_scales(vectors)
        nearest = self._begin_near(vectors, n_near(top_k), filter, scales)
        words = self._begin_words(checked, top_k, filter)() if self.has_words else None
        activation = self.reach(checked, vectors, filter) if self.has_graph else unmoved(len(checked))
        return gather(self.version, nearest(), vectors, activation, top_k, filter, words=words, scales=scales)

    @traced("search", "queries")
    def related_concepts(
        self,
        queries: Sequence[str | Item],
        *,
        top_k: int | None = None,
        vectors: Vectors | None = None,
        with_paths: bool = True,
    ) -> list[list[Hit]]:
        """Find the concepts that each query activates, with the paths on which it reaches them.

        Parameters
        ----------
        vectors, with_paths
            As in `retrieve`.

        Returns
        -------
        list of list of Hit
            For each query `top_k` hits (or all concepts, if fewer). First those activated, by their
            score and graph part ``activation / |activation|``; then the nearest others, without a path. The
            vector part is there for concepts that the vector search found.

        Raises
        ------
        InvalidInputError
            If a query, `top_k` or the vectors are wrong, or there is no graph.
        UnknownConceptError
            If an item names a concept that the graph does not hold.
        """
        with_paths = checks.flag("with_paths", with_paths)
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        checked = check_queries(queries)
        self._require_graph()
        if not checked:
            return []
        vectors = self._vectors(checked, vectors)
        near = self._near_concepts(vectors, range(len(checked)), max(top_k, _N_SEEDS))
        activation = self._activate(self._seeds(checked, near))
        return [
            best_concepts(each, query, activation, top_k, with_paths=with_paths)
            for query, each in enumerate(near)
        ]

    @traced("search", "queries")
    def evidence(
        self,
        queries: Sequence[str | Item],
        *,
        top_k: int | None = None,
        n_concepts: int = 5,
        graph_weight: float | None = None,
        lexical_weight: float | None = None,
        filter: Filter | None = None,
        vectors: Vectors | None = None,
    ) -> list[Evidence]:
        """Find items and concepts for each query at once: its concepts are searched and activated once.

        Parameters
        ----------
        top_k, graph_weight, lexical_weight, filter, vectors
            As in `retrieve`.
        n_concepts
            Concepts for each query; none are given without a graph.

        Returns
        -------
        list of Evidence
            For each query what `retrieve` and `related_concepts` find.

        Raises
        ------
        InvalidInputError, UnknownConceptError
            As in `retrieve`.
        """
        top_k = self.top_k if top_k is None else checks.whole("top_k", top_k, least=1)
        n_concepts = checks.whole("n_concepts", n_concepts, least=1)
        weights = self._weights(graph_weight, lexical_weight)
        checked = check_queries(queries)
        if not checked:
            return []
        vectors = self._vectors(checked, vectors)
        begun = self._begin(checked, vectors, top_k, filter, weights)
        if not self.has_graph:
            return [Evidence(items=tuple(hits)) for hits in begun(None, True)]
        near = self._near_concepts(vectors, range(len(checked)), max(n_concepts, _N_SEEDS))
        activation = self._activate(self._seeds(checked, near), filter)
        items = begun(activation if weights.graph else None, True)
        return [
            Evidence(items=tuple(hits), concepts=tuple(best_concepts(each, query, activation, n_concepts)))
            for query, (hits, each) in enumerate(zip(items, near, strict=True))
        ]

    def reach(
        self, queries: Sequence[str | Item], vectors: Vectors, filter: Filter | None = None
    ) -> Activation:
        """Activate the concepts that checked queries mention; their vectors have shape (q, d)."""
        near = self._near_concepts(vectors, _bare_rows(queries), _N_SEEDS)
        return self._activate(self._seeds(queries, near), filter)

    def scales(self, vectors: npt.ArrayLike) -> ModalityScales | None:
        """Scales of texts and images for queries, shape (q, d); None where all items are of one modality."""
        if len(self.encoder.modalities) < 2 or not isinstance(self.version, OpenVersion):
            return None
        return ModalityScales.of(self.version.modality_samples(), vectors)

    def _score_scales(self, vectors: Vectors) -> ModalityScales | BankScores | None:
        """Give what the cosines of queries, shape (q, d), go through; None where they stay."""
        scales = self.scales(vectors)
        if self.query_bank is None:
            return scales
        if scales is not None:
            raise InvalidInputError(
                "expected an index of texts or of images with a query_bank, got one of both; leave it out"
            )
        return BankScores(self.query_bank, self.version)

    def save(
        self, folder: str | Path, *, overwrite: bool = False, extra: dict[str, Any] | None = None
    ) -> None:
        """Write the retriever into a folder of plain files, as every model is saved; `load` opens it.

        Parameters
        ----------
        overwrite
            Whether to replace the model that the folder holds.
        extra
            JSON-able notes to keep with it.

        Raises
        ------
        InvalidInputError
            If it searches another library's collection, or `extra` is not JSON-able.
        ArtifactError
            If the folder holds a model and `overwrite` is False, or anything that is not that model's;
            another process is saving into it; or the system refuses to write.
        """
        weights = self.spreading.relation_weights
        settings = {
            "top_k": self.top_k,
            "graph_weight": self.graph_weight,
            "lexical_weight": self.lexical_weight,
            **vars(self.spreading),
            "relation_weights": None if weights is None else dict(weights),
            **({} if self._stored is None else {"graph": "stored"}),
        }
        graph = self.graph if len(self.graph) else None
        write_retriever(
            folder,
            self.version,
            self.encoder,
            graph,
            settings,
            query_bank=self.query_bank,
            overwrite=overwrite,
            extra=extra,
        )

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        encoder: Encoder | None = None,
        uri: str | None = None,
        token: str | None = None,
        trust_uri: bool = False,
        read_only: bool = False,
    ) -> Retriever:
        """Open a saved retriever.

        Parameters
        ----------
        encoder
            The encoder, where it wraps a function that no file can hold.
        uri, token
            Where the index is now, if it moved or is on a server, and its credentials.
        trust_uri
            Whether to connect to a server that the folder alone names: only for a folder that nobody else
            could have written.
        read_only
            Whether to leave the folder to whoever holds it, as in `load` of the models.

        Raises
        ------
        ArtifactError
            If the folder holds no retriever, or a damaged one, or its index is on a server that neither `uri`
            nor `trust_uri` allows.
        FingerprintMismatchError
            If the encoder is not that of the index.
        """
        retriever, owner = read_retriever(
            cls, folder, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri, read_only=read_only
        )
        retriever._owner = owner
        return retriever

    def close(self) -> None:
        """Close the index if `load` opened it."""
        if self._owner is not None:
            self._owner.close()

    def weighted(
        self,
        *,
        graph_weight: float | None = None,
        lexical_weight: float | None = None,
        relation_weights: Mapping[str, float] | None = None,
    ) -> Retriever:
        """Copy the retriever with other weights, such as those of `learn_fusion`; None keeps them."""
        other = copy(self)
        if graph_weight is not None:
            other.graph_weight = check_graph_weight(graph_weight)
        if lexical_weight is not None:
            other.lexical_weight = self._checked_words(lexical_weight)
        if relation_weights is not None:
            checked = check_relation_weights(self.graph, relation_weights)
            other.spreading = replace(self.spreading, relation_weights=checked)
            other.__dict__.pop("_activated", None)
        return other

    def over(self, version: OpenVersion) -> Retriever:
        """Copy the retriever for the same version with items of one's own (`OpenVersion.with_items`)."""
        other = copy(self)
        other.version = version
        return other

    @property
    def has_graph(self) -> bool:
        """Whether there are concepts over which to go."""
        is_stored = self._stored is not None and self._stored.info.counts["concepts"] > 0
        return is_stored or len(self.graph) > 0

    @property
    def has_words(self) -> bool:
        """Whether the words of the items are indexed."""
        return isinstance(self.version, OpenVersion) and self.version.info.params.lexical

    def _weights(self, graph_weight: float | None, lexical_weight: float | None) -> Weights:
        """Weights of the graph, 0 without one, and of words: those of a call, or the retriever's own."""
        graph = self.graph_weight if graph_weight is None else check_graph_weight(graph_weight)
        lexical = self.lexical_weight if lexical_weight is None else self._checked_words(lexical_weight)
        return Weights(graph if self.has_graph else 0.0, lexical)

    def _checked_words(self, lexical_weight: float) -> float:
        """Check the weight of words, which must be indexed to have any."""
        if check_lexical_weight(lexical_weight) > 0:
            require_lexical(self.version, f"lexical_weight={lexical_weight:g}")
        return float(lexical_weight)

    def _begin(
        self,
        queries: Sequence[str | Item],
        vectors: Vectors,
        top_k: int,
        filter: Filter | None,
        weights: Weights,
    ) -> Callable[[Activation | None, bool], list[list[Hit]]]:
        """Begin to search for the items; what is returned waits for them, and takes what is activated."""
        scales = self._score_scales(vectors)
        if not any(weights) and scales is None:
            return lambda *_: vector_hits(self.version.search_items(vectors, top_k, filter))
        if not any(weights):
            return lambda *_: vector_hits(self._begin_near(vectors, top_k, filter, scales)())
        begun = self._begin_candidates(queries, vectors, top_k, filter, weights, scales)

        def finish(activation: Activation | None, with_paths: bool) -> list[list[Hit]]:
            activation = unmoved(len(queries)) if activation is None else activation
            hits: list[list[Hit]] = [[] for _ in queries]
            for query, found in begun(activation):
                hits[query] = best_items(found, query, activation, weights, top_k, with_paths=with_paths)
            return hits

        return finish

    def _begin_near(
        self, vectors: Vectors, top_k: int, filter: Filter | None, scales: ModalityScales | BankScores | None
    ) -> Callable[[], SearchResult[Item]]:
        if scales is None:
            return self.version.begin_search(vectors, top_k, filter)
        if isinstance(scales, BankScores):
            return begin_bank_search(vectors, top_k, filter, scales)
        return begin_scaled_search(self.version, vectors, top_k, filter, scales)

    def _begin_candidates(
        self,
        queries: Sequence[str | Item],
        vectors: Vectors,
        top_k: int,
        filter: Filter | None,
        weights: Weights,
        scales: ModalityScales | BankScores | None,
    ) -> Callable[[Activation], Iterable[tuple[int, Candidates]]]:
        """Begin to search for what may become a hit: with links in memory by ids, else with the records."""
        version = self.version
        is_plain = filter is None and scales is None and weights.graph > 0 and not weights.lexical
        if isinstance(version, OpenVersion) and is_plain:
            table = version.links(len(queries))
            if table is not None:
                return self._begin_linked(version, table, queries, vectors, top_k, weights)
        nearest = self._begin_near(vectors, n_near(top_k), filter, scales)
        words = self._begin_words(queries, top_k, filter) if weights.lexical else lambda: None

        def finish(activation: Activation) -> Iterable[tuple[int, Candidates]]:
            near, found = nearest(), words()
            # What a bank takes from items that were not found has no bound.
            bound = None if isinstance(scales, BankScores) else weights
            return enumerate(
                gather(version, near, vectors, activation, top_k, filter, bound, words=found, scales=scales)
            )

        return finish

    def _begin_linked(
        self,
        version: OpenVersion,
        table: LinkTable,
        queries: Sequence[str | Item],
        vectors: Vectors,
        top_k: int,
        weights: Weights,
    ) -> Callable[[Activation], Iterable[tuple[int, Candidates]]]:
        """Begin to search for the nearest items; a server is at the next part while one is dealt with."""
        # The nearest concepts of a text are found meanwhile.
        is_alone = len(queries) == 1 and not _bare_rows(queries)
        parts = [slice(at, at + _QUERIES_AT_ONCE) for at in range(0, len(queries), _QUERIES_AT_ONCE)]
        begun = begin_each(
            lambda part: version.begin_nearest(vectors[part], n_near(top_k), is_alone=is_alone), parts
        )

        def finish(activation: Activation) -> Iterable[tuple[int, Candidates]]:
            try:
                near = zip(parts, begun, strict=True)
                yield from gather_linked(version, table, near, vectors, activation, top_k, weights)
            except InvalidInputError:  # somebody writes to the version
                found = version.search_items(vectors, n_near(top_k))
                yield from enumerate(gather(version, found, vectors, activation, top_k, None, weights))

        return finish

    def _begin_words(
        self, queries: Sequence[str | Item], top_k: int, filter: Filter | None
    ) -> Callable[[], LexicalResult[Item]]:
        version = require_lexical(self.version, "a search by words")
        return version.begin_lexical_search([words_of(query) for query in queries], n_near(top_k), filter)

    @cached_property
    def _activated(self) -> ActivatedGraph:
        return ActivatedGraph(self.graph, self.spreading)

    def _require_graph(self) -> None:
        if not self.has_graph:
            raise InvalidInputError(
                "expected a retriever with a graph of concepts, got none; give it graph=..."
            )

    def _vectors(self, queries: Sequence[str | Item], known: Vectors | None) -> Vectors:
        """Vectors of checked queries, shape (q, d): the known ones, or what the encoder says."""
        if known is None:
            return self.encoder.encode([content_of(query) for query in queries], role="query")
        shape = len(queries), self.encoder.dimension
        remedy = "give one row for each query, of the encoder that the index was built with"
        return checks.vectors("query vectors", known, shape, remedy=remedy)

    def _activate(self, seeds: Sequence[Mapping[str, float]], filter: Filter | None = None) -> Activation:
        ids = list(dict.fromkeys(id_ for weights in seeds for id_ in weights))
        with span("expand", queries=len(seeds), concepts=len(ids)):
            if self._stored is None:
                self.graph.require(ids)
                over = self._activated
            else:
                over = ActivatedGraph(self._stored.neighbourhood(ids, self.spreading.n_hops), self.spreading)
            activation = over.reach(seeds)
            sources = over.sources_near(activation) if filter is not None else set()
            if filter is None or not sources:
                return activation
            known = self.version.known_items(sources)
            hidden = frozenset(id_ for id_, item in known.items() if not holds(filter, item))
            return over.without_sources(hidden).reach(seeds) if hidden else activation

    def _near_concepts(
        self, vectors: Vectors, rows: Sequence[int], n_concepts: int
    ) -> list[dict[Concept, float]]:
        """Similarities of the nearest concepts for the given rows, best first; nothing for the others."""
        near: list[dict[Concept, float]] = [{} for _ in vectors]
        if rows:
            found = self.version.search_concepts(vectors[list(rows)], n_concepts)
            for row, concepts, scores in zip(rows, found.records, found.scores, strict=True):
                near[row] = dict(zip(concepts, scores.tolist(), strict=True))
        return near

    def _seeds(
        self, queries: Sequence[str | Item], near: Sequence[Mapping[Concept, float]]
    ) -> list[dict[str, float]]:
        """Weights of the concepts that each query mentions: its own, or the nearest ones."""
        own = [query.concepts if isinstance(query, Item) else () for query in queries]
        return [
            dict.fromkeys(ids, 1.0)
            if ids
            else seed_weights({concept.id: score for concept, score in islice(found.items(), _N_SEEDS)})
            for ids, found in zip(own, near, strict=True)
        ]


def _bare_rows(queries: Sequence[str | Item]) -> list[int]:
    """Rows of the queries that name no concepts."""
    return [row for row, query in enumerate(queries) if not (isinstance(query, Item) and query.concepts)]


def _check_stored(
    info: CollectionInfo, graph: str, spread: str, relation_weights: Mapping[str, float] | None
) -> None:
    """Refuse what a graph that is read from Milvus part by part cannot do."""
    if graph != "stored":
        raise InvalidInputError(f"expected a graph, 'stored' or None, got {graph!r}")
    if not info.graph_digest:
        raise InvalidInputError(
            f"expected a version with a graph, got {info.id} without; build it with graph=..."
        )
    if spread != "hops" or relation_weights:
        raise InvalidInputError(
            "expected spread='hops' and no relation_weights with a stored graph, since they need all of it; "
            "give the graph itself"
        )
