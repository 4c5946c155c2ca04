"""Batches by token budget: texts in, padded features out, each text tokenised once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerBase

    from zeroshot_core.types import Ints

__all__ = [
    "Padding",
    "even_budget",
    "feature_batches",
    "input_modules",
    "length_sorted_batches",
    "modalities_of",
    "padding_of",
    "plain_tokenizer",
    "preprocessed",
    "token_batches",
]

# Models whose texts must be filled up to the length that they were trained at.
_FILLED = ("siglip", "siglip2")
# By this jina-clip's own code is told that a text that looks like a path or a URL is a text.
_TEXTS_ONLY = "assume_text_inputs"


@dataclass(frozen=True, kw_only=True)
class Padding:
    """What short texts of a batch are filled up with, and on which side."""

    token: int
    token_type: int
    on_left: bool


def length_sorted_batches(lengths: Sequence[int], budget: int) -> Iterator[Ints]:
    """Cut positions into batches of similar length, longest first.

    Parameters
    ----------
    lengths
        Tokens of each text, shape (n,); a text without any takes the room of one.
    budget
        Most tokens in a batch, padding included; a text longer than that is a batch by itself.

    Yields
    ------
    Ints
        Positions in one batch.
    """
    sizes = np.maximum(np.asarray(lengths, np.int64), 1)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, budget // int(sizes[order[start]]))
        yield order[start : start + count]
        start += count


def even_budget(lengths: Sequence[int], budget: int, n_at_once: int) -> int:
    """Lower a budget until its batches, of which so many are run at once, end together.

    Returns
    -------
    int
        The lowest with as many batches as at `budget`, or up to the next multiple of `n_at_once`.
    """
    rounds = -(-_n_batches(lengths, budget) // n_at_once)
    longest = max([1, *lengths])
    most = min(budget, longest * len(lengths))
    least = min(longest, most)
    while least < most:
        middle = (least + most) // 2
        if _n_batches(lengths, middle) <= rounds * n_at_once:
            most = middle
        else:
            least = middle + 1
    return most


def _n_batches(lengths: Sequence[int], budget: int) -> int:
    return sum(1 for _ in length_sorted_batches(lengths, budget))


def input_modules(model: SentenceTransformer) -> list[Any]:
    """Modules that read what is given: the first one, or the first of each route of a router."""
    from sentence_transformers.base.modules import Router

    first = model[0]
    routes: list[Any] = list(first.sub_modules.values()) if isinstance(first, Router) else [[first]]
    return list({id(route[0]): route[0] for route in routes}.values())


def modalities_of(module: Any) -> list[Any]:
    """Modalities that a module reads, or a model by its first one.

    The code of its own that jina-clip brings along tells none; it reads texts and images in one list.
    """
    return ["text", "image"] if _reads_mixed_lists(module) else getattr(module, "modalities", ["text"])


def _reads_mixed_lists(module: Any) -> bool:
    return hasattr(module, _TEXTS_ONLY)


def preprocessed(
    model: SentenceTransformer, inputs: Sequence[Mapping[str, Any]], *, prompt: str, role: str
) -> dict[str, Any]:
    """Features that the model's own preprocessing makes of inputs of one modality.

    Parameters
    ----------
    inputs
        By modality, such as ``{"text": ...}``: to a model that takes images, a bare text that looks like the
        path or URL of one is one, and is opened.
    """
    from sentence_transformers.base.modules import Router

    readers = input_modules(model)
    if _reads_mixed_lists(model[0]):
        return _read_as_mixed_list(model[0], inputs, prompt)
    options: dict[str, Any] = {}
    if isinstance(model[0], Router):
        tasks = {*model[0].sub_modules, *(task for task, _ in model[0].route_mappings)}
        options["task"] = role if role in tasks else None
        options["modality"] = tuple(sorted(inputs[0])) if len(inputs[0]) > 1 else next(iter(inputs[0]))
    if any(getattr(getattr(each, "config", None), "model_type", "") in _FILLED for each in readers):
        options["processing_kwargs"] = {"text": {"padding": "max_length"}}
    given: list[Any] = list(inputs)
    kinds = [modalities_of(each) for each in readers]
    if set(inputs[0]) == {"text"} and all(kind == ["text"] for kind in kinds if "text" in kind):
        # What reads texts only opens none, and need not know of dicts.
        given = [each["text"] for each in inputs]
    features: dict[str, Any] = model.preprocess(given, prompt=prompt or None, **options)
    return features


def _read_as_mixed_list(module: Any, inputs: Sequence[Mapping[str, Any]], prompt: str) -> dict[str, Any]:
    given = [prompt + each["text"] if "text" in each else each["image"] for each in inputs]
    was_on = getattr(module, _TEXTS_ONLY)
    setattr(module, _TEXTS_ONLY, "text" in inputs[0])
    try:
        features: dict[str, Any] = module.tokenize(given)
        return features
    finally:
        setattr(module, _TEXTS_ONLY, was_on)


def plain_tokenizer(model: SentenceTransformer) -> PreTrainedTokenizerBase | None:
    """Tokenizer of a model that takes its padded output as it is.

    None for a model whose own preprocessing does more: chat templates, images, prompts left out of the
    pooling, sequences packed for flash attention, or features that are not tokens.
    """
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import PreTrainedTokenizerBase

    first = model[0]
    if not isinstance(first, Transformer) or not isinstance(first.processor, PreTrainedTokenizerBase):
        return None
    pools_prompt = all(module.include_prompt for module in model if isinstance(module, Pooling))
    if first.modalities != ["text"] or not pools_prompt or first.can_flatten_inputs:
        return None
    return first.processor


def feature_batches(
    model: SentenceTransformer,
    texts: Sequence[str],
    *,
    prompt: str,
    budget: int,
    role: str = "document",
    n_at_once: int = 1,
) -> Iterator[tuple[Ints, dict[str, Any]]]:
    """Turn texts into the padded features of `model`, in batches of at most `budget` tokens.

    Where the model needs its own preprocessing, characters stand for tokens; they are seldom fewer.

    Parameters
    ----------
    n_at_once
        Batches that are run side by side; see `even_budget`.

    Yields
    ------
    Ints, dict
        Positions of the batch in `texts`, and its features.
    """
    tokenizer = plain_tokenizer(model)
    if tokenizer is None:
        sizes = [len(prompt + text) for text in texts]
        for batch in length_sorted_batches(sizes, even_budget(sizes, budget, n_at_once)):
            inputs = [{"text": texts[i]} for i in batch]
            yield batch, preprocessed(model, inputs, prompt=prompt, role=role)
        return
    tokens = tokenizer([prompt + text for text in texts], truncation=True, return_attention_mask=True).data
    yield from token_batches(tokens, padding_of(tokenizer), budget=budget, n_at_once=n_at_once)


def token_batches(
    tokens: Mapping[str, Sequence[Sequence[int]]], padding: Padding, *, budget: int, n_at_once: int = 1
) -> Iterator[tuple[Ints, dict[str, Any]]]:
    """Cut tokenised texts into batches as `feature_batches` does, by name of what a model reads of each."""
    lengths = [len(ids) for ids in tokens["input_ids"]]
    for batch in length_sorted_batches(lengths, even_budget(lengths, budget, n_at_once)):
        yield batch, _padded({key: [values[i] for i in batch] for key, values in tokens.items()}, padding)


def padding_of(tokenizer: PreTrainedTokenizerBase) -> Padding:
    """Give how a tokenizer fills up."""
    return Padding(
        token=int(tokenizer.pad_token_id),
        token_type=int(tokenizer.pad_token_type_id),
        on_left=tokenizer.padding_side == "left",
    )


def _padded(rows: Mapping[str, list[Sequence[int]]], padding: Padding) -> dict[str, Ints]:
    """Fill the rows up to one length; in arrays this takes a tenth of the time of the tokenizer's own way."""
    lengths = np.array([len(row) for row in rows["input_ids"]])
    places = np.arange(lengths.max())
    is_token = places >= (lengths.max() - lengths)[:, None] if padding.on_left else places < lengths[:, None]
    fillers = {"input_ids": padding.token, "token_type_ids": padding.token_type}
    padded = {}
    for key, values in rows.items():
        padded[key] = np.full(is_token.shape, fillers.get(key, 0), np.int64)
        padded[key][is_token] = np.concatenate(values)
    return padded
