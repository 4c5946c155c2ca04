"""Language models that answer what was recorded, through each framework's own way to structured output."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.llms.callbacks import llm_completion_callback
from pydantic import Field

Answers = dict[str, Any]


def recorded(answers: Answers, prompt: str) -> Any:
    """The answer for the text that the prompt holds; an exception is raised."""
    (answer,) = [answer for text, answer in answers.items() if text in prompt]
    if isinstance(answer, Exception):
        raise answer
    return answer


class RecordedChatModel(BaseChatModel):
    """Calls the tool that it is given with recorded arguments, as a hosted model does."""

    answers: Answers
    prompts: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "recorded"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        return self.bind(name=tools[0]["title"])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        name: str,
        **kwargs: Any,
    ) -> ChatResult:
        self.prompts.append(messages[-1].text)
        call = ToolCall(name=name, args=recorded(self.answers, messages[-1].text), id="1")
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])


class RecordedLLM(CustomLLM):
    """Writes the recorded JSON, as a model does that is asked for a schema."""

    answers: Answers
    prompts: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        self.prompts.append(prompt)
        return CompletionResponse(text=json.dumps(recorded(self.answers, prompt)))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield self.complete(prompt, formatted, **kwargs)


MODELS: dict[str, Callable[..., Any]] = {"langchain": RecordedChatModel, "llama_index": RecordedLLM}
