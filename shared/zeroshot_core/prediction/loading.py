"""Opening a saved model of whichever kind."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from zeroshot_core.encoders import Encoder
from zeroshot_core.errors import ArtifactError
from zeroshot_core.prediction.classifier import ZeroShotClassifier
from zeroshot_core.prediction.ranker import ZeroShotRanker
from zeroshot_core.prediction.regressor import ZeroShotRegressor
from zeroshot_core.prediction.saved import MANIFEST, read_manifest

__all__ = ["Model", "load_model"]

Model: TypeAlias = ZeroShotRegressor | ZeroShotClassifier | ZeroShotRanker
_KINDS: dict[str, type[Model]] = {
    "regressor": ZeroShotRegressor,
    "classifier": ZeroShotClassifier,
    "ranker": ZeroShotRanker,
}


def load_model(
    folder: str | Path, *, encoder: Encoder | None = None, uri: str | None = None, token: str | None = None
) -> Model:
    """Open the model that a folder holds; the arguments are those of its `load`.

    Raises
    ------
    ArtifactError
        If the folder holds no model, a damaged one, or one of another kind; the message says what is wrong.
    FingerprintMismatchError
        If the encoder is not the one that the model was fitted with.
    """
    kind = read_manifest(Path(folder))["kind"]
    if kind not in _KINDS:
        raise ArtifactError(f"{Path(folder) / MANIFEST}: expected kind {', '.join(_KINDS)}, got {kind!r}")
    return _KINDS[kind].load(folder, encoder=encoder, uri=uri, token=token)
