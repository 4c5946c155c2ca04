"""Let an agent predict, and look up what is known, by tools."""

from collections.abc import Sequence
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolCall
from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor

from langchain_zeroshot import zero_shot_tools

KINDS = {"red wine": ("drinks", 9), "lemonade": ("drinks", 30), "pasta": ("pantry", 50)}
PLACES = ("Sicily", "Apulia", "Umbria", "Veneto", "Tuscany")
WANTED = "dry red wine from Liguria"


class ScriptedModel(GenericFakeChatModel):
    """Stands in for a chat model that calls tools; it says what it was given."""

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "ScriptedModel":
        """Take the tools and go by the script."""
        return self


def main() -> None:
    """Ask an agent for a forecast."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    items = [
        Item(id=f"{kind} from {place}", text=f"{kind} from {place}", concepts=(f"kind:{kind}",))
        for kind in KINDS
        for place in PLACES
    ]
    units = [units + rank for _, units in KINDS.values() for rank in range(len(PLACES))]
    model = ZeroShotRegressor(graph=graph).fit(items, units)

    script = [
        AIMessage(
            "", tool_calls=[ToolCall(name="zero_shot_related_concepts", args={"query": WANTED}, id="1")]
        ),
        AIMessage(
            "",
            tool_calls=[
                ToolCall(
                    name="zero_shot_predict", args={"text": WANTED, "concepts": ["kind:red wine"]}, id="2"
                )
            ],
        ),
        AIMessage("It will sell about as well as the other red wines."),
    ]
    agent = create_agent(ScriptedModel(messages=iter(script)), zero_shot_tools(model))  # any chat model
    answer = agent.invoke({"messages": [("user", f"How many {WANTED} will we sell?")]})
    for message in answer["messages"]:
        message.pretty_print()


if __name__ == "__main__":
    main()
