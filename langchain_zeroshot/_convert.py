"""The only mapping between LangChain's records and the core's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from langchain_core.documents import Document
from langchain_core.load.serializable import Serializable
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index import AllOf, AnyOf, Condition, Filter, Not
from zeroshot_core.prediction.wording import path_in_words, prediction_in_words
from zeroshot_core.types import Hit, Item, Prediction, Value

_COMPARISONS = {"$eq": "==", "$ne": "!=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_OPERATORS = {**_COMPARISONS, "$in": "in", "$nin": "not in", "$contains": "contains"}
_ADDED = frozenset({"score", "parts", "path", "concepts"})

Asked: TypeAlias = str | dict[str, Any] | Document | Item
Configs: TypeAlias = "RunnableConfig | list[RunnableConfig] | None"
In = TypeVar("In")
Out = TypeVar("Out")


class ModelSource(Serializable):
    """Names the model behind a class; `dumps` and `loads` apply where `model` is a folder or a name.

    Parameters
    ----------
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    model: Any
    uri: str | None = None
    token: SecretStr | None = None

    @field_validator("model", mode="after")
    @classmethod
    def _jsonable(cls, model: Any) -> Any:
        return str(model) if isinstance(model, Path) else model

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `dumps` knows the class."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Environment variable that `loads` takes the token from."""
        return {"token": "MILVUS_TOKEN"}

    def _address(self) -> dict[str, str | None]:
        return {"uri": self.uri, "token": self.token.get_secret_value() if self.token else None}


class PredictionInput(BaseModel):
    """What is asked: a description, with what else is known of the thing."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="Description of the thing to predict for, in plain words.")
    concepts: list[str] = Field(default=[], description="Ids of the graph's concepts that it belongs to.")
    metadata: dict[str, str | int | float | bool] = Field(default={}, description="Attributes, by name.")
    id: str | None = Field(default=None, description="Its id, where it has one.")


class PredictionOutput(BaseModel):
    """A prediction with its uncertainty and its reasons; as a string, the reasons in words."""

    id: str
    value: float | list[float] | str = Field(description="Expected number, curve, or label.")
    interval: list[float] | list[list[float]] | None = Field(description="Ends that hold it with `coverage`.")
    coverage: float | None
    probabilities: dict[str, float] = Field(description="Probability by label.")
    documents: list[Document] = Field(description="Known items behind it, best first.")
    concepts: list[Document] = Field(description="Concepts behind it, best first.")
    reason: str = Field(description="What the language model that chose the label wrote in support of it.")
    fallback: str = Field(description="Why a language model that should have chosen the label did not.")
    explanation: str

    def __str__(self) -> str:
        return self.explanation


def to_items(inputs: Sequence[Any]) -> list[Item]:
    """Items of texts, mappings, Documents or Items, numbered where they have no id."""
    return [_to_item(value, f"query-{number}") for number, value in enumerate(inputs)]


def _to_item(value: Any, default_id: str) -> Item:
    if isinstance(value, Item):
        return value
    if not isinstance(value, str | Document | Mapping):
        raise InvalidInputError(
            f"expected a text, a mapping with 'text', a Document or an Item, got {type(value).__name__}"
        )
    try:
        known = PredictionInput.model_validate(_known(value))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InvalidInputError(
            f"expected 'text' and, where known, 'concepts', 'metadata' and 'id', got {wrong}"
        ) from error
    return Item(
        id=known.id or default_id, text=known.text, concepts=tuple(known.concepts), metadata=known.metadata
    )


def _known(value: str | Document | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, Mapping):
        return dict(value)
    own = {k: v for k, v in value.metadata.items() if k not in _ADDED and isinstance(v, str | int | float)}
    concepts = value.metadata.get("concepts", [])
    return {"id": value.id, "text": value.page_content, "concepts": concepts, "metadata": own}


def to_document(hit: Hit) -> Document:
    """Document of a hit; its metadata are the item's, with score, parts, path and concepts added."""
    added = {
        "score": float(hit.score),
        "parts": {name: float(part) for name, part in hit.parts.items()},
        "path": path_in_words(hit.path),
        "concepts": list(hit.concepts),
    }
    return Document(id=hit.id, page_content=hit.text, metadata={**hit.metadata, **added})


def to_output(prediction: Prediction) -> PredictionOutput:
    """Typed output of a prediction."""
    return PredictionOutput(
        id=prediction.id,
        value=_plain(prediction.value),
        interval=None if prediction.interval is None else [_plain(end) for end in prediction.interval],
        coverage=prediction.coverage,
        probabilities=dict(prediction.probabilities),
        documents=[to_document(hit) for hit in prediction.evidence.items],
        concepts=[to_document(hit) for hit in prediction.evidence.concepts],
        reason=prediction.reason,
        fallback=prediction.fallback,
        explanation=prediction_in_words(prediction),
    )


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def to_filter(filter: Filter | Mapping[str, Any] | None) -> Filter | None:
    """Filter of a mapping such as ``{"brand": "acme", "price": {"$gt": 3}}``, whose entries must all hold.

    ``$and`` and ``$or`` take a list of mappings, ``$not`` takes one, and
    ``{"concepts": {"$contains": "type:wine"}}`` asks for items that are linked to a concept.

    Raises
    ------
    InvalidInputError
        If `filter` is neither a mapping nor a filter, or an operator is unknown.
    """
    if filter is None or isinstance(filter, Condition | AllOf | AnyOf | Not):
        return filter
    if not isinstance(filter, Mapping):
        raise InvalidInputError(f"expected a mapping or a filter, got {filter!r}")
    parts = [part for key, value in filter.items() for part in _entry(key, value)]
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _entry(key: str, value: Any) -> list[Filter]:
    if key in {"$and", "$or"}:
        parts = [to_filter(part) or AllOf(()) for part in value]
        return [AllOf(parts) if key == "$and" else AnyOf(parts)]
    if key == "$not":
        return [Not(to_filter(value) or AllOf(()))]
    asked = value if isinstance(value, Mapping) else {"$eq": value}
    unknown = [operator for operator in asked if operator not in _OPERATORS]
    if unknown:
        raise InvalidInputError(
            f"filter on {key!r}: expected one of {', '.join(_OPERATORS)}, got {unknown[0]!r}"
        )
    return [Condition(key, _OPERATORS[operator], operand) for operator, operand in asked.items()]


def off_loop(function: Callable[..., Out]) -> Callable[..., Awaitable[Out]]:
    """Run a function in a thread, so that the event loop turns on."""

    async def run(*args: Any, **kwargs: Any) -> Out:
        return await asyncio.to_thread(function, *args, **kwargs)

    return run


def answer_all(
    ask: Callable[[list[In]], list[Out]], inputs: list[In], *, apart: bool
) -> list[Out | Exception]:
    """Answers to all inputs by one call, or the error; `apart` asks again singly to spare the good inputs."""
    try:
        return [*ask(inputs)]
    except InvalidInputError as error:
        if apart and len(inputs) > 1:
            return [answer for value in inputs for answer in answer_all(ask, [value], apart=True)]
        return [error] * len(inputs)
    except Exception as error:  # the caller reports it to the callbacks of every input
        return [error] * len(inputs)
