"""The only mapping between LangChain's records and the core's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar

from langchain_core.documents import Document
from langchain_core.load.serializable import Serializable
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from zeroshot_core.checks import known_names
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.explain.attributes import hit_attributes, prediction_attributes
from zeroshot_core.explain.wording import prediction_in_words
from zeroshot_core.serving.handles import Opened, off_loop
from zeroshot_core.serving.inputs import answer_all, item_from, item_of
from zeroshot_core.serving.tools import ARGUMENTS
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

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: Annotated[Any, AfterValidator(lambda model: str(model) if isinstance(model, Path) else model)]
    uri: str | None = None
    token: SecretStr | None = None
    _opened: Opened = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        # LangChain's own classes ignore what they don't know, which no setting of pydantic here outlives.
        if isinstance(given, dict):
            known_names(cls.__name__, given, cls.model_fields)
        return given

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `dumps` knows the class."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Environment variable that `loads` takes the token from."""
        return {"token": "MILVUS_TOKEN"}

    def model_post_init(self, context: Any, /) -> None:
        """Have the model opened when it is first used."""
        super().model_post_init(context)
        self._opened = Opened(self.model, self.uri, self.token)

    def __getstate__(self) -> dict[Any, Any]:
        if not isinstance(self.model, str):
            raise InvalidInputError(
                "expected a saved model to send, got one in memory; save it, give its folder"
            )
        return super().__getstate__()


class Batched(ModelSource, RunnableSerializable[In, Out], Generic[In, Out]):
    """A Runnable whose `batch` looks all inputs up by one call of the model, and then runs each as its own.

    A subclass looks up by `_look_up(inputs, **options)`, and takes what it runs on from `_found`.
    """

    _look_up: ClassVar[Callable[..., list[Any]]]

    def batch(
        self, inputs: list[In], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        """Answer all inputs by one call of the model, each with its own callbacks."""
        found = self._find(inputs, return_exceptions, kwargs)
        return super().batch(inputs, config, return_exceptions=return_exceptions, found=found, **kwargs)

    async def abatch(
        self, inputs: list[In], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[Out]:
        """Answer all inputs by one call of the model off the loop, each with its own callbacks."""
        found = await off_loop(self._find)(inputs, return_exceptions, kwargs)
        return await super().abatch(
            inputs, config, return_exceptions=return_exceptions, found=found, **kwargs
        )

    def _find(self, inputs: list[In], apart: bool, options: dict[str, Any]) -> dict[int, Any]:
        """Look all inputs up; what is found, or the error, by the identity of the input."""
        found = answer_all(partial(self._look_up, **options), inputs, apart=apart)
        return {id(value): answer for value, answer in zip(inputs, found, strict=True)}

    def _found(self, value: In, *, found: dict[int, Any] | None = None, **options: Any) -> Any:
        """Give what was found for an input, or look it up alone."""
        answer = self._look_up([value], **options)[0] if found is None else found[id(value)]
        if isinstance(answer, Exception):
            raise answer
        return answer


class ToolInput(BaseModel):
    """Arguments of a tool; an agent that writes others is told the nearest right word."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        if isinstance(given, dict):
            known_names(cls.__name__, given, cls.model_fields)
        return given


class PredictionInput(ToolInput):
    """What is asked: a description, with what else is known of the thing."""

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


def to_items(inputs: Sequence[Asked]) -> list[Item]:
    """Items of texts, mappings, Documents or Items, numbered where they have no id."""
    return [
        item_of(value.id or f"query-{row}", value.page_content, value.metadata)
        if isinstance(value, Document)
        else item_from(value, f"query-{row}")
        for row, value in enumerate(inputs)
    ]


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
