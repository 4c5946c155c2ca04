"""The only mapping between LangChain's records and the core's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

from langchain_core.documents import Document
from langchain_core.load.serializable import Serializable
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.config import get_config_list, get_executor_for_config
from langchain_core.runnables.utils import gather_with_concurrency
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, field_validator
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction.inputs import answer_all, item_from
from zeroshot_core.prediction.serving import hit_attributes, item_of, off_loop, prediction_attributes
from zeroshot_core.prediction.tooling import ARGUMENTS
from zeroshot_core.prediction.wording import prediction_in_words
from zeroshot_core.types import Hit, Item, Prediction

Asked: TypeAlias = str | dict[str, Any] | Document | Item
Configs: TypeAlias = "RunnableConfig | list[RunnableConfig] | None"
In = TypeVar("In")
Out = TypeVar("Out")


class ModelSource(Serializable):
    """Names the model behind a class; `dumps`, `loads` and `pickle` apply where it is a folder or a name.

    Parameters
    ----------
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    model: Any
    uri: str | None = None
    token: SecretStr | None = None
    _opened: Any = PrivateAttr(default=None)

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

    def __getstate__(self) -> dict[Any, Any]:
        if not isinstance(self.model, str):
            raise InvalidInputError(
                f"expected a model that another process can open, got a {type(self.model).__name__} in "
                "memory; save it, and give its folder"
            )
        return {**super().__getstate__(), "__pydantic_private__": {"_opened": None}}

    def _open(self, opener: Callable[..., Any]) -> Any:
        if self._opened is None:
            token = self.token.get_secret_value() if self.token else None
            self._opened = opener(self.model, uri=self.uri, token=token)
        return self._opened


class BatchedSource(ModelSource, RunnableSerializable[In, Out], Generic[In, Out]):
    """A Runnable whose `batch` looks all inputs up by one call of the model, and then runs each as its own.

    A subclass looks up by `_look_up(inputs, **options)`; its `invoke` and `ainvoke` take what was `found`.
    """

    _look_up: ClassVar[Callable[..., list[Any]]]

    def batch(
        self, inputs: list[In], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        """Answer all inputs by one call of the model, each with its own callbacks."""

        def run(value: In, own: RunnableConfig, found: Any) -> Any:
            try:
                return self.invoke(value, own, found=found, **kwargs)
            except Exception as error:
                if not return_exceptions:
                    raise
                return error

        found = answer_all(partial(self._look_up, **kwargs), inputs, apart=return_exceptions)
        configs = get_config_list(config, len(inputs))
        with get_executor_for_config(configs[0] if configs else None) as executor:
            return list(executor.map(run, inputs, configs, found))

    async def abatch(
        self, inputs: list[In], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        """Answer all inputs by one call of the model off the loop, each with its own callbacks."""

        async def run(value: In, own: RunnableConfig, found: Any) -> Any:
            try:
                return await self.ainvoke(value, own, found=found, **kwargs)
            except Exception as error:
                if not return_exceptions:
                    raise
                return error

        ask = partial(self._look_up, **kwargs)
        found = await off_loop(answer_all)(ask, inputs, apart=return_exceptions)
        configs = get_config_list(config, len(inputs))
        limit = configs[0].get("max_concurrency") if configs else None
        return await gather_with_concurrency(limit, *map(run, inputs, configs, found))


class PredictionInput(BaseModel):
    """What is asked: a description, with what else is known of the thing."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description=ARGUMENTS["text"])
    concepts: list[str] = Field(default=[], description=ARGUMENTS["concepts"])
    metadata: dict[str, str | int | float | bool] = Field(default={}, description=ARGUMENTS["metadata"])
    id: str | None = Field(default=None, description=ARGUMENTS["id"])


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


def _to_item(value: Asked, default_id: str) -> Item:
    if isinstance(value, Document):
        return item_of(value.id or default_id, value.page_content, value.metadata)
    return item_from(value, default_id)


def to_document(hit: Hit) -> Document:
    """Document of a hit; its metadata are the item's, with score, parts, path and concepts added."""
    return Document(id=hit.id, page_content=hit.text, metadata=hit_attributes(hit))


def to_output(prediction: Prediction) -> PredictionOutput:
    """Typed output of a prediction."""
    return PredictionOutput(
        id=prediction.id,
        documents=[to_document(hit) for hit in prediction.evidence.items],
        concepts=[to_document(hit) for hit in prediction.evidence.concepts],
        explanation=prediction_in_words(prediction),
        **prediction_attributes(prediction),
    )
