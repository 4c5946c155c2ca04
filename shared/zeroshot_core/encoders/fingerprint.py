"""The identity of an encoder: what its vectors depend on, whatever its name or folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.files import digest

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.encoders.onnx import Runtime

__all__ = ["PROBES", "fingerprint_of", "model_fingerprint", "runtime_fingerprint"]

PROBES = (
    "The QUICK brown-fox: 3.14% of $12, isn't it?",
    "Crème brûlée, naïve Straße; ŁÓDŹ",
    "日本語のテキスト と 한국어 и русский 🙂",
    "  two  spaces\tand\na newline  ",
)


def fingerprint_of(parts: Mapping[str, Any]) -> str:
    """16 hex digits over JSON-able parts, whatever their order."""
    return digest(json.dumps(parts, sort_keys=True, ensure_ascii=False))


def model_fingerprint(
    model: SentenceTransformer, *, prompts: Mapping[str, str], max_length: int | None, dimension: int
) -> str:
    """16 hex digits over weights, tokenizer, pooling and other modules, prompts, length and dimension.

    Normalisation is always on and so not part of it; device, name, path and library versions neither. The
    tokenizer counts by its vocabulary and by what it makes of a few telling texts, since its files differ
    between library versions that tokenise alike.
    """
    return fingerprint_of(
        {
            "kind": "transformer",
            "weights": _weights_digest(model),
            "vocabulary": _vocabulary_digest(model),
            "tokens": [_token_ids(model, text) for text in PROBES],
            "modules": _module_configs(model),
            "prompts": dict(prompts),
            "max_length": max_length,
            "dimension": dimension,
        }
    )


def runtime_fingerprint(fingerprint: str, runtime: Runtime) -> str:
    """Fingerprint of the vectors that a runtime makes of a model: torch's own, but where bits are lost."""
    if runtime != "onnx-int8":
        return fingerprint
    return fingerprint_of({"model": fingerprint, "runtime": runtime, "exact": "narrowing products"})


def _weights_digest(model: SentenceTransformer) -> str:
    """Hash of the tensors in the order of the modules, without their names: those change between versions."""
    import torch

    hasher = hashlib.sha256()
    for tensor in _tensors(model):
        hasher.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        hasher.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def _tensors(model: SentenceTransformer) -> Iterator[torch.Tensor]:
    for module in model:
        reads_tokens = getattr(module, "module_output_name", None) == "token_embeddings"
        for name, tensor in module.state_dict().items():
            # A checkpoint without the pooler head gets a random one at each load; token vectors don't use it.
            if not (reads_tokens and "pooler" in name.split(".")):
                yield tensor


def _vocabulary_digest(model: SentenceTransformer) -> str:
    vocabulary: dict[str, int] = getattr(model.tokenizer, "get_vocab", dict)()
    return fingerprint_of({str(position): token for token, position in vocabulary.items()})


def _token_ids(model: SentenceTransformer, text: str) -> list[int]:
    features: Mapping[str, Any] = model.preprocess([text])
    return [int(i) for i in np.ravel(features.get("input_ids", ()))]


def _module_configs(model: SentenceTransformer) -> list[tuple[str, dict[str, Any]]]:
    """Class and settings of each module after the first, but for the normalisation."""
    rest: list[Any] = [module for module in list(model)[1:] if type(module).__name__ != "Normalize"]
    return [
        (type(module).__name__, {key: str(value) for key, value in module.get_config_dict().items()})
        for module in rest
    ]
