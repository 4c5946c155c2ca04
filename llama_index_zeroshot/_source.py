"""What every class over a model has: its source."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from zeroshot_core.index.uri import uri_and_token
from zeroshot_core.serving.argument_names import own_names
from zeroshot_core.serving.model_handle import ModelHandle

Source: TypeAlias = Annotated[
    Any, AfterValidator(lambda model: str(model) if isinstance(model, Path) else model)
]


class ModelSource(BaseModel):
    """Names the model behind a class; no dump and no pickle holds the token.

    Where a pickle is opened, ``MILVUS_TOKEN`` of the environment takes its place.

    Parameters
    ----------
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials. User and password
        of the address become the token.
    """

    # Errors would show a password, and a token that is given as a text.
    model_config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)

    model: Source = Field(description="Folder or name, or the loaded object.")
    uri: str | None = None
    token: SecretStr | None = Field(default=None, exclude=True)
    _handle: ModelHandle = PrivateAttr()
    _synonyms: ClassVar[Mapping[str, str]] = {}

    def __init__(self, model: Any = ..., **given: Any) -> None:
        super().__init__(**(given if model is ... else {"model": model, **given}))

    @model_validator(mode="before")
    @classmethod
    def _checked(cls, given: Any) -> Any:
        # Dumps hold the name of the class, and an embedding's the fingerprint of its encoder.
        if isinstance(given, dict):
            given = {key: value for key, value in given.items() if key not in ("class_name", "fingerprint")}
            given = own_names(cls.__name__, given, cls.model_fields, cls._synonyms)
            if isinstance(given.get("uri"), str):
                uri, token = uri_and_token(given["uri"], given.get("token"))
                given = {**given, "uri": uri, **({} if token is None else {"token": token})}
        return given

    @classmethod
    def class_name(cls) -> str:
        """Name in serialised pipelines."""
        return cls.__name__

    def model_post_init(self, context: Any, /) -> None:
        """Have the model opened when it is first used."""
        super().model_post_init(context)
        self._handle = ModelHandle(self.model, self.uri, self.token)

    def __getstate__(self) -> dict[Any, Any]:
        # LlamaIndex leaves out what it cannot pickle: the model says so in its own words instead.
        pickle.dumps(self.model)
        state: dict[Any, Any] = super().__getstate__()
        token = None if self.token is None else SecretStr("")
        return state | {"__dict__": state["__dict__"] | {"token": token}}
