"""Let an agent predict, and look up what is known, by tools."""

import asyncio
from typing import Any

from llama_index.core.agent.workflow import FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ToolCallBlock
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.mock import MockFunctionCallingLLM
from zeroshot_core import ZeroShotClassifier

from llama_index_zeroshot import zero_shot_tools

EXAMPLES = {
    "my parcel has not come": "delivery",
    "the courier left it with a neighbour": "delivery",
    "I was charged twice": "payment",
    "the card was declined": "payment",
}
MESSAGE = "where is my package?"


def call(number: int, tool: str) -> ChatMessage:
    """Call of a tool, as a language model makes one."""
    block = ToolCallBlock(tool_call_id=str(number), tool_name=tool, tool_kwargs={"input": MESSAGE})
    return ChatMessage(role="assistant", blocks=[block])


def scripted_llm() -> Any:
    """Stand in for a model that calls tools: it goes by the script."""
    script = iter(
        [
            call(1, "zero_shot_related_concepts"),
            call(2, "zero_shot_predict"),
            ChatMessage(role="assistant", content="It is for the team of deliveries."),
        ]
    )
    return MockFunctionCallingLLM(response_generator=lambda messages, **kwargs: next(script))


async def main() -> None:
    """Ask an agent to route a message."""
    classifier = ZeroShotClassifier().fit(
        list(EXAMPLES), list(EXAMPLES.values()), labels=["delivery", "payment", "returns"]
    )
    agent = FunctionAgent(tools=zero_shot_tools(classifier), llm=scripted_llm())  # any LLM that calls tools
    handler = agent.run(f"Who answers this: {MESSAGE}")
    async for event in handler.stream_events():
        if isinstance(event, ToolCallResult):
            print(f"{event.tool_name}: {event.tool_output.content.strip()}\n")
    print(await handler)


if __name__ == "__main__":
    asyncio.run(main())
