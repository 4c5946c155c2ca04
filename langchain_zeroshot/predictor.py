"""Predictor: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

from functools import partial
from typing import Any

from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field, PrivateAttr
from zeroshot_core.prediction.opening import open_model

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


class ZeroShotPredictor(ModelSource, RunnableSerializable[Asked, PredictionOutput]):
    """Prediction for a text, a mapping as `PredictionInput`, a Document or an Item.

    `batch` and `abatch` make one call of the model; the async methods leave the loop free. `coverage` and
    `top_k` may also be given per call.

    Parameters
    ----------
    model
        Folder of a saved model, or a fitted model.
    coverage
        Probability with which the interval holds the value, in (0, 1).
    top_k
        Number of known items that are given as evidence.
    """

    coverage: float = Field(default=0.9, gt=0, lt=1)
    top_k: int = Field(default=5, ge=1)
    _model: Any = PrivateAttr(default=None)

    def invoke(self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any) -> PredictionOutput:
        """Predict for one input."""
        return self._call_with_config(self._predict_one, input, config, **kwargs)

    async def ainvoke(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> PredictionOutput:
        """Predict for one input off the loop."""
        return await self._acall_with_config(off_loop(self._predict_one), input, config, **kwargs)

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
        ask = off_loop(partial(self._predict_all, return_exceptions))
        return await self._abatch_with_config(
            ask, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    def as_tool(self, args_schema: type[BaseModel] | None = None, **options: Any) -> BaseTool:
        """Tool for an agent; its arguments are those of `PredictionInput` unless others are given."""
        if args_schema is None and not options.get("arg_types"):
            args_schema = PredictionInput
        return super().as_tool(args_schema, **options)

    def _predict_one(self, value: Asked, **options: Any) -> PredictionOutput:
        return self._predict([value], **options)[0]

    def _predict_all(
        self, apart: bool, inputs: list[Asked], **options: Any
    ) -> list[PredictionOutput | Exception]:
        return answer_all(partial(self._predict, **options), inputs, apart=apart)

    def _predict(
        self, inputs: list[Asked], *, coverage: float | None = None, top_k: int | None = None
    ) -> list[PredictionOutput]:
        if self._model is None:
            self._model = open_model(self.model, **self._address())
        predictions = self._model.explain(
            to_items(inputs),
            top_k=self.top_k if top_k is None else top_k,
            coverage=self.coverage if coverage is None else coverage,
        )
        return [to_output(prediction) for prediction in predictions]
