"""A chat model that chooses the label: questions to it, and its answers, as LangChain runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, TypeAlias

from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import get_executor_for_config
from langchain_core.runnables.utils import gather_with_concurrency
from zeroshot_core.prediction.questions import Answer, LabelQuestion
from zeroshot_core.types import Prediction

Found: TypeAlias = "Prediction | LabelQuestion"


def settle(llm: Any, found: Found, config: RunnableConfig) -> Prediction:
    """Ask the model if it is a question; a prediction passes."""
    if not isinstance(found, LabelQuestion):
        return found
    return found.ask(partial(_ask, llm, config))


async def asettle(llm: Any, found: Found, config: RunnableConfig) -> Prediction:
    """Ask the model if it is a question, without holding up the loop."""
    if not isinstance(found, LabelQuestion):
        return found
    return await found.aask(partial(_aask, llm, config))


def settle_all(
    llm: Any, found: Sequence[Found | Exception], configs: Sequence[RunnableConfig]
) -> list[Prediction | Exception]:
    """Ask all questions, as many at a time as the configuration allows; errors pass."""

    def one(each: Found | Exception, config: RunnableConfig) -> Prediction | Exception:
        return each if isinstance(each, Exception) else settle(llm, each, config)

    with get_executor_for_config(configs[0]) as executor:
        return list(executor.map(one, found, configs))


async def asettle_all(
    llm: Any, found: Sequence[Found | Exception], configs: Sequence[RunnableConfig]
) -> list[Prediction | Exception]:
    """Ask all questions, as many at a time as the configuration allows, without holding up the loop."""

    async def one(each: Found | Exception, config: RunnableConfig) -> Prediction | Exception:
        return each if isinstance(each, Exception) else await asettle(llm, each, config)

    calls = [one(each, config) for each, config in zip(found, configs, strict=True)]
    return await gather_with_concurrency(configs[0].get("max_concurrency"), *calls)


def drafts(llm: Any, found: Found, config: RunnableConfig) -> Iterator[Prediction]:
    """Give drafts while the model writes, and the prediction last."""
    if not isinstance(found, LabelQuestion):
        return iter([found])
    return found.stream(partial(_stream, llm, config))


async def adrafts(llm: Any, found: Found, config: RunnableConfig) -> AsyncIterator[Prediction]:
    """Give drafts while the model writes, and the prediction last, without holding up the loop."""
    if not isinstance(found, LabelQuestion):
        yield found
        return
    async for prediction in found.astream(partial(_astream, llm, config)):
        yield prediction


def _ask(llm: Any, config: RunnableConfig, question: LabelQuestion) -> Answer | None:
    chain, prompt, _ = _chain(llm, question)
    answer: Answer | None = chain.invoke(prompt, config)
    return answer


async def _aask(llm: Any, config: RunnableConfig, question: LabelQuestion) -> Answer | None:
    chain, prompt, _ = _chain(llm, question)
    answer: Answer | None = await chain.ainvoke(prompt, config)
    return answer


def _stream(llm: Any, config: RunnableConfig, question: LabelQuestion) -> Iterator[Answer | None]:
    chain, prompt, is_structured = _chain(llm, question)
    pieces = chain.stream(prompt, config)
    # Each piece of a structured answer is all of it so far, each piece of a text is the next one.
    return pieces if is_structured else accumulate(pieces)


async def _astream(llm: Any, config: RunnableConfig, question: LabelQuestion) -> AsyncIterator[Answer | None]:
    chain, prompt, is_structured = _chain(llm, question)
    text = ""
    async for piece in chain.astream(prompt, config):
        text = piece if is_structured else text + piece
        yield text


def _chain(llm: Any, question: LabelQuestion) -> tuple[Runnable[Any, Any], str, bool]:
    """Chain, prompt, and whether the model holds its answers to the schema."""
    try:
        return llm.with_structured_output(question.schema), question.prompt, True
    except (AttributeError, NotImplementedError):  # a model without structured output
        return llm | StrOutputParser(), question.text_prompt, False
