"""Orders of goods in twelve kinds, and a tiny BERT made on the fly, for joint optimisation."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast
from zeroshot_core.encoders import load_encoder
from zeroshot_core.types import Item

KINDS = {
    "fruit": ("apple", "pear", "plum"),
    "berry": ("currant", "cranberry", "gooseberry"),
    "tool": ("hammer", "saw", "drill"),
    "blade": ("knife", "axe", "chisel"),
    "wine": ("merlot", "malbec", "syrah"),
    "beer": ("lager", "stout", "porter"),
    "shirt": ("blouse", "tunic", "polo"),
    "coat": ("parka", "anorak", "cape"),
    "cheese": ("brie", "feta", "gouda"),
    "bread": ("rye", "bagel", "toast"),
    "fish": ("cod", "trout", "tuna"),
    "crab": ("shrimp", "lobster", "prawn"),
}
PLACES = ("north", "south", "east", "west")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", *(thing for kind in KINDS.values() for thing in kind), *PLACES)


def stock():
    """144 items with their labels."""
    rows = [
        (f"{thing} from the {place}", kind)
        for kind, things in KINDS.items()
        for thing in things
        for place in PLACES
    ]
    return [Item(id=f"i{n}", text=text) for n, (text, _) in enumerate(rows)], [kind for _, kind in rows]


def tiny_bert(folder, *, seed=0):
    """Save an untrained BERT of one layer over the words of the stock, and open it."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
    )
    BertModel(config).save_pretrained(folder)
    return load_encoder(folder)
