"""Tiny models of texts and images with random weights, as folders that real ones are like."""

import itertools
import json
import shutil
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    Qwen2Tokenizer,
    Qwen2VLImageProcessorPil,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

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


def save_own_code(folder: Path, **image_settings: object) -> Path:
    """Save a CLIP that brings along code of its own, in the way of jina-clip-v2."""
    save_clip(folder, **image_settings)
    for path in (Path(__file__).parent / "fixtures" / "own_code").glob("*.py"):
        shutil.copy(path, folder)
    classes = {"AutoConfig": "configuration_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    config = json.loads((folder / "config.json").read_text())
    write(folder / "config.json", {**config, "model_type": "own_clip", "auto_map": classes})
    modules = [{"idx": 0, "name": "transformer", "path": "", "type": "custom_st.Transformer"}]
    write(folder / "modules.json", modules)
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "find: "}})
    return folder


# As Qwen3-VL's, but for tools, videos and turns of an assistant.
CHAT = """
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- for content in message.content %}
        {{- '<|vision_start|><|image_pad|><|vision_end|>' if content.type == 'image' else content.text }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""
OF_CHATS = (
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def save_qwen3_vl(folder: Path) -> Path:
    """Save a Qwen3-VL for embeddings, in the layout of Qwen3-VL-Embedding for sentence-transformers."""
    torch.manual_seed(0)
    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    words = Qwen2Tokenizer(vocab=letters, merges=[], extra_special_tokens=list(OF_CHATS))
    places = dict(zip(OF_CHATS, words.convert_tokens_to_ids(list(OF_CHATS)), strict=True))
    positions = {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16}
    text = {**LAYERS, **heads, "vocab_size": len(words), "max_position_embeddings": 512}
    vision = {"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "patch_size": 8}
    config = Qwen3VLConfig(
        text_config={**text, "rope_parameters": {**positions, "rope_theta": 10_000.0}},
        vision_config={
            **vision,
            "out_hidden_size": 32,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        image_token_id=places["<|image_pad|>"],
        video_token_id=places["<|video_pad|>"],
        vision_start_token_id=places["<|vision_start|>"],
        vision_end_token_id=places["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    Qwen3VLForConditionalGeneration(config).save_pretrained(folder)
    words.save_pretrained(folder)
    size = {"shortest_edge": 256, "longest_edge": 1024}
    images = Qwen2VLImageProcessorPil(patch_size=8, size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    images.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(CHAT)
    write(folder / "processor_config.json", {"processor_class": "Qwen3VLProcessor"})
    write(folder / "video_preprocessor_config.json", {"video_processor_type": "Qwen3VLVideoProcessor"})
    _save_modules_of_qwen(folder)
    return folder


def _save_modules_of_qwen(folder: Path) -> None:
    base, modules = "sentence_transformers.base.modules", "sentence_transformers.sentence_transformer.modules"
    kinds = {"": f"{base}.transformer.Transformer", "1_Pooling": f"{modules}.pooling.Pooling"}
    rows = [{"idx": i, "name": str(i), "path": path, "type": kinds[path]} for i, path in enumerate(kinds)]
    write(folder / "modules.json", rows)
    (folder / "1_Pooling").mkdir()
    write(folder / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": "lasttoken"})
    how = {"method": "forward", "method_output_name": "last_hidden_state"}
    read = {kind: how for kind in ("text", "image", "video")} | {"message": {**how, "format": "structured"}}
    settings = {
        "transformer_task": "feature-extraction",
        "modality_config": read,
        "module_output_name": "token_embeddings",
        "processing_kwargs": {"chat_template": {"add_generation_prompt": True}},
        "unpad_inputs": False,
    }
    write(folder / "sentence_bert_config.json", settings)
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "Find what is asked for."}})


def write(path: Path, config: object) -> None:
    path.write_text(json.dumps(config))
