"""A small shop with a history: 120 products of 12 kinds in 3 aisles, whose sales follow their kind."""

from __future__ import annotations

import numpy as np
from zeroshot_core import Item, KnowledgeGraph

AISLES = {
    "drinks": {"red wine": 20, "white wine": 24, "apple juice": 90, "orange juice": 110},
    "pantry": {"egg pasta": 60, "rice pasta": 50, "tomato sauce": 45, "cream sauce": 40},
    "pets": {"cat food": 30, "cat treats": 8, "dog food": 26, "dog treats": 6},
}
KINDS = {kind: (aisle, level) for aisle, kinds in AISLES.items() for kind, level in kinds.items()}
UNSEEN_KINDS = ("rose wine", "pear juice")
PLACES = ("Sicily", "Tuscany", "Apulia", "Umbria", "Veneto")
SIZES = ("small", "large")


def shop_graph() -> KnowledgeGraph:
    """Kinds of product, each in its aisle; of two kinds nothing has been sold yet."""
    rows = [{"kind": kind, "aisle": aisle} for kind, (aisle, _) in KINDS.items()]
    rows += [{"kind": kind, "aisle": "drinks"} for kind in UNSEEN_KINDS]
    return KnowledgeGraph.from_table(rows, ["kind", "aisle"], edges=[("kind", "aisle")])


def product(kind: str, place: str, size: str, *, linked: bool = True) -> Item:
    return Item(
        id=f"{kind}/{place}/{size}",
        text=f"{size} pack of {kind} from {place}",
        concepts=(f"kind:{kind}",) if linked else (),
        metadata={"rank": PLACES.index(place), "size": size},
    )


def shop_products(*, linked: bool = True) -> list[Item]:
    return [product(kind, place, size, linked=linked) for kind in KINDS for place in PLACES for size in SIZES]


def shop_sales(seed: int = 0) -> np.ndarray:
    """Units sold of each product: small packs twice as often as large ones, with noise."""
    rng = np.random.default_rng(seed)
    sizes = np.tile([1.0, 0.5], len(KINDS) * len(PLACES))
    levels = np.repeat([level for _, level in KINDS.values()], len(PLACES) * len(SIZES))
    return rng.poisson(levels * sizes).astype(float)
