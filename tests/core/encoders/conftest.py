"""Small transformers of each family, made on the fly, with tokenizers trained on the fly."""

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

CORPUS = [
    "whole milk in a glass bottle",
    "a red bicycle for children",
    "the novel about the sea and a ship",
    "tomato soup with basil",
    "tinned soup",
]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def trained_tokenizer(model, trainer, *, ending=None, **special):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(CORPUS, trainer)
    if ending:
        pairs = [(token, tokenizer.token_to_id(token)) for token in ending.split() if token != "$A"]
        tokenizer.post_processor = processors.TemplateProcessing(single=ending, special_tokens=pairs)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def save(folder, model, tokenizer):
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    torch.manual_seed(0)
    trainer = trainers.WordPieceTrainer(
        vocab_size=120, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer = trained_tokenizer(
        models.WordPiece(unk_token="[UNK]"),
        trainer,
        ending="[CLS] $A [SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    config = BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, initializer_range=0.3, **SMALL)
    return save(tmp_path_factory.mktemp("bert"), BertModel(config), tokenizer)


@pytest.fixture(scope="session")
def t5(tmp_path_factory):
    torch.manual_seed(0)
    trainer = trainers.BpeTrainer(
        vocab_size=120, special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False
    )
    tokenizer = trained_tokenizer(
        models.BPE(unk_token="<unk>"),
        trainer,
        ending="$A </s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=16,
        d_ff=64,
        num_layers=2,
        num_heads=2,
        decoder_start_token_id=0,
    )
    return save(tmp_path_factory.mktemp("t5"), T5ForConditionalGeneration(config), tokenizer)


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    torch.manual_seed(0)
    trainer = trainers.BpeTrainer(vocab_size=120, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer = trained_tokenizer(
        models.BPE(),
        trainer,
        eos_token="<|endoftext|>",
        padding_side="left",
    )
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=32, n_layer=2, n_head=2, n_positions=64)
    return save(tmp_path_factory.mktemp("gpt2"), GPT2LMHeadModel(config), tokenizer)
