"""Models of the Hugging Face hub: fetched once into the hub's own cache, and opened from there as folders."""

from __future__ import annotations

import os
from pathlib import Path

from zeroshot_core.checks import nearest_name
from zeroshot_core.errors import InvalidInputError

__all__ = ["cached_folder", "fetched_folder", "nearest_model"]

_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "*.tiktoken")
# Only for a caller who trusts the model's maker.
_UNSAFE_FILES = ("*.py", "*.bin", "*.pt", "*.pth")
_OTHER_RUNTIMES = ("onnx/*", "openvino/*", "coreml/*", "*openvino*")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
# Seconds to find out whether the hub can be reached.
_PATIENCE = 5.0
_ORGANISATION = "sentence-transformers"
_WIDELY_USED = (
    "all-MiniLM-L12-v2",
    "all-MiniLM-L6-v2",
    "all-mpnet-base-v2",
    "multi-qa-MiniLM-L6-cos-v1",
    "paraphrase-MiniLM-L6-v2",
    "paraphrase-multilingual-MiniLM-L12-v2",
    "BAAI/bge-base-en-v1.5",
    "BAAI/bge-m3",
    "BAAI/bge-small-en-v1.5",
    "intfloat/e5-small-v2",
    "intfloat/multilingual-e5-small",
    "thenlper/gte-small",
    "multilingual-e5-small",
    "use-multilingual",
)


def cached_folder(name: str, *, trust: bool = False) -> Path | None:
    """Find a model in the hub's cache on this machine, without a network; None if it is not there whole."""
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    for repository in _repositories(name):
        try:
            folder = _snapshot(repository, trust=trust, is_offline=True)
        except (HFValidationError, LocalEntryNotFoundError):
            continue
        if any(path.suffix in _WEIGHTS for path in folder.rglob("*")):
            return folder
    return None


def fetched_folder(name: str, *, trust: bool = False) -> Path:
    """Fetch what a model needs into the hub's cache: weights as safetensors, and no code, unless `trust`.

    Raises
    ------
    InvalidInputError
        If the hub can't be reached within five seconds, or has no such model for this user.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    reason = "it has no such model"
    for repository in _repositories(name):
        try:
            # Asked once and without retries: a wrong name without a network is said at once.
            HfApi().repo_info(repository, timeout=_PATIENCE)
            return _snapshot(repository, trust=trust, is_offline=False)
        except RepositoryNotFoundError:
            continue
        except Exception as error:  # of whichever of the hub's many libraries
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            break
    raise InvalidInputError(reason)


def nearest_model(name: str) -> str | None:
    """Find the model that is spelt most like a name, of those in the hub's cache and those widely used."""
    from huggingface_hub.constants import HF_HUB_CACHE

    place = Path(os.getenv("SENTENCE_TRANSFORMERS_HOME") or HF_HUB_CACHE)
    kept = (path.name.split("--")[1:] for path in place.glob("models--*"))
    names = ["/".join(parts).removeprefix(f"{_ORGANISATION}/") for parts in kept]
    known = {*_WIDELY_USED, *filter(None, names)}
    return nearest_name(name.removeprefix(f"{_ORGANISATION}/"), known)


def _repositories(name: str) -> tuple[str, ...]:
    """Where a name is looked for: sentence-transformers models go without their organisation."""
    return (name,) if "/" in name else (f"{_ORGANISATION}/{name}", name)


def _snapshot(repository: str, *, trust: bool, is_offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(
            repository,
            allow_patterns=[*_FILES, *(_UNSAFE_FILES if trust else ())],
            ignore_patterns=[*_OTHER_RUNTIMES],
            # Where sentence-transformers keeps its models if it is told to.
            cache_dir=os.getenv("SENTENCE_TRANSFORMERS_HOME"),
            local_files_only=is_offline,
        )
    )
