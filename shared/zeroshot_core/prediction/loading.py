"""Opening a saved model of whichever kind."""

from __future__ import annotations

from pathlib import Path

from zeroshot_core.encoders import Encoder
from zeroshot_core.errors import ArtifactError
from zeroshot_core.prediction.classifier import ZeroShotClassifier
from zeroshot_core.prediction.regressor import ZeroShotRegressor
from zeroshot_core.prediction.saved import MANIFEST, read_manifest

__all__ = ["load_model"]


def load_model(
    folder: str | Path, *, encoder: Encoder | None = None, uri: str | None = None, token: str | None = None
) -> ZeroShotRegressor | ZeroShotClassifier:
    """Open the regressor or the classifier that a folder holds; the arguments are those of their `load`.

    Raises
    ------
    ArtifactError
        If the folder holds no model, a damaged one, or one of another kind; the message says what is wrong.
    FingerprintMismatchError
        If the encoder is not the one that the model was fitted with.
    """
    kind = read_manifest(Path(folder))["kind"]
    if kind == "regressor":
        return ZeroShotRegressor.load(folder, encoder=encoder, uri=uri, token=token)
    if kind == "classifier":
        return ZeroShotClassifier.load(folder, encoder=encoder, uri=uri, token=token)
    raise ArtifactError(f"{Path(folder) / MANIFEST}: expected kind regressor or classifier, got {kind!r}")
