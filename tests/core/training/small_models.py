"""Tiny transformers of three families, made on the fly, over the words of a few product texts."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

FRUIT = ["apple", "pear", "plum", "cherry", "grape"]
TOOLS = ["hammer", "saw", "drill", "wrench", "file"]
PLACES = ["north", "south", "east", "west", "middle"]
TEXTS = [f"{thing} from the {place}" for thing in FRUIT + TOOLS for place in PLACES]
LABELS = ["fruit" if text.split()[0] in FRUIT else "tool" for text in TEXTS]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FRUIT, *TOOLS, *PLACES, "from", "the", "fruit", "tool"]
WIDTH, N_HEADS = 32, 2


def save_small_model(folder, family, *, n_layers=3):
    """Write a model of a family with its tokenizer; the same weights each time."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    template = "[CLS] $A [SEP]" if family == "bert" else "$A [SEP]"
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        eos_token="[SEP]",
    ).save_pretrained(folder)
    torch.manual_seed(0)
    _MODELS[family](n_layers).save_pretrained(folder)
    return folder


def _bert(n_layers):
    return BertModel(
        BertConfig(
            vocab_size=len(WORDS),
            hidden_size=WIDTH,
            num_hidden_layers=n_layers,
            num_attention_heads=N_HEADS,
            intermediate_size=64,
            max_position_embeddings=16,
        )
    )


def _gpt(n_layers):
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(WORDS),
            n_embd=WIDTH,
            n_layer=n_layers,
            n_head=N_HEADS,
            n_positions=16,
            bos_token_id=2,
            eos_token_id=3,
        )
    )


def _t5(n_layers):
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=len(WORDS),
            d_model=WIDTH,
            d_kv=WIDTH // N_HEADS,
            d_ff=64,
            num_layers=n_layers,
            num_heads=N_HEADS,
            pad_token_id=0,
            eos_token_id=3,
            decoder_start_token_id=0,
        )
    )


_MODELS = {"bert": _bert, "gpt": _gpt, "t5": _t5}
