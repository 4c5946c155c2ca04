"""Arrays in an encoder's config: what was learned lies beside what it refers to, in one piece of JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from zeroshot_core.errors import ArtifactError
from zeroshot_core.files import digest

if TYPE_CHECKING:
    import numpy.typing as npt

    from zeroshot_core.types import Vectors

__all__ = ["arrays_digest", "arrays_from_text", "arrays_to_text"]


def arrays_to_text(arrays: Mapping[str, Vectors]) -> str:
    """Write arrays as safetensors, in base64."""
    from safetensors.numpy import save

    return base64.b64encode(
        save({name: np.ascontiguousarray(rows) for name, rows in arrays.items()})
    ).decode()


def arrays_from_text(text: str, ndims: Mapping[str, int]) -> dict[str, npt.NDArray[np.float32]]:
    """Read back what `arrays_to_text` wrote.

    Parameters
    ----------
    ndims
        Number of axes of each array that is expected.

    Raises
    ------
    ArtifactError
        If it holds other arrays, or is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(base64.b64decode(text, validate=True))
    except (binascii.Error, SafetensorError, ValueError, TypeError, AttributeError) as error:
        raise ArtifactError(f"expected the arrays of an encoder, got damaged ones ({error})") from error
    found = {name: rows.ndim for name, rows in arrays.items() if rows.dtype == np.float32}
    if found != dict(ndims):
        raise ArtifactError(f"expected arrays of these axes for an encoder, {dict(ndims)}, got {found}")
    return arrays


def arrays_digest(arrays: Mapping[str, Vectors]) -> str:
    """64 hex digits over names, shapes and numbers."""
    parts = ((name, str(rows.shape), rows.tobytes()) for name, rows in sorted(arrays.items()))
    return digest(*(part for each in parts for part in each), n=64)
