"""Predictor: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableSerializable
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, PrivateAttr
from zeroshot_core.prediction.opening import open_model
from zeroshot_core.prediction.prompting import Prompting, label_questions
from zeroshot_core.types import Prediction

from langchain_zeroshot._convert import (
    Asked,
    Configs,
    ModelSource,
    PredictionInput,
    PredictionOutput,
    answer_all,
    off_loop,
    to_items,
    to_output,
)
from langchain_zeroshot.prompting import Found, adrafts, asettle, asettle_all, drafts, settle, settle_all


class ZeroShotPredictor(ModelSource, RunnableSerializable[Asked, PredictionOutput]):
    """Prediction for a text, a mapping as `PredictionInput`, a Document or an Item.

    `batch` and `abatch` make one call of the model; the async methods leave the loop free. `coverage` and
    `top_k` may also be given per call.

    With `llm` a chat model chooses among the classifier's most probable labels, by the evidence; where it
    fails, the label is the classifier's, and `fallback` says why. `stream` and `astream` then give the
    prediction again and again while its `reason` grows, at last with the label chosen.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    llm
        A chat model, with structured output or without.
    prompting
        What goes into its prompts.
    """

    coverage: float = Field(default=0.9, gt=0, lt=1)
    top_k: int = Field(default=5, ge=1)
    llm: Runnable[Any, Any] | None = None
    prompting: Prompting | None = None
    _model: Any = PrivateAttr(default=None)

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` writes in place of objects that it doesn't know."""
        settings = vars(self.prompting) if self.prompting is not None else {}
        given = {name: value for name, value in settings.items() if value is not None}
        return {"prompting": given} if given else {}

    def invoke(self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any) -> PredictionOutput:
        """Predict for one input."""
        return self._call_with_config(self._predict_one, input, config, **kwargs)

    async def ainvoke(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> PredictionOutput:
        """Predict for one input off the loop."""
        return await self._acall_with_config(self._apredict_one, input, config, **kwargs)

    def batch(
        self, inputs: list[Asked], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[PredictionOutput]:
        """Predict for all inputs by one call of the model, each with its own callbacks."""
        ask = partial(self._predict_all, return_exceptions)
        return self._batch_with_config(ask, inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self, inputs: list[Asked], config: Configs = None, *, return_exceptions: bool = False, **kwargs: Any
    ) -> list[PredictionOutput]:
        """Predict for all inputs by one call of the model off the loop, each with its own callbacks."""
        ask = partial(self._apredict_all, return_exceptions)
        return await self._abatch_with_config(
            ask, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    def stream(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it."""
        return self._transform_stream_with_config(iter([input]), self._stream_one, config, **kwargs)

    async def astream(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it, off the loop."""

        async def inputs() -> AsyncIterator[Asked]:
            yield input

        async for output in self._atransform_stream_with_config(
            inputs(), self._astream_one, config, **kwargs
        ):
            yield output

    def as_tool(self, args_schema: type[BaseModel] | None = None, **options: Any) -> BaseTool:
        """Tool for an agent; its arguments are those of `PredictionInput` unless others are given."""
        if args_schema is None and not options.get("arg_types"):
            args_schema = PredictionInput
        return super().as_tool(args_schema, **options)

    # LangChain gives a function the configuration of its children if it has a parameter of that name.
    def _predict_one(self, value: Asked, config: Any, **options: Any) -> PredictionOutput:
        (found,) = self._look_up([value], **options)
        return to_output(settle(self.llm, found, config))

    async def _apredict_one(self, value: Asked, config: Any, **options: Any) -> PredictionOutput:
        (found,) = await off_loop(self._look_up)([value], **options)
        return to_output(await asettle(self.llm, found, config))

    def _predict_all(
        self, apart: bool, inputs: list[Asked], config: Any, **options: Any
    ) -> list[PredictionOutput | Exception]:
        found = self._look_up_all(apart, inputs, options)
        return _outputs(settle_all(self.llm, found, config))

    async def _apredict_all(
        self, apart: bool, inputs: list[Asked], config: Any, **options: Any
    ) -> list[PredictionOutput | Exception]:
        found = await off_loop(self._look_up_all)(apart, inputs, options)
        return _outputs(await asettle_all(self.llm, found, config))

    def _stream_one(self, inputs: Iterator[Asked], config: Any, **options: Any) -> Iterator[PredictionOutput]:
        (found,) = self._look_up(list(inputs), **options)
        yield from map(to_output, drafts(self.llm, found, config))

    async def _astream_one(
        self, inputs: AsyncIterator[Asked], config: Any, **options: Any
    ) -> AsyncIterator[PredictionOutput]:
        (found,) = await off_loop(self._look_up)([value async for value in inputs], **options)
        async for prediction in adrafts(self.llm, found, config):
            yield to_output(prediction)

    def _look_up_all(
        self, apart: bool, inputs: list[Asked], options: Mapping[str, Any]
    ) -> list[Found | Exception]:
        return answer_all(lambda some: self._look_up(some, **options), inputs, apart=apart)

    def _look_up(
        self, inputs: list[Asked], *, coverage: float | None = None, top_k: int | None = None
    ) -> list[Found]:
        """Predictions, or with a chat model the questions to it, by one call of the model."""
        if self._model is None:
            self._model = open_model(self.model, **self._address())
        items, top_k = to_items(inputs), self.top_k if top_k is None else top_k
        if self.llm is not None:
            return [*label_questions(self._model, items, top_k=top_k, prompting=self.prompting)]
        coverage = self.coverage if coverage is None else coverage
        return [*self._model.explain(items, top_k=top_k, coverage=coverage)]


def _outputs(settled: Sequence[Prediction | Exception]) -> list[PredictionOutput | Exception]:
    return [one if isinstance(one, Exception) else to_output(one) for one in settled]
