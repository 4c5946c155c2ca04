"""Opening a saved model of whichever kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from zeroshot_core.encoders import Encoder
from zeroshot_core.errors import ArtifactError
from zeroshot_core.prediction.saved import MANIFEST, read_manifest

if TYPE_CHECKING:
    from zeroshot_core.prediction.classifier import ZeroShotClassifier
    from zeroshot_core.prediction.ranker import ZeroShotRanker
    from zeroshot_core.prediction.regressor import ZeroShotRegressor

__all__ = ["Model", "load_model"]

Model: TypeAlias = "ZeroShotRegressor | ZeroShotClassifier | ZeroShotRanker"


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
    kind, kinds = read_manifest(Path(folder))["kind"], _kinds()
    if kind not in kinds:
        raise ArtifactError(f"{Path(folder) / MANIFEST}: expected kind {', '.join(kinds)}, got {kind!r}")
    return kinds[kind].load(folder, encoder=encoder, uri=uri, token=token)


def _kinds() -> dict[str, type[Model]]:
    from zeroshot_core.prediction.classifier import ZeroShotClassifier
    from zeroshot_core.prediction.ranker import ZeroShotRanker
    from zeroshot_core.prediction.regressor import ZeroShotRegressor

    return {"regressor": ZeroShotRegressor, "classifier": ZeroShotClassifier, "ranker": ZeroShotRanker}
