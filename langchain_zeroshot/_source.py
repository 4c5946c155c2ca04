"""What every class over a model has: its source, and batches that are one call of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, TypeAlias, TypeVar

from langchain_core.load.serializable import Serializable
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import AfterValidator, ConfigDict, PrivateAttr, SecretStr, model_validator
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.index.uri import uri_and_token
from zeroshot_core.serving.argument_names import own_names
from zeroshot_core.serving.inputs import answer_batch
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.threads import run_in_thread

Configs: TypeAlias = "RunnableConfig | list[RunnableConfig] | None"
In = TypeVar("In")
Out = TypeVar("Out")


Source: TypeAlias = Annotated[
    Any, AfterValidator(lambda model: str(model) if isinstance(model, Path) else model)
]


class ModelSource(Serializable):
    """Names the model behind a class; `dumps`, `loads` and `pickle` apply where it is a folder or a name.

    What is dumped, pickled or printed holds no token: where it is opened, ``MILVUS_TOKEN`` is taken.

    Parameters
    ----------
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials. User and password
        of the address become the token.
    """

    # Errors would show a password, and a token that is given as a text.
    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    model: Source
    uri: str | None = None
    token: SecretStr | None = None
    _handle: ModelHandle = PrivateAttr()
    _synonyms: ClassVar[Mapping[str, str]] = {}

    def __init__(self, model: Any = ..., **given: Any) -> None:
        super().__init__(**(given if model is ... else {"model": model, **given}))

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: Any) -> Any:
        # LangChain's own classes ignore what they don't know, which no setting of pydantic here outlives.
        if isinstance(given, dict):
            given = own_names(cls.__name__, given, cls.model_fields, cls._synonyms)
            if isinstance(given.get("uri"), str):
                uri, token = uri_and_token(given["uri"], given.get("token"))
                given = {**given, "uri": uri, **({} if token is None else {"token": token})}
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
        self._handle = ModelHandle(self.model, self.uri, self.token)

    def __getstate__(self) -> dict[Any, Any]:
        if not isinstance(self.model, str):
            raise InvalidInputError(
                "expected a saved model to send, got one in memory; save it, give its folder"
            )
        state = super().__getstate__()
        # A pickle holds no secret: where it is opened, the environment does.
        token = None if self.token is None else SecretStr("")
        return state | {"__dict__": state["__dict__"] | {"token": token}}


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
        found = await run_in_thread(self._find)(inputs, return_exceptions, kwargs)
        return await super().abatch(
            inputs, config, return_exceptions=return_exceptions, found=found, **kwargs
        )

    def _find(self, inputs: list[In], apart: bool, options: dict[str, Any]) -> dict[int, Any]:
        """Look all inputs up; what is found, or the error, by the identity of the input."""
        found = answer_batch(partial(self._look_up, **options), inputs, apart=apart)
        return {id(value): answer for value, answer in zip(inputs, found, strict=True)}

    def _found(self, value: In, *, found: dict[int, Any] | None = None, **options: Any) -> Any:
        """Give what was found for an input, or look it up alone."""
        answer = self._look_up([value], **options)[0] if found is None else found[id(value)]
        if isinstance(answer, Exception):
            raise answer
        return answer
