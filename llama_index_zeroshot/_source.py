"""What every class over a model has: its source."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from zeroshot_core.checks import known_names
from zeroshot_core.serving.model_handle import ModelHandle


class ModelSource(BaseModel):
    """Names the model behind a class; no dump holds the token.

    Parameters
    ----------
    uri, token
        Milvus address, where it is a server or not the saved one, and its credentials.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: Annotated[Any, AfterValidator(lambda model: str(model) if isinstance(model, Path) else model)] = (
        Field(description="Folder or name, or the loaded object.")
    )
    uri: str | None = None
    token: SecretStr | None = Field(default=None, exclude=True)
    _handle: ModelHandle = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, given: Any) -> Any:
        # LlamaIndex writes the name of the class into its dumps.
        if isinstance(given, dict):
            known_names(cls.__name__, given.keys() - {"class_name"}, cls.model_fields)
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
        return super().__getstate__()
