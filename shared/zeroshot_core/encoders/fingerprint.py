"""The identity of an encoder: what its vectors depend on, whatever its name or folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core.encoders.batching import input_modules, modalities_of, preprocessed
from zeroshot_core.files import digest

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

    from zeroshot_core.encoders.onnx import WeightBits

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
    readers = input_modules(model)
    parts: dict[str, Any] = {
        "kind": "transformer",
        "weights": _weights_digest(model),
        "vocabulary": _vocabulary_digest(readers[0]),
        "tokens": [_token_ids(model, text, "document") for text in PROBES],
        "modules": _module_configs(list(model)[1:]),
        "prompts": dict(prompts),
        "max_length": max_length,
        "dimension": dimension,
    }
    if readers[0] is not model[0]:
        parts["routes"] = _routes(model)
    if settings := [found for found in map(_image_settings, readers) if found]:
        parts["images"] = settings
    return fingerprint_of(parts)


def _routes(model: SentenceTransformer) -> dict[str, Any]:
    """Describe what a router chooses between, by what, and how each part reads."""
    router: Any = model[0]
    return {
        "settings": str(sorted(router.get_config_dict().items(), key=str)),
        "routes": [[name, _module_configs(route[1:])] for name, route in router.sub_modules.items()],
        "vocabularies": [_vocabulary_digest(module) for module in input_modules(model)],
        "tokens": [_token_ids(model, text, "query") for text in PROBES],
    }


def _image_settings(module: Any) -> dict[str, str]:
    """How images are made ready: size, crop, mean and deviation, whichever library does it."""
    processor: Any = getattr(module, "processor", module)
    processor = getattr(processor, "image_processor", processor)
    if "image" not in modalities_of(module) or not hasattr(processor, "to_dict"):
        return {}
    told = processor.to_dict()
    return {key: str(told[key]) for key in sorted(told) if not key.endswith(("_type", "_class", "_version"))}


def runtime_fingerprint(fingerprint: str, weight_bits: WeightBits | None) -> str:
    """Fingerprint of the vectors that a runtime makes of a model: torch's own, but where bits are lost."""
    if weight_bits is None:
        return fingerprint
    how = {"exact": "narrowing products"} if weight_bits == 7 else {"smooth": "all but narrowing products"}
    return fingerprint_of({"model": fingerprint, "runtime": "onnx-int8", **how})


def _weights_digest(model: SentenceTransformer) -> str:
    """Hash of the tensors in the order of the modules, without their names: those change between versions."""
    import torch

    hasher = hashlib.sha256()
    for tensor in _tensors(model):
        hasher.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        hasher.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return hasher.hexdigest()


def _tensors(model: SentenceTransformer) -> Iterator[torch.Tensor]:
    for module in _flat(model):
        reads_tokens = getattr(module, "module_output_name", None) == "token_embeddings"
        for name, tensor in module.state_dict().items():
            # A checkpoint without the pooler head gets a random one at each load; token vectors don't use it.
            if not (reads_tokens and "pooler" in name.split(".")):
                yield tensor


def _flat(modules: Iterable[Any]) -> Iterator[Any]:
    """Give the modules, of a router those of its routes."""
    for module in modules:
        routes = getattr(module, "sub_modules", None)
        yield from (part for route in routes.values() for part in route) if routes else (module,)


def _vocabulary_digest(module: Any) -> str:
    vocabulary: dict[str, int] = getattr(getattr(module, "tokenizer", None), "get_vocab", dict)()
    return fingerprint_of({str(position): token for token, position in vocabulary.items()})


def _token_ids(model: SentenceTransformer, text: str, role: str) -> list[int]:
    if "text" not in modalities_of(model[0]):
        return []
    features = preprocessed(model, [{"text": text}], prompt="", role=role)
    return [int(i) for i in np.ravel(features.get("input_ids", ()))]


def _module_configs(modules: Iterable[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Class and settings of each module after those that read, but for the normalisation."""
    rest: list[Any] = [module for module in modules if type(module).__name__ != "Normalize"]
    return [
        (type(module).__name__, {key: str(value) for key, value in module.get_config_dict().items()})
        for module in rest
    ]
