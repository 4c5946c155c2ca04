"""Middleware that offers an agent's model the tools that fit its request, without another model's call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import BaseTool
from pydantic import SecretStr
from zeroshot_core.checks import choice, real, sequence, whole
from zeroshot_core.serving.argument_names import named_arguments
from zeroshot_core.serving.model_handle import ModelHandle
from zeroshot_core.serving.option_ranker import OptionRanker, options_of
from zeroshot_core.serving.threads import run_in_thread


@named_arguments({"top_k": "max_tools"})
class ZeroShotToolSelector(AgentMiddleware[Any, Any, Any]):
    """Offers the model only the tools that fit the last message of a human, by meaning and by words.

    Each tool's name and description are encoded once, for as long as the middleware lives; a call then costs
    the encoding of one text. Tools that a provider runs itself, which come as dictionaries, are always
    offered.

    Parameters
    ----------
    model
        Name of an encoder, or what `ZeroShotEmbeddings` takes.
    max_tools
        How many are offered at most, beside those that always are.
    always_include
        Names of tools that are always offered.
    threshold
        Least score of a tool that is offered, from -1 to 1: below it, it is not of the matter. None offers
        `max_tools` always.
    past_calls
        By the name of a tool, requests in which it was the right one, such as a log holds them.
    uri, token
        Milvus address of a saved model, where it is a server or not the saved one, and its credentials.

    Raises
    ------
    InvalidInputError
        If a parameter is out of range, or, when an agent runs, if it has no tool of a name.
    """

    def __init__(
        self,
        model: Any = "all-MiniLM-L6-v2",
        *,
        max_tools: int = 8,
        always_include: Sequence[str] = (),
        threshold: float | None = None,
        past_calls: Mapping[str, Sequence[str]] | None = None,
        uri: str | None = None,
        token: SecretStr | str | None = None,
    ) -> None:
        super().__init__()
        self.max_tools = whole("max_tools", max_tools, least=1)
        self.always_include = frozenset(sequence("always_include", always_include, of="names of tools"))
        self.threshold = None if threshold is None else real("threshold", threshold, least=-1, most=1)
        self.past_calls = past_calls
        self._ranker = OptionRanker(ModelHandle(model, uri, token))

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model with the tools that fit."""
        return handler(self.select(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any] | AIMessage:
        """Call the model with the tools that fit, which are looked for off the loop."""
        return await handler(await run_in_thread(self.select)(request))

    def select(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        """Give the request with the tools that fit, in the order in which the agent has them."""
        tools = [tool for tool in request.tools if isinstance(tool, BaseTool)]
        for name in self.always_include:
            choice("always_include", name, [tool.name for tool in tools])
        free = [tool for tool in tools if tool.name not in self.always_include]
        said = [message for message in request.messages if isinstance(message, HumanMessage)]
        text = str(said[-1].text) if said else ""
        if (len(free) <= self.max_tools and self.threshold is None) or not text.strip():
            return request
        options = options_of([(tool.name, tool.description) for tool in free], self.past_calls)
        found = self._ranker.rank(text, options, top_k=self.max_tools, threshold=self.threshold)
        left_out = {tool.name for tool in free} - {free[place].name for place, _ in found}
        kept = [tool for tool in request.tools if getattr(tool, "name", None) not in left_out]
        return request.override(tools=kept)
