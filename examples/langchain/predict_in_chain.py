"""Put a forecast with its reasons into a prompt, as one step of a chain."""

from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor

from langchain_zeroshot import ZeroShotPredictor

KINDS = {"red wine": ("drinks", 9), "lemonade": ("drinks", 30), "pasta": ("pantry", 50)}
PLACES = ("Sicily", "Apulia", "Umbria", "Veneto", "Tuscany")


def main() -> None:
    """Forecast what a product will sell that is not there yet, and have it told to a buyer."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    items = [
        Item(id=f"{kind} from {place}", text=f"{kind} from {place}", concepts=(f"kind:{kind}",))
        for kind in KINDS
        for place in PLACES
    ]
    units = [units + rank for _, units in KINDS.values() for rank in range(len(PLACES))]
    predictor = ZeroShotPredictor(model=ZeroShotRegressor(graph=graph).fit(items, units), coverage=0.8)

    prompt = ChatPromptTemplate.from_template(
        "Tell a buyer in one sentence how many {product} a shop will sell a week.\nForecast: {forecast}"
    )
    chat = FakeListChatModel(responses=["Order as for the other red wines."])  # any chat model
    inputs = {"product": RunnablePassthrough(), "forecast": predictor | str}
    chain = inputs | prompt | chat | StrOutputParser()

    print((inputs | prompt).invoke("red wine from Liguria").to_string())
    print(chain.invoke("red wine from Liguria"))


if __name__ == "__main__":
    main()
