"""What a model's folder may hold, so that opening it runs nothing but the code of installed packages.

A folder can run code of its maker in many ways: by weights that are pickles, by Python files that its
configs name, by classes of other packages, by arguments that turn the checks of torch off, by kernels and
other models that are fetched. So everything that is read is checked before anything is loaded, against lists
of what is known to be harmless. Files that nothing reads, such as the state of an optimiser, don't matter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError

__all__ = ["check_format", "check_model_folder", "timm_config"]

_PICKLED = frozenset((".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"))
# What the trainer of transformers leaves beside a model: no loader of models reads it.
_LEFT_BY_TRAINING = ("training_args", "optimizer", "scheduler", "scaler", "rng_state")
_MODULES = {
    "base.modules": {
        "Transformer": "transformer",
        "Dense": "dense",
        "Normalize": "normalize",
        "Router": "router",
    },
    "sentence_transformer.modules": {
        "CLIPModel": "clip_model",
        "Dropout": "dropout",
        "LayerNorm": "layer_norm",
        "Pooling": "pooling",
        "StaticEmbedding": "static_embedding",
        "WeightedLayerPooling": "weighted_layer_pooling",
    },
}
_TYPES = frozenset(
    name
    for place, modules in _MODULES.items()
    for cls, file in modules.items()
    for name in (
        f"sentence_transformers.{place}.{file}.{cls}",
        f"sentence_transformers.{place}.{cls}",
        f"sentence_transformers.models.{cls}",
        f"sentence_transformers.models.{cls}.{cls}",
    )
) | {"sentence_transformers.models.Asym", "sentence_transformers.models.Asym.Asym"}
# Of the first module, by its name in `sentence_bert_config.json`.
_SETTINGS = frozenset(
    (
        "document_length",
        "do_lower_case",
        "max_seq_length",
        "modality_config",
        "module_output_name",
        "processing_kwargs",
        "query_expansion",
        "query_length",
        "transformer_task",
        "unpad_inputs",
    )
)
_ARGUMENTS = frozenset(
    ("config_args", "config_kwargs", "model_args", "model_kwargs", "processor_kwargs", "tokenizer_args")
)
_HARMLESS_ARGUMENTS = frozenset(
    (
        "add_pooling_layer",
        "attn_implementation",
        "do_lower_case",
        "dtype",
        "is_causal",
        "max_length",
        "model_max_length",
        "padding_side",
        "torch_dtype",
        "truncation_side",
        "use_cache",
        "use_fast",
    )
)
_TIMM_ARGUMENTS = frozenset(
    (
        "class_token",
        "depth",
        "drop_path_rate",
        "drop_rate",
        "dynamic_img_pad",
        "dynamic_img_size",
        "embed_dim",
        "global_pool",
        "img_size",
        "in_chans",
        "init_values",
        "mlp_ratio",
        "num_classes",
        "num_heads",
        "patch_size",
        "qkv_bias",
        "reg_tokens",
    )
)
# Types of models for which transformers fetches code from the hub where there is a graphics card.
_WITH_KERNELS = ("mra", "rwkv", "yoso")
_TASKS = frozenset(
    ("any-to-any", "feature-extraction", "fill-mask", "sequence-classification", "text-generation")
)
# Levels within levels, more than any config has.
_DEEPEST = 50
_LARGEST_CONFIG = 20_000_000
_NUMBERS_OF_LAYERS = ("layers", "n_layer", "num_layer")
_MOST_LAYERS = 1000


def check_format(folder: Path) -> None:
    """Refuse a checkpoint of a library that neither sentence-transformers nor transformers reads.

    Raises
    ------
    ArtifactError
        If the folder is of OpenCLIP, or of the code that MobileCLIP was published with.
    """
    config = _config(folder, folder / "config.json")
    is_open_clip = (folder / "open_clip_config.json").is_file() and not config
    if is_open_clip or (isinstance(config, dict) and "image_cfg" in config):
        raise ArtifactError(
            f"expected a sentence-transformers or transformers model in {str(folder)!r}, got OpenCLIP's, "
            "which they do not read; call it by FunctionEncoder, as the page on images shows, or take of "
            "MobileCLIP the image tower alone, load_encoder('timm/fastvit_mci1.apple_mclip')"
        )


def timm_config(folder: Path) -> dict[str, Any]:
    """Config of a model of timm as timm or transformers wrote it; empty if the folder holds another model."""
    config = _config(folder, folder / "config.json")
    return config if isinstance(config, dict) and _is_timm(config) else {}


def _is_timm(config: Mapping[str, Any]) -> bool:
    return "pretrained_cfg" in config or config.get("model_type") == "timm_wrapper"


def check_model_folder(folder: Path) -> None:
    """Refuse a model's folder that could run code of its own, or read and fetch what is not in it.

    Raises
    ------
    ArtifactError
        If a file that would be read is a pickle or a link that leads elsewhere, if a config is no JSON or
        names code, classes, arguments or paths that are not known to be harmless, or if there are no weights.
    """
    root = folder.resolve()
    homes, has_weights = _homes(root), False
    for part in _parts(root):
        if not _lies_in(part, homes):
            raise _refusal(root, f"a part that lies elsewhere, {part.relative_to(root)}")
        if part.is_dir():
            _check_files(root, part, homes)
            has_weights = has_weights or any(part.glob("*.safetensors"))
    if not has_weights:
        raise ArtifactError(
            f"expected a sentence-transformers or transformers model in {str(root)!r}, got a folder without "
            "weights as safetensors; check the path, or save the model as safetensors; if it has others and "
            "you trust who made it, open it by load_encoder(..., trust=True)"
        )


def _homes(root: Path) -> tuple[Path, ...]:
    """Where links may lead: into the folder, and for a snapshot of the hub's cache to the files in it."""
    blobs = root.parents[1] / "blobs" if root.parent.name == "snapshots" else None
    return (root, blobs) if blobs is not None and blobs.is_dir() else (root,)


def _lies_in(path: Path, homes: tuple[Path, ...]) -> bool:
    return any(path.resolve().is_relative_to(home) for home in homes)


def _parts(root: Path) -> Iterator[Path]:
    """Give the folders from which modules are read, the model's own first."""
    yield root
    modules = _config(root, root / "modules.json")
    if not isinstance(modules, list) and modules != {}:
        raise _refusal(root, "a modules.json that is no list")
    for module in modules:
        if not isinstance(module, dict):
            raise _refusal(root, f"a modules.json that lists {checks.shown(module)}")
        yield from _modules(root, root, module.get("path"), module.get("type"))


def _modules(root: Path, above: Path, path: object, kind: object, depth: int = 0) -> Iterator[Path]:
    """Give the folder of a module, and of those between which it chooses if it is a router."""
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _refusal(root, f"a module of type {checks.shown(kind)}")
    if not isinstance(path, str) or not _is_inside(path):
        raise _refusal(root, f"a module in {checks.shown(path)}, which is not in it")
    if depth > _DEEPEST:
        raise _refusal(root, "routers within routers")
    part = above / path
    yield part
    if kind.endswith((".Router", ".Asym")):
        for name in ("router_config.json", "config.json"):
            config = _config(root, part / name)
            types = config.get("types") if isinstance(config, dict) else None
            for each, inner in types.items() if isinstance(types, dict) else ():
                yield from _modules(root, part, each, inner, depth + 1)


def _is_inside(path: str) -> bool:
    parts = (PurePosixPath(path), PureWindowsPath(path))
    return "\0" not in path and not any(each.anchor or ".." in each.parts for each in parts)


def _check_files(root: Path, part: Path, homes: tuple[Path, ...]) -> None:
    for path in sorted(part.iterdir()):
        name, shown = path.name.lower(), path.relative_to(root)
        if path.is_symlink() and not _lies_in(path, homes):
            raise _refusal(root, f"a link that leads elsewhere, {shown}")
        if path.is_dir():
            continue
        if not path.is_file():
            raise _refusal(root, f"{shown}, which is neither a file nor a folder")
        if path.suffix.lower() in _PICKLED and not name.startswith(_LEFT_BY_TRAINING):
            raise _refusal(
                root,
                f"{shown}, which may be a pickle",
                "delete it if its weights are there as safetensors too, else save the model as safetensors",
            )
        if name == "adapter_config.json":
            raise _refusal(root, "an adapter of another model", "merge it into that model and save the whole")
        if name.endswith(("config.json", ".index.json")):
            _check_config(root, path)


def _check_config(root: Path, path: Path) -> None:
    config, name = _config(root, path), path.relative_to(root)
    problem = _problem(config)
    if problem is None and isinstance(config, dict):
        if path.name.startswith("sentence_"):
            problem = _settings_problem(config)
        elif path.name.endswith(".index.json"):
            problem = _shards_problem(config)
        activation = config.get("activation_function")
        # Some models of transformers name theirs by one word.
        if problem is None and "." in str(activation) and not str(activation).startswith("torch.nn."):
            problem = f"the activation function {checks.shown(activation)}"
    if problem is not None:
        raise _refusal(root, f"a {name} that asks for {problem}")


def _problem(config: object, depth: int = 0) -> str | None:
    """Find what any config of transformers can do harm with, at any depth."""
    if depth > _DEEPEST:
        return "more levels than any model has"
    if isinstance(config, list):
        return next(filter(None, (_problem(each, depth + 1) for each in config)), None)
    if not isinstance(config, dict):
        return None
    if _is_timm(config) and (found := _timm_problem(config)):
        return found
    for key, value in config.items():
        is_harmful = _are_too_many if key.endswith(_NUMBERS_OF_LAYERS) else _HARMFUL.get(key)
        if is_harmful is not None and is_harmful(value):
            return f"{key} = {checks.shown(value)}"
        if inner := _problem(value, depth + 1):
            return inner
    return None


def _is_anything(value: object) -> bool:
    return value not in (None, False, {}, [])


def _is_of_the_hub(value: object) -> bool:
    """Whether an implementation of attention is a kernel to be fetched."""
    return "/" in str(value)


def _are_too_many(value: object) -> bool:
    """Whether layers are so many that to make them would take minutes; the deepest models have some 200."""
    return isinstance(value, int | float) and value > _MOST_LAYERS


# By the key of a config: its own code, other models, and what transformers or timm would fetch or unpickle.
_HARMFUL: Mapping[str, Callable[[object], bool]] = {
    "audio_tokenizer": _is_anything,
    "audio_tokenizer_name_or_path": _is_anything,
    "auto_map": _is_anything,
    "custom_pipelines": _is_anything,
    "trust_remote_code": _is_anything,
    "use_kernels": _is_anything,
    "quantization_config": _is_anything,
    "use_timm_backbone": _is_anything,
    "use_pretrained_backbone": _is_anything,
    "model_type": lambda value: value != "timm_wrapper" and str(value).startswith(("timm", *_WITH_KERNELS)),
    "attn_implementation": _is_of_the_hub,
    "_attn_implementation": _is_of_the_hub,
    "_attn_implementation_internal": _is_of_the_hub,
    "experts_implementation": _is_of_the_hub,
    "_experts_implementation": _is_of_the_hub,
}


def _settings_problem(config: Mapping[str, Any]) -> str | None:
    for key, value in config.items():
        if key in _ARGUMENTS:
            given = value if isinstance(value, dict) else {str(value): None}
            if wrong := next((name for name in given if name not in _HARMLESS_ARGUMENTS), None):
                return f"{key} with {wrong} = {checks.shown(given[wrong])}"
        elif key not in _SETTINGS:
            return f"{key} = {checks.shown(value)}"
    task = config.get("transformer_task", "feature-extraction")
    if task not in _TASKS:
        return f"transformer_task = {checks.shown(task)}"
    modalities = config.get("modality_config", {})
    for each in modalities.values() if isinstance(modalities, dict) else ():
        method = each.get("method") if isinstance(each, dict) else None
        if method != "forward" and not (str(method).startswith("get_") and str(method).endswith("_features")):
            return f"the method {checks.shown(method)}"
    return None


def _timm_problem(config: Mapping[str, Any]) -> str | None:
    """Find what would have timm fetch or read another model: a name of one, or an argument."""
    architecture, given = config.get("architecture"), config.get("model_args") or {}
    if not re.fullmatch(r"[\w.]+", str(architecture)):
        return f"architecture = {checks.shown(architecture)}"
    if not isinstance(given, dict):
        return f"model_args = {checks.shown(given)}"
    return next(
        (f"{key} = {checks.shown(value)}" for key, value in given.items() if key not in _TIMM_ARGUMENTS), None
    )


def _shards_problem(config: Mapping[str, Any]) -> str | None:
    shards = config.get("weight_map", {})
    for shard in set(map(str, shards.values())) if isinstance(shards, dict) else ():
        if PurePosixPath(shard).name != shard or not shard.endswith(".safetensors"):
            return f"weights in {checks.shown(shard)}"
    return None


def _config(root: Path, path: Path) -> Any:
    """Read a config; an empty one if it is not there."""
    if not path.is_file():
        return {}
    if path.stat().st_size > _LARGEST_CONFIG:
        raise _refusal(root, f"a {path.name} of {path.stat().st_size:,} bytes")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(
            f"expected a sentence-transformers or transformers model in {str(root)!r}, got one whose "
            f"{path.name} is no JSON ({error}); copy the model again"
        ) from error


def _refusal(root: Path, what: str, remedy: str = "get the model from somewhere you trust") -> ArtifactError:
    return ArtifactError(
        f"expected a model in {str(root)!r} that runs no code and reads no files but its own, got {what}; "
        f"{remedy}, or open it by load_encoder(folder, trust=True) if you trust who made it"
    )
