"""The only mapping between LlamaIndex's records and the core's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.types import TokenAsyncGen, TokenGen
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from pydantic import SecretStr
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import AllOf, AnyOf, Condition, Filter, Not
from zeroshot_core.prediction.wording import path_in_words, prediction_in_words
from zeroshot_core.types import Evidence, Hit, Item, Prediction, Value

_OPERATORS = {
    FilterOperator.EQ: "==",
    FilterOperator.NE: "!=",
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
    FilterOperator.IN: "in",
    FilterOperator.NIN: "not in",
    FilterOperator.CONTAINS: "contains",
    FilterOperator.ANY: "contains",
}


def address(uri: str | None, token: SecretStr | str | None) -> dict[str, str | None]:
    """Arguments that open a saved model at another Milvus address."""
    return {"uri": uri, "token": token.get_secret_value() if isinstance(token, SecretStr) else token}


def to_item(query: QueryBundle) -> Item:
    """Item that a query describes."""
    return Item(id="query-0", text=query.query_str)


def to_node(hit: Hit) -> NodeWithScore:
    """Node of a hit; its metadata are the item's, with score, parts, path and concepts added.

    A language model reads all but score and parts; an embedding is made of the text and the item's own.
    """
    added = {
        "score": float(hit.score),
        "parts": {name: float(part) for name, part in hit.parts.items()},
        "path": path_in_words(hit.path),
        "concepts": list(hit.concepts),
    }
    node = TextNode(
        id_=hit.id,
        text=hit.text,
        metadata={**hit.metadata, **added},
        excluded_embed_metadata_keys=list(added),
        excluded_llm_metadata_keys=["score", "parts"],
    )
    return NodeWithScore(node=node, score=float(hit.score))


def to_response(prediction: Prediction) -> Response:
    """Response of a prediction: reasons in words, evidence as source nodes, numbers as metadata."""
    return Response(
        response=prediction_in_words(prediction),
        source_nodes=_nodes(prediction.evidence),
        metadata=_paths(prediction.evidence) | _metadata(prediction),
    )


def to_stream(evidence: Evidence, drafts: Iterator[Prediction]) -> StreamingResponse:
    """Response whose text is read as it is written; most of its metadata are there at the end of it."""
    metadata, text = _paths(evidence), _Text()

    def words() -> TokenGen:
        for draft in drafts:
            last = draft
            if new := text.grown(draft):
                yield new
        metadata.update(_metadata(last))
        yield text.rest(last)

    return StreamingResponse(words(), source_nodes=_nodes(evidence), metadata=metadata)


def to_async_stream(evidence: Evidence, drafts: AsyncIterator[Prediction]) -> AsyncStreamingResponse:
    """Response whose text is read as it is written; most of its metadata are there at the end of it."""
    metadata, text = _paths(evidence), _Text()

    async def words() -> TokenAsyncGen:
        async for draft in drafts:
            last = draft
            if new := text.grown(draft):
                yield new
        metadata.update(_metadata(last))
        yield text.rest(last)

    return AsyncStreamingResponse(words(), source_nodes=_nodes(evidence), metadata=metadata)


class _Text:
    """What has been read of a prediction in words, which begin with the language model's reason."""

    def __init__(self) -> None:
        self._read = ""

    def grown(self, draft: Prediction) -> str:
        if not draft.reason.startswith(self._read):
            return ""
        new, self._read = draft.reason[len(self._read) :], draft.reason
        return new

    def rest(self, prediction: Prediction) -> str:
        words = prediction_in_words(prediction)
        return words[len(self._read) :] if words.startswith(self._read) else f"\n{words}"


def _nodes(evidence: Evidence) -> list[NodeWithScore]:
    return [to_node(hit) for hit in (*evidence.items, *evidence.concepts)]


def _paths(evidence: Evidence) -> dict[str, Any]:
    return {"paths": {hit.id: path_in_words(hit.path) for hit in evidence.items if hit.path}}


def _metadata(prediction: Prediction) -> dict[str, Any]:
    return {
        "value": _plain(prediction.value),
        "interval": None if prediction.interval is None else [_plain(end) for end in prediction.interval],
        "coverage": prediction.coverage,
        "probabilities": dict(prediction.probabilities),
        "reason": prediction.reason,
        "fallback": prediction.fallback,
    }


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def to_filter(filters: MetadataFilters | Filter | None) -> Filter | None:
    """Filter of LlamaIndex's; ``contains``, ``any`` and ``all`` apply to the key ``concepts``.

    Raises
    ------
    InvalidInputError
        If `filters` is of another type, or an operator has no counterpart.
    """
    if filters is None or isinstance(filters, Condition | AllOf | AnyOf | Not):
        return filters
    if not isinstance(filters, MetadataFilters):
        raise InvalidInputError(f"expected MetadataFilters or a filter, got {filters!r}")
    parts = [_part(part) for part in filters.filters]
    if filters.condition == FilterCondition.NOT:
        return Not(AnyOf(parts))
    return AnyOf(parts) if filters.condition == FilterCondition.OR else AllOf(parts)


def _part(part: MetadataFilter | MetadataFilters) -> Filter:
    if isinstance(part, MetadataFilters):
        return to_filter(part) or AllOf(())
    value: Any = part.value
    if part.operator == FilterOperator.ALL:
        return AllOf([Condition(part.key, "contains", one) for one in value])
    if part.operator not in _OPERATORS:
        known = ", ".join(operator.value for operator in (*_OPERATORS, FilterOperator.ALL))
        raise InvalidInputError(
            f"filter on {part.key!r}: expected one of {known}, got {part.operator.value!r}"
        )
    return Condition(part.key, _OPERATORS[part.operator], value)
