"""Forecast the demand of products never sold, with intervals that hold them as often as they say."""

from zeroshot_core import Item, KnowledgeGraph, ZeroShotRegressor

from llama_index_zeroshot import ZeroShotQueryEngine

KINDS = {
    "red wine": ("drinks", 9),
    "lemonade": ("drinks", 30),
    "pasta": ("pantry", 50),
    "tomato sauce": ("pantry", 40),
}
PLACES = ("Sicily", "Apulia", "Umbria", "Veneto", "Tuscany")
NEW = ["red wine from Liguria", "orange lemonade from Liguria", "pesto from Liguria"]


def main() -> None:
    """Forecast three new products."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    graph = KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])
    known = [
        Item(id=f"{kind} from {place}", text=f"{kind} from {place}", concepts=(f"kind:{kind}",))
        for kind in KINDS
        for place in PLACES
    ]
    units = [units + rank for _, units in KINDS.values() for rank in range(len(PLACES))]
    model = ZeroShotRegressor(graph=graph).fit(known, units)

    engine = ZeroShotQueryEngine(model, coverage=0.8)
    for product in NEW:
        response = engine.query(product)
        low, high = response.metadata["interval"]
        print(f"{product}: {response.metadata['value']:.1f} a week, 80% between {low:.1f} and {high:.1f}")
        print(f"  nearest known: {response.source_nodes[0].text}")


if __name__ == "__main__":
    main()
