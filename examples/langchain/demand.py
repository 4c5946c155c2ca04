"""Forecast the demand of products never sold, with intervals that hold them as often as they say."""

from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor

from langchain_zeroshot import ZeroShotPredictor

KINDS = {
    "red wine": ("drinks", 9),
    "lemonade": ("drinks", 30),
    "pasta": ("pantry", 50),
    "tomato sauce": ("pantry", 40),
}
PLACES = ("Sicily", "Apulia", "Umbria", "Veneto", "Tuscany")


def main() -> None:
    """Forecast three new products by one call of the model."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    known = [
        Item(id=f"{kind} from {place}", text=f"{kind} from {place}", concepts=(f"kind:{kind}",))
        for kind in KINDS
        for place in PLACES
    ]
    units = [units + rank for _, units in KINDS.values() for rank in range(len(PLACES))]
    model = ZeroShotRegressor(graph=graph).fit(known, units)

    new = [
        {"text": "red wine from Liguria", "concepts": ["kind:red wine"]},
        {"text": "orangeade from Liguria", "concepts": ["aisle:drinks"]},
        {"text": "pesto from Liguria"},
    ]
    predictor = ZeroShotPredictor(model=model, coverage=0.8)
    for product, output in zip(new, predictor.batch(new), strict=True):
        low, high = output.interval
        print(f"{product['text']}: {output.value:.1f} a week, 80% between {low:.1f} and {high:.1f}")
        print(f"  nearest known: {output.documents[0].page_content}")


if __name__ == "__main__":
    main()
