"""Pooling, padding, length and prompts of a freshly opened model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zeroshot_core import checks
from zeroshot_core.encoders.batching import input_modules, modalities_of
from zeroshot_core.errors import InvalidInputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = [
    "check_settings",
    "is_causal",
    "pad_at_the_end",
    "set_max_length",
    "set_padding",
    "set_pooling",
    "set_prompts",
    "suited_pooling",
    "take_own_features",
]

_POOLINGS = ("mean", "cls", "lasttoken", "max", "weightedmean", "mean_sqrt_len_tokens")
# The names under which models keep the prompt of each role, the usual one first.
_PROMPT_NAMES = {"query": ("query",), "document": ("document", "passage", "corpus")}
_LENGTH_IF_UNLIMITED = 512


def check_settings(pooling: str | None, max_length: int | None, prompts: Mapping[str, str] | None) -> None:
    """Refuse wrong settings before a model is opened.

    Raises
    ------
    InvalidInputError
        If the pooling is unknown, the length not a positive number, or the prompts not texts by role.
    """
    if pooling is not None:
        checks.choice("pooling", pooling, _POOLINGS)
    if max_length is not None:
        checks.whole("max_length", max_length, least=1)
    entries = {} if prompts is None else prompts
    if (
        not isinstance(entries, Mapping)
        or set(entries) - set(_PROMPT_NAMES)
        or not all(isinstance(text, str) for text in entries.values())
    ):
        raise InvalidInputError(
            f'expected prompts as texts under "query" and "document", got {checks.shown(prompts)}'
        )


def set_padding(model: SentenceTransformer) -> None:
    """Give a tokenizer without a padding token one; masked out, it may be any token."""
    for tokenizer in _tokenizers(model):
        if hasattr(tokenizer, "pad_token") and tokenizer.pad_token is None:
            known = [tokenizer.eos_token, tokenizer.bos_token, tokenizer.unk_token]
            first = tokenizer.convert_ids_to_tokens(0)
            tokenizer.pad_token = next((token for token in known if token is not None), first)


def _tokenizers(model: SentenceTransformer) -> list[Any]:
    return [module.tokenizer for module in input_modules(model) if getattr(module, "tokenizer", None)]


def suited_pooling(model: SentenceTransformer) -> str | None:
    """Pooling for a plain transformers model, by what it is; None for one without a single pooling."""
    if _pooling(model) is None or model.tokenizer is None:
        return None
    return "lasttoken" if is_causal(model) else "mean"


def take_own_features(model: SentenceTransformer) -> None:
    """Have a model of timm give what its own head makes of an image, but for the classes.

    By default token vectors are averaged, those of classification tokens and of what no head has seen too.
    """
    reader: Any = model[0]
    network = reader.model.timm_model
    reader.config.num_features = getattr(network, "head_hidden_size", network.num_features)
    reader.modality_config = {"image": {"method": "forward", "method_output_name": "pooler_output"}}
    reader.module_output_name = "sentence_embedding"
    del model[1:]


def set_pooling(model: SentenceTransformer, pooling: str) -> None:
    """Set how token vectors become one.

    Raises
    ------
    InvalidInputError
        If the model has no single pooling of token vectors.
    """
    module = _pooling(model)
    if module is None:
        raise InvalidInputError(f"expected a model with one pooling to set to {pooling!r}, got {model}")
    module.pooling_mode = pooling


def _pooling(model: SentenceTransformer) -> Any:
    from sentence_transformers.sentence_transformer.modules import Pooling

    pools = [module for module in model if isinstance(module, Pooling)]
    return pools[0] if len(pools) == 1 and isinstance(pools[0].pooling_mode, str) else None


def is_causal(model: SentenceTransformer) -> bool:
    """Whether the first token's vector is blind to the last token: asked of the model, not of its name."""
    import torch

    if _pooling(model) is None or model.tokenizer is None:
        return False
    # By the tokenizer itself, for a maximal length that is set already would cut the text.
    features = model.tokenizer(["a short text of several words"], return_tensors="pt")
    changed = dict(features) | {"input_ids": features["input_ids"].clone()}
    changed["input_ids"][:, -1] = (features["input_ids"][:, -1] - 1).abs()
    with torch.inference_mode():
        before, after = (
            model[0]({key: value.to(model.device) for key, value in each.items()})
            for each in (dict(features), changed)
        )
    return torch.equal(before["token_embeddings"][:, 0], after["token_embeddings"][:, 0])


def pad_at_the_end(model: SentenceTransformer) -> None:
    """Pad on the right: with learned positions, padding on the left would shift every token."""
    model.tokenizer.padding_side = "right"


def set_max_length(model: SentenceTransformer, max_length: int | None) -> None:
    """Bound the tokens of a text; a model without a bound gets one, for memory grows with the square.

    Raises
    ------
    InvalidInputError
        If the length is more than the model's positions, or leaves no room beside the special tokens.
    """
    readers = [each for each in input_modules(model) if _tells_length(each)]
    if not readers:
        if max_length is not None:
            raise InvalidInputError(
                f"expected no max_length for a model that reads whole texts, got {max_length}"
            )
        return
    for reader in readers:
        known = _positions(reader)
        positions = known or max(max_length or 0, _LENGTH_IF_UNLIMITED)
        if max_length is None:
            given = reader.max_seq_length or reader.tokenizer.model_max_length
            unlimited = given > 10**6
            # Of a model of images too, transformers doesn't tell the tokenizer how many positions it has.
            bound = known if known and "image" in modalities_of(reader) else _LENGTH_IF_UNLIMITED
            reader.max_seq_length = bound if unlimited else given
            continue
        least = reader.tokenizer.num_special_tokens_to_add() + 1
        if not least <= max_length <= positions:
            raise InvalidInputError(
                f"expected a max_length from {least} to {positions} for this model, got {max_length}"
            )
        reader.max_seq_length = max_length


def _tells_length(module: Any) -> bool:
    return hasattr(getattr(module, "tokenizer", None), "model_max_length")


def _positions(module: Any) -> int | None:
    """Tokens that a transformer has positions for; of one of texts and images, its part for texts."""
    config = module.config if hasattr(module, "config") else module.model.config
    own = getattr(config, "max_position_embeddings", None)
    return own or getattr(config.get_text_config(), "max_position_embeddings", None)


def set_prompts(model: SentenceTransformer, prompts: Mapping[str, str] | None) -> None:
    """Leave one prompt for each role: those given, or what the model keeps under the usual names."""
    if prompts is None:
        default = model.prompts.get(model.default_prompt_name or "") or ""
        found = {
            role: next((model.prompts[name] for name in names if model.prompts.get(name)), default)
            for role, names in _PROMPT_NAMES.items()
        }
    else:
        found = {role: prompts.get(role, "") for role in _PROMPT_NAMES}
    model.prompts = found
    model.default_prompt_name = None
