"""Retriever over vectors and graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever, LangSmithRetrieverParams
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from zeroshot_core.checks import instance, known_names, real, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.hit_graph import hits_to_graph
from zeroshot_core.index.filters import filter_of
from zeroshot_core.serving.argument_names import own_names
from zeroshot_core.serving.searches import SearchSettings, search
from zeroshot_core.serving.threads import run_in_thread

from langchain_zeroshot._convert import to_document, to_items
from langchain_zeroshot._source import Batched
from langchain_zeroshot.embeddings import to_encoder

if TYPE_CHECKING:
    import networkx as nx
    from langchain_milvus import Milvus
    from zeroshot_core.graph import KnowledgeGraph
    from zeroshot_core.types import Hit


_SEARCH = ("k", "graph_weight", "lexical_weight", "filter", "score_threshold")


class RunParams(LangSmithRetrieverParams, total=False):
    """What traces tell of a run."""

    k: int


class ZeroShotRetriever(Batched[str, list[Document]], BaseRetriever):
    """Known items near a query, by their vectors and through the graph.

    The metadata of a document are the item's own, with ``zeroshot_score``, its ``zeroshot_parts``, the
    ``zeroshot_path`` that led to it in words, and its ``zeroshot_concepts``. Documents of one item are equal
    whatever the query. What is looked for may also be given per call, and as the
    ``search_kwargs`` of a vector store's retriever; `k` also as ``top_k``.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    k
        Number of documents.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    lexical_weight
        Share of words (BM25) in what texts say, from 0 to 1; None is the model's own. Above 0 it needs an
        index of words (`IndexParams(lexical=True)`).
    filter
        A mapping such as ``{"brand": "acme", "price": {"$gt": 3}}``, or a filter of the core.
    score_threshold
        Least score, from -1 to 1; of the `k` best, those below it are left out.
    """

    k: Annotated[int, BeforeValidator(partial(whole, "k", least=1))] = Field(default=10, ge=1)
    graph_weight: Annotated[float, BeforeValidator(partial(real, "graph_weight", least=0, most=1))] | None = (
        Field(default=None, ge=0, le=1)
    )
    lexical_weight: (
        Annotated[float, BeforeValidator(partial(real, "lexical_weight", least=0, most=1))] | None
    ) = Field(default=None, ge=0, le=1)
    filter: Annotated[Any, AfterValidator(lambda given: filter_of(given) and given)] = None
    score_threshold: (
        Annotated[float, BeforeValidator(partial(real, "score_threshold", least=-1, most=1))] | None
    ) = Field(default=None, ge=-1, le=1)
    _synonyms: ClassVar[Mapping[str, str]] = {"top_k": "k"}

    @model_validator(mode="before")
    @classmethod
    def _flattened(cls, given: Any) -> Any:
        return _with_search_kwargs(given) if isinstance(given, dict) else given

    @classmethod
    def from_milvus(
        cls,
        store: Milvus,
        graph: KnowledgeGraph | None = None,
        *,
        concept_fields: Sequence[str] = (),
        **settings: Any,
    ) -> ZeroShotRetriever:
        """Retrieve from an existing store as it is: its collection, fields, metadata and partitions.

        Parameters
        ----------
        store
            Keeps its client; nothing is written to it.
        graph
            Kept in memory; without it only vectors count.
        concept_fields
            Metadata that link a document to concepts: ids, or values such as `KnowledgeGraph.from_table`
            makes ids of (``kind`` links ``wine`` to ``kind:wine``).
        settings
            `k`, `graph_weight`, `lexical_weight`, `filter`, `score_threshold`, `tags` and `metadata`.

        Raises
        ------
        InvalidInputError
            If the store has no collection yet, several vector fields, or vectors of another dimension.
        """
        from zeroshot_core.index.existing_collection import CollectionFields
        from zeroshot_core.retrieval.existing_retriever import existing_retriever

        fields = CollectionFields(
            primary=store._primary_field,
            text=store._text_field,
            vector=", ".join(store.vector_fields),
            metadata=store._metadata_field,
            concepts=tuple(concept_fields),
        )
        core = existing_retriever(
            store.client,
            store.collection_name,
            to_encoder(store.embeddings),
            graph,
            fields=fields,
            partitions=store.partition_names,
        )
        return cls(model=core, **settings)

    def evidence_graph(self, query: str, **options: Any) -> nx.MultiDiGraph:
        """Search, and give what was found with the relations that led there as a graph of networkx.

        `options` are those of a call. `zeroshot_core.retrieval.graph_to_html` draws the graph,
        `networkx.write_graphml` keeps it; see `hits_to_graph`.
        """
        (hits,) = self._hits([query], options)
        return hits_to_graph(hits, self._handle.retriever.graph)

    def _get_ls_params(self, **kwargs: Any) -> RunParams:
        inner = kwargs.get("search_kwargs")
        given = kwargs | (inner if isinstance(inner, dict) else {})
        return RunParams(
            ls_retriever_name="zeroshot",
            ls_vector_store_provider="milvus",
            ls_embedding_provider="zeroshot",
            ls_embedding_model=self._handle.encoder_name,
            k=given.get("k") or given.get("top_k") or self.k,
        )

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun | None = None, **options: Any
    ) -> list[Document]:
        return [*self._found(query, **options)]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun | None = None, **options: Any
    ) -> list[Document]:
        return await run_in_thread(self._get_relevant_documents)(query, **options)

    def _look_up(self, inputs: list[str], **options: Any) -> list[list[Document]]:
        return [[to_document(hit) for hit in row] for row in self._hits(inputs, options)]

    def _hits(self, inputs: list[str], options: dict[str, Any]) -> list[list[Hit]]:
        given = {**{name: getattr(self, name) for name in _SEARCH}, **_asked(options)}
        settings = SearchSettings(**{**given, "filter": filter_of(given["filter"])})
        retriever = self._handle.retriever
        asked = [one if isinstance(one, str) else to_items([one], retriever)[0] for one in inputs]
        return search(retriever, asked, settings)


def _asked(options: dict[str, Any]) -> dict[str, Any]:
    """Read the options of a call."""
    return own_names("ZeroShotRetriever", _with_search_kwargs(options), _SEARCH, ZeroShotRetriever._synonyms)


def _with_search_kwargs(given: dict[str, Any]) -> dict[str, Any]:
    """Put what a vector store's retriever calls its ``search_kwargs`` among the other arguments."""
    outer = {**given}
    inner: dict[str, Any] = outer.pop("search_kwargs", {})
    instance("search_kwargs", inner, dict)
    known_names("search_kwargs", inner, {*_SEARCH, *ZeroShotRetriever._synonyms})
    if twice := sorted(outer.keys() & inner.keys()):
        raise InvalidInputError(f"expected {twice[0]!r} once, got it within search_kwargs too; leave one out")
    return outer | inner
