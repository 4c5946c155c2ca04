"""Opening saved models: of whichever kind, and once per folder and process."""

from __future__ import annotations

import importlib
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from zeroshot_core import checks
from zeroshot_core.errors import ArtifactError, InvalidInputError, NotFittedError

if TYPE_CHECKING:
    from zeroshot_core.classification.classifier import ZeroShotClassifier
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.novelty.detector import NoveltyDetector
    from zeroshot_core.prompting.prompted_classifier import PromptedClassifier
    from zeroshot_core.ranking.ranker import ZeroShotRanker
    from zeroshot_core.regression.regressor import ZeroShotRegressor
    from zeroshot_core.retrieval import Retriever

__all__ = [
    "Model",
    "ModelLike",
    "ServedModel",
    "load_model",
    "open_encoder",
    "open_model",
    "open_retriever",
]

Model: TypeAlias = "ZeroShotRegressor | ZeroShotClassifier | ZeroShotRanker | NoveltyDetector"
ServedModel: TypeAlias = "Model | PromptedClassifier"
ModelLike: TypeAlias = "str | Path | ServedModel"
"""Folder of a saved model, or a fitted one."""

# Where the kinds of the package register themselves: only the one that is needed is imported.
_MODULES = {
    "regressor": "zeroshot_core.regression.regressor",
    "classifier": "zeroshot_core.classification.classifier",
    "ranker": "zeroshot_core.ranking.ranker",
    "detector": "zeroshot_core.novelty.detector",
}
_LOCK = RLock()


def load_model(
    folder: str | Path,
    *,
    encoder: Encoder | None = None,
    uri: str | None = None,
    token: str | None = None,
    trust_uri: bool = False,
    read_only: bool = False,
) -> Model:
    """Open the model that a folder holds; the arguments are those of its `load`.

    Raises
    ------
    ArtifactError
        If the folder holds no model, a damaged one, one of another kind, or its index is on a server that
        neither `uri` nor `trust_uri` allows; the message says what is wrong.
    FingerprintMismatchError
        If the encoder is not the one that the model was fitted with.
    """
    from zeroshot_core.estimators.base import SavedModel
    from zeroshot_core.estimators.saving import MANIFEST, read_manifest
    from zeroshot_core.retrieval.saved_retriever import KIND

    folder = checks.path("folder", folder)
    kind = read_manifest(folder)["kind"]
    if kind == KIND:
        raise ArtifactError(f"expected a saved model, got a retriever in {folder}; open it by Retriever.load")
    if kind in _MODULES:
        importlib.import_module(_MODULES[kind])
    if kind not in SavedModel.kinds:
        known = ", ".join(dict.fromkeys([*_MODULES, KIND, *SavedModel.kinds]))
        raise ArtifactError(f"{folder / MANIFEST}: expected kind {known}, got {checks.shown(kind)}")
    return SavedModel.kinds[kind].load(  # type: ignore[return-value]
        folder, encoder=encoder, uri=uri, token=token, trust_uri=trust_uri, read_only=read_only
    )


def open_model(
    model: ModelLike | Retriever | Encoder,
    *,
    uri: str | None = None,
    token: str | None = None,
    read_only: bool = False,
) -> ServedModel:
    """Open the model saved in a folder; a loaded one comes back as it is.

    A folder is loaded once per process, whoever asks, and again after it was saved anew.

    Raises
    ------
    ArtifactError
        If the folder holds no model, or a damaged one.
    InvalidInputError
        If `model` is neither a folder nor a fitted model.
    """
    from zeroshot_core.retrieval import Retriever

    if isinstance(model, str | Path):
        opened = _open(model, uri, token, read_only)
        if isinstance(opened, Retriever):
            raise InvalidInputError(
                f"expected a model that predicts, got the retriever in {model}; give it to a retriever"
            )
        return opened
    if not _is_model(model):
        raise InvalidInputError(
            "expected the folder of a saved model, a ZeroShotRegressor, ZeroShotClassifier, ZeroShotRanker "
            f"or NoveltyDetector, got {type(model).__name__}"
        )
    return model


def open_retriever(
    model: ModelLike | Retriever | Encoder,
    *,
    uri: str | None = None,
    token: str | None = None,
    read_only: bool = False,
) -> Retriever:
    """Open the retriever of a saved or fitted model; a retriever comes back as it is."""
    from zeroshot_core.retrieval import Retriever

    if isinstance(model, Retriever):
        return model
    if isinstance(model, str | Path):
        saved = _open(model, uri, token, read_only)
        if isinstance(saved, Retriever):
            return saved
    opened = open_model(model, uri=uri, token=token, read_only=read_only)
    if not hasattr(opened, "retriever_"):
        raise NotFittedError(f"expected a fitted {type(opened).__name__}, got one before fit; call fit first")
    return opened.retriever_


def open_encoder(
    model: ModelLike | Retriever | Encoder,
    *,
    uri: str | None = None,
    token: str | None = None,
    read_only: bool = False,
) -> Encoder:
    """Open an encoder by its name, or that of a saved or fitted model; an encoder comes back as it is."""
    from zeroshot_core.encoders import Encoder
    from zeroshot_core.estimators.saving import MANIFEST

    if isinstance(model, Encoder):
        return model
    if isinstance(model, str | Path) and not (Path(model) / MANIFEST).is_file():
        with _LOCK:
            return _load_encoder(str(model))
    return open_retriever(model, uri=uri, token=token, read_only=read_only).encoder


def _open(model: str | Path, uri: str | None, token: str | None, read_only: bool) -> Model | Retriever:
    """Open what a folder holds, once a process."""
    folder = Path(model).resolve()
    with _LOCK:
        return _load(folder, _stamp(folder), uri, token, read_only)


def _is_model(value: object) -> TypeGuard[ServedModel]:
    from zeroshot_core.estimators.base import SavedModel

    # What stands over a model, as a PromptedClassifier does, explains as it does.
    return isinstance(value, SavedModel) or hasattr(value, "explain")


# Strong references: frameworks make many short-lived objects over a folder, and none may pay the load again.
@lru_cache(maxsize=4)
def _load(folder: Path, stamp: int, uri: str | None, token: str | None, read_only: bool) -> Model | Retriever:
    from zeroshot_core.estimators.saving import read_manifest
    from zeroshot_core.retrieval import Retriever
    from zeroshot_core.retrieval.saved_retriever import KIND

    if read_manifest(folder)["kind"] == KIND:
        return Retriever.load(folder, uri=uri, token=token, read_only=read_only)
    return load_model(folder, uri=uri, token=token, read_only=read_only)


@lru_cache(maxsize=4)
def _load_encoder(name: str) -> Encoder:
    from zeroshot_core.encoders import load_encoder

    return load_encoder(name)


def _stamp(folder: Path) -> int:
    from zeroshot_core.estimators.saving import MANIFEST

    manifest = folder / MANIFEST
    return manifest.stat().st_mtime_ns if manifest.is_file() else 0
