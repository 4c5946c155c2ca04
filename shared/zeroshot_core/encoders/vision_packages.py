"""Packages that some models of images need, timm and torchvision, and what is wrong with them here."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from zeroshot_core.errors import MissingExtraError

__all__ = ["vision_problem"]

_INDEX = "https://download.pytorch.org/whl/"


def vision_problem(folder: Path, error: Exception) -> MissingExtraError | None:
    """Say why a model could not be opened, if timm or torchvision are to blame; None if they are not.

    A torchvision of another build than torch's keeps transformers from opening any model, of texts too.
    """
    import torch

    build = torch.__version__.partition("+")[2]
    if importlib.util.find_spec("torchvision") is not None:
        try:
            importlib.import_module("torchvision")
        except Exception as reason:
            index = f" --index-url {_INDEX}{build}" if build else ""
            return MissingExtraError(
                f"expected a torchvision built for torch {torch.__version__}, without which transformers "
                f"opens no model, got one that cannot be imported beside it ({reason}); install it anew "
                f"with: pip install --force-reinstall --no-deps torchvision{index}, or take it away"
            )
    missing = next((name for name in ("timm", "Torchvision") if f"{name} library" in str(error)), None)
    if missing is None:
        return None
    index = f" --extra-index-url {_INDEX}{build}" if build else ""
    return MissingExtraError(
        f"the model in {str(folder)!r} needs {missing.lower()}, which is not installed; install it with: "
        f"pip install 'zeroshot-milvus[vision]'{index}"
    )
