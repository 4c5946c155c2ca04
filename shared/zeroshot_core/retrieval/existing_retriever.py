"""Retrieval over a collection that another library made and fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index.existing_collection import CollectionFields, ExistingCollection
from zeroshot_core.retrieval.retriever import Retriever

if TYPE_CHECKING:
    from zeroshot_core.encoders import Encoder

__all__ = ["existing_retriever"]


def existing_retriever(
    client: Any,
    collection: str,
    encoder: Encoder,
    graph: KnowledgeGraph | None = None,
    *,
    fields: CollectionFields,
    partitions: Sequence[str] | None = None,
    **settings: Any,
) -> Retriever:
    """Open a retriever over a collection as it is, beside a graph in memory.

    Parameters
    ----------
    client
        A `MilvusClient`; stays the caller's, and open as long as the retriever is used.
    encoder
        The one whose vectors the collection holds.
    graph
        Its concepts are what `fields.concepts` name; without it only vectors count.
    partitions
        Names of partitions to stay in; all if None.
    settings
        Those of `Retriever`.

    Raises
    ------
    InvalidInputError
        If the collection, a field or an index is not there, or the vectors are not those of such an encoder.
    """
    graph = KnowledgeGraph() if graph is None else graph
    found = ExistingCollection.open(client, collection, encoder, graph, fields=fields, partitions=partitions)
    return Retriever(found, encoder, graph, **settings)
