"""Tiny models of texts and images with random weights, as folders that real ones are like."""

import itertools
from pathlib import Path

import torch
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor, CLIPTokenizer

LAYERS = {"hidden_size": 32, "intermediate_size": 37, "num_hidden_layers": 1, "num_attention_heads": 2}
PIXELS = {"image_size": 32, "patch_size": 8}
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789:/.?-"


def tokenizer() -> CLIPTokenizer:
    words = ["<start>", "<end>", *(c + end for c, end in itertools.product(LETTERS, ("", "</w>")))]
    special = {"unk_token": "<end>", "bos_token": "<start>", "eos_token": "<end>", "pad_token": "<end>"}
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], **special)


def text_config(length: int) -> dict[str, object]:
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return {"vocab_size": 2 + 2 * len(LETTERS), "max_position_embeddings": length, **LAYERS, **ends}


def save_clip(folder: Path, **image_settings: object) -> Path:
    torch.manual_seed(0)
    config = CLIPConfig(text_config=text_config(77), vision_config={**LAYERS, **PIXELS}, projection_dim=16)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessorPil(**size, **image_settings), tokenizer()).save_pretrained(folder)
    return folder
