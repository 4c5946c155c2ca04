"""Query engine: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import AsyncStreamingResponse, Response, StreamingResponse
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.prompts.mixin import PromptMixinType
from llama_index.core.schema import QueryBundle
from pydantic import SecretStr
from zeroshot_core.prediction.opening import open_model
from zeroshot_core.prediction.prompting import Prompting, label_questions
from zeroshot_core.types import Prediction

from llama_index_zeroshot._convert import (
    address,
    to_async_stream,
    to_item,
    to_response,
    to_stream,
)
from llama_index_zeroshot.prompting import Found, adrafts, asettle, drafts, evidence_of, settle


class ZeroShotQueryEngine(BaseQueryEngine):
    """Prediction for the thing that a query describes.

    The response is the prediction in words; its source nodes are the known items and the concepts behind it,
    and its metadata hold `value`, `interval`, `coverage`, `probabilities`, `paths`, `reason` and `fallback`.

    With `llm` a language model chooses among the classifier's most probable labels, by the evidence; where it
    fails, the label is the classifier's, and `fallback` says why.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    llm
        Any LLM.
    prompting
        What goes into its prompts.
    uri, token
        Milvus address and credentials, where they differ from the saved ones.
    streaming
        Whether responses are read as the language model writes them; the metadata that it decides are there
        when the text has been read to its end.
    """

    def __init__(
        self,
        model: str | Path | Any,
        *,
        coverage: float = 0.9,
        top_k: int = 5,
        llm: LLM | None = None,
        prompting: Prompting | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
        callback_manager: CallbackManager | None = None,
        streaming: bool = False,
    ) -> None:
        self.model = model
        self.coverage = coverage
        self.top_k = top_k
        self.llm = llm
        self.prompting = prompting
        self.streaming = streaming
        self._address = address(uri, token)
        self._model: Any = None
        super().__init__(callback_manager=callback_manager)

    def _query(self, query_bundle: QueryBundle) -> Response | StreamingResponse:
        found = self._look_up(query_bundle)
        if self.streaming:
            return to_stream(evidence_of(found), drafts(self.llm, found))
        return to_response(settle(self.llm, found))

    async def _aquery(self, query_bundle: QueryBundle) -> Response | AsyncStreamingResponse:
        found = await asyncio.to_thread(self._look_up, query_bundle)
        if self.streaming:
            return to_async_stream(evidence_of(found), adrafts(self.llm, found))
        return to_response(await asettle(self.llm, found))

    def _look_up(self, query: QueryBundle) -> Found:
        """Prediction, or with a language model the question to it."""
        if self._model is None:
            self._model = open_model(self.model, **self._address)
        items = [to_item(query)]
        if self.llm is not None:
            return label_questions(self._model, items, top_k=self.top_k, prompting=self.prompting)[0]
        prediction: Prediction = self._model.explain(items, top_k=self.top_k, coverage=self.coverage)[0]
        return prediction

    def _get_prompt_modules(self) -> PromptMixinType:
        return {}
