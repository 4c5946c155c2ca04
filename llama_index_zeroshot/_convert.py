"""The only mapping between LlamaIndex's records and the core's."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from pydantic import SecretStr
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import AllOf, AnyOf, Condition, Filter, Not
from zeroshot_core.prediction.wording import path_in_words, prediction_in_words
from zeroshot_core.types import Hit, Item, Prediction, Value

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
    evidence = prediction.evidence
    return Response(
        response=prediction_in_words(prediction),
        source_nodes=[to_node(hit) for hit in (*evidence.items, *evidence.concepts)],
        metadata={
            "value": _plain(prediction.value),
            "interval": None if prediction.interval is None else [_plain(end) for end in prediction.interval],
            "coverage": prediction.coverage,
            "probabilities": dict(prediction.probabilities),
            "paths": {hit.id: path_in_words(hit.path) for hit in evidence.items if hit.path},
        },
    )


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
