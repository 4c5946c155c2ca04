"""Batches by token budget: texts in, padded features out, each text tokenised once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import PreTrainedTokenizerBase

    from zeroshot_core.types import Ints

__all__ = ["feature_batches", "length_sorted_batches", "plain_tokenizer"]


def length_sorted_batches(lengths: Sequence[int], budget: int) -> Iterator[Ints]:
    """Cut positions into batches of similar length, longest first.

    Parameters
    ----------
    lengths
        Tokens of each text, shape (n,), each at least 1.
    budget
        Most tokens in a batch, padding included; a text longer than that is a batch by itself.

    Yields
    ------
    Ints
        Positions in one batch.
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes, kind="stable")
    start = 0
    while start < len(order):
        count = max(1, budget // int(sizes[order[start]]))
        yield order[start : start + count]
        start += count


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
    model: SentenceTransformer, texts: Sequence[str], *, prompt: str, budget: int
) -> Iterator[tuple[Ints, dict[str, Any]]]:
    """Turn texts into the padded features of `model`, in batches of at most `budget` tokens.

    Where the model needs its own preprocessing, characters stand for tokens; they are seldom fewer.

    Yields
    ------
    Ints, dict
        Positions of the batch in `texts`, and its features.
    """
    tokenizer = plain_tokenizer(model)
    if tokenizer is None:
        for batch in length_sorted_batches([len(prompt + text) for text in texts], budget):
            yield batch, model.preprocess([texts[i] for i in batch], prompt=prompt or None)
        return
    tokens = tokenizer([prompt + text for text in texts], truncation=True, return_attention_mask=True).data
    for batch in length_sorted_batches([len(ids) for ids in tokens["input_ids"]], budget):
        rows = {key: [values[i] for i in batch] for key, values in tokens.items()}
        yield batch, dict(tokenizer.pad(rows, return_tensors="pt"))
