"""A language model that chooses the label: a question to it, and its answer, as LlamaIndex runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from inspect import getattr_static
from itertools import accumulate
from typing import Annotated, Any, TypeAlias

from llama_index.core.llms import LLM
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, ConfigDict, WithJsonSchema, create_model
from zeroshot_core.prediction.questions import Answer, LabelQuestion
from zeroshot_core.types import Evidence, Prediction

Found: TypeAlias = "Prediction | LabelQuestion"


def evidence_of(found: Found) -> Evidence:
    """Give what was retrieved, which is there before the model is asked."""
    return (found.prediction if isinstance(found, LabelQuestion) else found).evidence


def settle(llm: LLM | None, found: Found) -> Prediction:
    """Ask the model if it is a question; a prediction passes."""
    return found.ask(partial(_ask, llm)) if isinstance(found, LabelQuestion) else found


async def asettle(llm: LLM | None, found: Found) -> Prediction:
    """Ask the model if it is a question, without holding up the loop."""
    return await found.aask(partial(_aask, llm)) if isinstance(found, LabelQuestion) else found


def drafts(llm: LLM | None, found: Found) -> Iterator[Prediction]:
    """Give drafts while the model writes, and the prediction last."""
    return found.stream(partial(_stream, llm)) if isinstance(found, LabelQuestion) else iter([found])


async def adrafts(llm: LLM | None, found: Found) -> AsyncIterator[Prediction]:
    """Give drafts while the model writes, and the prediction last, without holding up the loop."""
    if not isinstance(found, LabelQuestion):
        yield found
        return
    async for prediction in found.astream(partial(_astream, llm)):
        yield prediction


# A program writes into its template: each call has its own.
def _template() -> PromptTemplate:
    return PromptTemplate("{question}")


def _ask(llm: Any, question: LabelQuestion) -> Answer:
    if _holds_to(llm, "structured_predict"):
        return _fields(llm.structured_predict(_form(question), _template(), question=question.prompt))
    text: str = llm.predict(_template(), question=question.text_prompt)
    return text


async def _aask(llm: Any, question: LabelQuestion) -> Answer:
    if _holds_to(llm, "astructured_predict"):
        return _fields(await llm.astructured_predict(_form(question), _template(), question=question.prompt))
    text: str = await llm.apredict(_template(), question=question.text_prompt)
    return text


def _stream(llm: Any, question: LabelQuestion) -> Iterator[Answer]:
    if _holds_to(llm, "stream_structured_predict"):
        objects = llm.stream_structured_predict(_form(question), _template(), question=question.prompt)
        return map(_fields, objects)
    return accumulate(llm.stream(_template(), question=question.text_prompt))


async def _astream(llm: Any, question: LabelQuestion) -> AsyncIterator[Answer]:
    if _holds_to(llm, "astream_structured_predict"):
        async for part in await llm.astream_structured_predict(
            _form(question), _template(), question=question.prompt
        ):
            yield _fields(part)
        return
    text = ""
    async for piece in await llm.astream(_template(), question=question.text_prompt):
        text += piece
        yield text


def _holds_to(llm: LLM, way: str) -> bool:
    """Whether a model holds its answers to a schema in this way, by calls of tools or by one of its own."""
    is_its_own = getattr_static(type(llm), way) is not getattr_static(LLM, way)
    return llm.metadata.is_function_calling_model or is_its_own


def _form(question: LabelQuestion) -> type[BaseModel]:
    """Class with the schema of the answer that takes any: the core says what is wrong with one."""
    schema = question.schema
    fields: dict[str, Any] = {
        name: (Annotated[Any, WithJsonSchema(part)], ...) for name, part in schema["properties"].items()
    }
    # A model that is held to the schema must stop after these, though more would be read.
    config = ConfigDict(json_schema_extra={"additionalProperties": schema["additionalProperties"]})
    return create_model(schema["title"], __doc__=schema["description"], __config__=config, **fields)


def _fields(answer: Any) -> Answer:
    return answer.model_dump() if isinstance(answer, BaseModel) else str(answer)
