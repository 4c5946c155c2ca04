"""Give an agent the tools of two models, of which its chat model is offered those that fit, and a memory."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolCall
from langgraph.store.memory import InMemoryStore
from zeroshot_core import ZeroShotClassifier

from langchain_zeroshot import ZeroShotEmbeddings, ZeroShotToolSelector, zero_shot_tools

MESSAGES = {"my parcel has not come": "delivery", "I was charged twice": "payment"}
WINES = {"dry red wine from Apulia": "red", "crisp Riesling from the Moselle": "white"}
QUESTION = "is a wine from Burgundy red or white?"


class OfferedModel(GenericFakeChatModel):
    """Stands in for a chat model that calls tools; it says which it was offered."""

    def bind_tools(self, tools: list[Any], **kwargs: Any) -> "OfferedModel":
        """Take the tools and go by the script."""
        print("offered:", ", ".join(tool.name for tool in tools))
        return self


def main() -> None:
    """Ask an agent that has eight tools, and keep what it learned."""
    teams = ZeroShotClassifier().fit(list(MESSAGES), list(MESSAGES.values()))
    colours = ZeroShotClassifier().fit(list(WINES), list(WINES.values()))
    tools = [
        *zero_shot_tools(teams, prefix="message", descriptions={"predict": "Say which team answers."}),
        *zero_shot_tools(colours, prefix="wine", descriptions={"predict": "Say if a wine is red or white."}),
    ]
    store = InMemoryStore(index={"embed": ZeroShotEmbeddings(), "dims": 384})
    script = [
        AIMessage("", tool_calls=[ToolCall(name="wine_predict", args={"text": QUESTION}, id="1")]),
        AIMessage("That depends on the grape."),
    ]
    agent = create_agent(
        OfferedModel(messages=iter(script)),  # any chat model
        tools,
        middleware=[ZeroShotToolSelector(max_tools=3)],
        store=store,
    )
    answer = agent.invoke({"messages": [("user", QUESTION)]})["messages"]
    print(answer[-2].content.splitlines()[0])
    store.put(("facts",), "1", {"text": answer[-1].content})
    store.put(("facts",), "2", {"text": "The shop opens at nine."})
    print("remembered:", store.search(("facts",), query="colour of wine", limit=1)[0].value["text"])


if __name__ == "__main__":
    main()
