"""Predictor: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool
from pydantic import BaseModel, BeforeValidator, Field
from zeroshot_core.checks import choice, known_names, real, text, whole
from zeroshot_core.prompting.label_question import LabelQuestion
from zeroshot_core.prompting.prompt_settings import Prompting
from zeroshot_core.serving.language_model import Call, LanguageModel
from zeroshot_core.serving.predictions import STATISTICS, PredictionSettings, Question, questions
from zeroshot_core.serving.threads import run_in_thread

from langchain_zeroshot._convert import (
    PredictorInput,
    to_items,
    to_output,
)
from langchain_zeroshot._source import Batched
from langchain_zeroshot.schemas import PredictionInput, PredictionOutput

_SETTINGS = tuple(field.name for field in fields(PredictionSettings))


class ZeroShotPredictor(Batched[PredictorInput, PredictionOutput]):
    """Prediction for a text, a mapping as `PredictionInput`, messages, a prompt, a Document or an Item.

    Of messages the last one of a human counts, of a mapping with more keys those of `PredictionInput`, or its
    ``messages``; where the model was fitted on a table, a mapping may also be a row with its columns. `batch`
    and `abatch` make one call of the model; the async methods leave the loop free. All parameters but
    `model`, `llm` and the address may also be given per call.

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
    evidence
        Whether documents and concepts behind a prediction are given. A caller that wants a label alone turns
        it off, and a classifier then searches for none.
    reject
        Whether a classifier may answer ``""``, none of the labels.
    confidence
        Least probability of a classifier's answer: where no label has it, the narrowest of the concepts above
        them that has it is the answer.
    statistic
        What a regressor forecasts: ``"expectation"``, ``"median"`` or ``"geometric"``.
    quantiles
        Probabilities for which a regressor gives the values that the truth stays below.
    contributions
        Whether a regressor says what moved its forecast, which takes longer.
    input_key
        Where in a mapping, such as the state of a graph, the input is.
    """

    coverage: Annotated[float, BeforeValidator(partial(real, "coverage", above=0, below=1))] = Field(
        default=0.9, gt=0, lt=1
    )
    top_k: Annotated[int, BeforeValidator(partial(whole, "top_k", least=1))] = Field(default=5, ge=1)
    llm: Runnable[LanguageModelInput, Any] | None = None
    prompting: Prompting | None = None
    evidence: bool = True
    reject: bool = False
    confidence: Annotated[float, BeforeValidator(partial(real, "confidence", above=0, most=1))] | None = (
        Field(default=None, gt=0, le=1)
    )
    statistic: Annotated[str, BeforeValidator(partial(choice, "statistic", options=STATISTICS))] | None = None
    quantiles: Sequence[Annotated[float, BeforeValidator(partial(real, "quantiles", above=0, below=1))]] = ()
    contributions: bool = False
    input_key: str | None = None

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` writes in place of objects that it doesn't know."""
        settings = vars(self.prompting) if self.prompting is not None else {}
        given = {name: value for name, value in settings.items() if value is not None}
        return {"prompting": given} if given else {}

    def invoke(
        self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> PredictionOutput:
        """Predict for one input."""
        return self._call_with_config(self._predict, input, config, **kwargs)

    async def ainvoke(
        self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> PredictionOutput:
        """Predict for one input off the loop."""
        return await self._acall_with_config(self._apredict, input, config, **kwargs)

    def stream(
        self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it."""
        return self._transform_stream_with_config(iter([input]), self._stream, config, **kwargs)

    async def astream(
        self, input: PredictorInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it, off the loop."""

        async def inputs() -> AsyncIterator[PredictorInput]:
            yield input

        async for output in self._atransform_stream_with_config(inputs(), self._astream, config, **kwargs):
            yield output

    def as_tool(self, args_schema: type[BaseModel] | None = None, **options: Any) -> BaseTool:
        """Tool for an agent; its arguments are those of `PredictionInput` unless others are given."""
        if args_schema is None and not options.get("arg_types"):
            args_schema = PredictionInput
        return super().as_tool(args_schema, **options)

    def as_node(self, output_key: str) -> Runnable[PredictorInput, dict[str, Any]]:
        """Make a node of LangGraph: the prediction goes under a key of the state.

        There it is the fields of `PredictionOutput` as plain values, which every checkpoint keeps without
        being told of a class. `input_key` says where in the state the input is.
        """
        key = text("output_key", output_key)
        return self | RunnableLambda(lambda output: {key: output.model_dump()})

    # LangChain gives a function the configuration of its children if it has a parameter of that name.
    def _predict(self, value: PredictorInput, config: Any, **options: Any) -> PredictionOutput:
        question = self._found(value, **options)
        return to_output(question.ask(_ChatModel(self.llm, config).ask))

    async def _apredict(self, value: PredictorInput, config: Any, **options: Any) -> PredictionOutput:
        question = await run_in_thread(self._found)(value, **options)
        return to_output(await question.aask(_ChatModel(self.llm, config).aask))

    def _stream(
        self, inputs: Iterator[PredictorInput], config: Any, **options: Any
    ) -> Iterator[PredictionOutput]:
        for value in inputs:
            question = self._found(value, **options)
            yield from map(to_output, question.stream(_ChatModel(self.llm, config).stream))

    async def _astream(
        self, inputs: AsyncIterator[PredictorInput], config: Any, **options: Any
    ) -> AsyncIterator[PredictionOutput]:
        async for value in inputs:
            question = await run_in_thread(self._found)(value, **options)
            async for prediction in question.astream(_ChatModel(self.llm, config).astream):
                yield to_output(prediction)

    def _look_up(self, inputs: list[PredictorInput], **options: Any) -> list[Question]:
        """Predictions, or with a chat model the questions to it, by one call of the model."""
        known_names("ZeroShotPredictor", options, (*_SETTINGS, "input_key"))
        model = self._handle.model
        items = to_items(inputs, model, options.pop("input_key", self.input_key))
        settings = PredictionSettings(**{**{name: getattr(self, name) for name in _SETTINGS}, **options})
        return questions(model, items, settings, is_prompted=self.llm is not None)


@dataclass(frozen=True)
class _ChatModel(LanguageModel):
    llm: Any
    config: RunnableConfig

    def _call(self, question: LabelQuestion, *, is_async: bool, is_streamed: bool) -> Call:
        try:
            chain, prompt = self.llm.with_structured_output(question.schema), question.prompt
        except (AttributeError, NotImplementedError):  # a model without structured output
            chain, prompt = self.llm | StrOutputParser(), question.text_prompt
        name = ("a" if is_async else "") + ("stream" if is_streamed else "invoke")
        return partial(getattr(chain, name), prompt, self.config), prompt is question.prompt
