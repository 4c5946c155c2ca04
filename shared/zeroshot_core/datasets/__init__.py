"""Loaders of the public data that the benchmarks and examples use."""

from zeroshot_core.datasets.catalogue import Catalogue
from zeroshot_core.datasets.complete_journey import ProductLines, load_product_lines
from zeroshot_core.datasets.emoji_names import EmojiNames, load_emoji_names
from zeroshot_core.datasets.emoji_pictures import EmojiPictures, load_emoji_pictures
from zeroshot_core.datasets.furniture import load_furniture
from zeroshot_core.datasets.labelled_texts import LABELLED_TEXTS, LabelledTexts, load_labelled_texts
from zeroshot_core.datasets.rare_diseases import DATABASES, RareDiseases, load_rare_diseases

__all__ = [
    "DATABASES",
    "LABELLED_TEXTS",
    "Catalogue",
    "EmojiNames",
    "EmojiPictures",
    "LabelledTexts",
    "ProductLines",
    "RareDiseases",
    "load_emoji_names",
    "load_emoji_pictures",
    "load_furniture",
    "load_labelled_texts",
    "load_product_lines",
    "load_rare_diseases",
]
