"""A shop of 60 toy products, to learn from in a second."""

from __future__ import annotations

from zeroshot_core import Item

KINDS = {
    "red wine": ("drinks", 9.0, "dry red wine from {place}, {size} bottle"),
    "lemonade": ("drinks", 30.0, "sparkling lemonade with {place} lemons, {size}"),
    "pasta": ("pantry", 50.0, "durum wheat pasta from {place}, {size} pack"),
    "tomato sauce": ("pantry", 40.0, "tomato sauce with basil from {place}, {size} jar"),
    "cat food": ("pets", 15.0, "chicken pate for cats, made in {place}, {size} tin"),
    "dog treats": ("pets", 12.0, "crunchy biscuits for dogs, made in {place}, {size} bag"),
}
PLACES = ("Sicily", "Tuscany", "Apulia", "Umbria", "Veneto")
SIZES = ("small", "large")


def toy_products() -> tuple[list[Item], list[float]]:
    """60 products of six kinds in three aisles; large packs sell half as well."""
    items, units = [], []
    for kind, (aisle, base, text) in KINDS.items():
        for p, place in enumerate(PLACES):
            for size in SIZES:
                items.append(
                    Item(
                        id=f"{kind}/{place}/{size}",
                        text=text.format(place=place, size=size),
                        concepts=(f"kind:{kind}",),
                        metadata={"aisle": aisle, "size": size, "rank": p},
                    )
                )
                units.append(base * (0.5 if size == "large" else 1.0) + p)
    return items, units
