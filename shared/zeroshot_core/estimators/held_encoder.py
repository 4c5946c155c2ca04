"""An encoder that was tuned for a model, kept in the model's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zeroshot_core.encoders import Encoder, HeadEncoder, TransformerEncoder
from zeroshot_core.errors import ArtifactError

__all__ = ["encoder_config", "write_encoder"]


def write_encoder(folder: Path, encoder: Encoder) -> dict[str, str]:
    """Write the encoder into the folder, by its fingerprint, unless it is there; where it is then."""
    if not isinstance(encoder, TransformerEncoder | HeadEncoder):
        raise ArtifactError(f"expected an encoder with weights to save, got {type(encoder).__name__}")
    name = f"encoder-{encoder.fingerprint}"
    if not (folder / name).exists():
        encoder.save(folder / name)
    return {"inside": name}


def encoder_config(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Say where the encoder is now: one that was tuned for the model moves with its folder."""
    config = dict(manifest["encoder"])
    inside = config.get("inside")
    return config if inside is None else config | {"name_or_path": str(folder / inside)}
