"""Predictor: a text in, a number, curve or label with its reasons out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from pydantic import BaseModel, Field
from zeroshot_core.prediction.opening import open_model
from zeroshot_core.prediction.prompting import Prompting
from zeroshot_core.prediction.questions import Answer, LabelQuestion
from zeroshot_core.prediction.serving import Asked as Question
from zeroshot_core.prediction.serving import off_loop, questions

from langchain_zeroshot._convert import (
    Asked,
    BatchedSource,
    PredictionInput,
    PredictionOutput,
    to_items,
    to_output,
)


class ZeroShotPredictor(BatchedSource[Asked, PredictionOutput]):
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
    llm: Runnable[LanguageModelInput, Any] | None = None
    prompting: Prompting | None = None

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` writes in place of objects that it doesn't know."""
        settings = vars(self.prompting) if self.prompting is not None else {}
        given = {name: value for name, value in settings.items() if value is not None}
        return {"prompting": given} if given else {}

    def invoke(self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any) -> PredictionOutput:
        """Predict for one input."""
        return self._call_with_config(self._predict, input, config, **kwargs)

    async def ainvoke(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> PredictionOutput:
        """Predict for one input off the loop."""
        return await self._acall_with_config(self._apredict, input, config, **kwargs)

    def stream(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it."""
        return self._transform_stream_with_config(iter([input]), self._stream, config, **kwargs)

    async def astream(
        self, input: Asked, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[PredictionOutput]:
        """Give the prediction as far as the chat model has written, at last all of it, off the loop."""

        async def inputs() -> AsyncIterator[Asked]:
            yield input

        async for output in self._atransform_stream_with_config(inputs(), self._astream, config, **kwargs):
            yield output

    def as_tool(self, args_schema: type[BaseModel] | None = None, **options: Any) -> BaseTool:
        """Tool for an agent; its arguments are those of `PredictionInput` unless others are given."""
        if args_schema is None and not options.get("arg_types"):
            args_schema = PredictionInput
        return super().as_tool(args_schema, **options)

    # LangChain gives a function the configuration of its children if it has a parameter of that name.
    def _predict(self, value: Asked, config: Any, **options: Any) -> PredictionOutput:
        return to_output(self._question(value, **options).ask(ChatModel(self.llm, config).ask))

    async def _apredict(self, value: Asked, config: Any, **options: Any) -> PredictionOutput:
        question = await off_loop(self._question)(value, **options)
        return to_output(await question.aask(ChatModel(self.llm, config).aask))

    def _stream(self, inputs: Iterator[Asked], config: Any, **options: Any) -> Iterator[PredictionOutput]:
        for value in inputs:
            asked = self._question(value, **options).stream(ChatModel(self.llm, config).stream)
            yield from map(to_output, asked)

    async def _astream(
        self, inputs: AsyncIterator[Asked], config: Any, **options: Any
    ) -> AsyncIterator[PredictionOutput]:
        async for value in inputs:
            question = await off_loop(self._question)(value, **options)
            async for prediction in question.astream(ChatModel(self.llm, config).astream):
                yield to_output(prediction)

    def _question(
        self, value: Asked, *, found: Question | Exception | None = None, **options: Any
    ) -> Question:
        if isinstance(found, Exception):
            raise found
        return self._look_up([value], **options)[0] if found is None else found

    def _look_up(
        self, inputs: list[Asked], *, coverage: float | None = None, top_k: int | None = None
    ) -> list[Question]:
        """Predictions, or with a chat model the questions to it, by one call of the model."""
        return questions(
            self._open(open_model),
            to_items(inputs),
            coverage=self.coverage if coverage is None else coverage,
            top_k=self.top_k if top_k is None else top_k,
            is_prompted=self.llm is not None,
            prompting=self.prompting,
        )


@dataclass(frozen=True)
class ChatModel:
    """What a `LabelQuestion` is put to, in the four ways of a Runnable.

    Parameters
    ----------
    llm
        A chat model, with structured output or without; None where nothing is asked.
    config
        Under which it runs.
    """

    llm: Any
    config: RunnableConfig

    def ask(self, question: LabelQuestion) -> Answer | None:
        """Answer."""
        chain, prompt, _ = self._chain(question)
        return cast("Answer | None", chain.invoke(prompt, self.config))

    async def aask(self, question: LabelQuestion) -> Answer | None:
        """Answer, without holding up the loop."""
        chain, prompt, _ = self._chain(question)
        return cast("Answer | None", await chain.ainvoke(prompt, self.config))

    def stream(self, question: LabelQuestion) -> Iterator[Answer | None]:
        """Give all of the answer so far, again and again."""
        chain, prompt, is_structured = self._chain(question)
        pieces = chain.stream(prompt, self.config)
        # Each piece of a structured answer is all of it so far, each piece of a text is the next one.
        return pieces if is_structured else accumulate(pieces)

    async def astream(self, question: LabelQuestion) -> AsyncIterator[Answer | None]:
        """Give all of the answer so far, again and again, without holding up the loop."""
        chain, prompt, is_structured = self._chain(question)
        text = ""
        async for piece in chain.astream(prompt, self.config):
            text = piece if is_structured else text + piece
            yield text

    def _chain(self, question: LabelQuestion) -> tuple[Runnable[Any, Any], str, bool]:
        """Chain, prompt, and whether the model holds its answers to the schema."""
        try:
            return self.llm.with_structured_output(question.schema), question.prompt, True
        except (AttributeError, NotImplementedError):  # a model without structured output
            return self.llm | StrOutputParser(), question.text_prompt, False
