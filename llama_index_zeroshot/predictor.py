"""Query engine: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.callbacks import CallbackManager
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import QueryBundle
from pydantic import SecretStr
from zeroshot_core.prediction.opening import open_model

from llama_index_zeroshot._convert import address, to_item, to_response


class ZeroShotQueryEngine(BaseQueryEngine):
    """Prediction for the thing that a query describes.

    The response is the prediction in words; its source nodes are the known items and the concepts behind it,
    and its metadata hold `value`, `interval`, `coverage`, `probabilities` and `paths`.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    """

    def __init__(
        self,
        model: str | Path | Any,
        *,
        coverage: float = 0.9,
        top_k: int = 5,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        self.model = model
        self.coverage = coverage
        self.top_k = top_k
        self._address = address(uri, token)
        self._model: Any = None
        super().__init__(callback_manager=callback_manager)

    def _query(self, query_bundle: QueryBundle) -> Response:
        if self._model is None:
            self._model = open_model(self.model, **self._address)
        predictions = self._model.explain([to_item(query_bundle)], top_k=self.top_k, coverage=self.coverage)
        return to_response(predictions[0])

    async def _aquery(self, query_bundle: QueryBundle) -> Response:
        return await asyncio.to_thread(self._query, query_bundle)

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}
