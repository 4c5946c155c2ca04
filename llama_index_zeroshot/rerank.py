"""A postprocessor that ranks any retriever's nodes by vectors and graph."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import BeforeValidator, Field
from zeroshot_core.checks import real, whole
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.retrieval import rerank

from llama_index_zeroshot._convert import from_nodes, to_node, to_query
from llama_index_zeroshot._source import ModelSource


class ZeroShotRerank(ModelSource, BaseNodePostprocessor):
    """Ranks nodes by the scores that `ZeroShotRetriever` would give them; copies carry score, parts and path.

    Nodes that are indexed have the concepts of the index, others those under ``concepts`` of their metadata,
    or the nearest ones of their text.

    Parameters
    ----------
    model
        Folder of a saved model or retriever, a fitted model, or a `Retriever`.
    top_n
        Number of nodes that are kept.
    graph_weight
        0 is pure vector search, 1 pure graph; None is the model's own.
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    top_n: Annotated[int, BeforeValidator(partial(whole, "top_n", least=1))] = Field(default=10, ge=1)
    graph_weight: Annotated[float, BeforeValidator(partial(real, "graph_weight", least=0, most=1))] | None = (
        Field(default=None, ge=0, le=1)
    )

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        if query_bundle is None:
            raise InvalidInputError("expected a query to rank by, got none; give query_bundle or query_str")
        found = {node.node_id: node.node for node in nodes}
        query = to_query(query_bundle)
        items = from_nodes(found.values())
        retriever, weight = self._handle.retriever, self.graph_weight
        hits = rerank(retriever, query, items, top_k=self.top_n, graph_weight=weight)
        return [to_node(hit, found[hit.id]) for hit in hits]
