"""EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946), a network for pictures of 224 x 224.

No package brings it without torchvision, which would change how transformers reads pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

    from zeroshot_core.types import Vectors

__all__ = ["SIDE", "efficientnet_features", "efficientnet_pixels"]

SIDE = 224
_MARGIN = 32
_MEAN, _SCALE = 127.0, 128.0
_EPSILON = 1e-3
# Stride of the first block of each stage, and how many blocks it has.
_STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))


def efficientnet_pixels(image: Image) -> Vectors:
    """Numbers of a picture, shape (3, 224, 224): its middle, seven eighths of the shorter side."""
    scale = (SIDE + _MARGIN) / min(image.size)
    width, height = (max(SIDE, round(length * scale)) for length in image.size)
    left, top = (width - SIDE) / 2, (height - SIDE) / 2
    # Cropped before it is scaled: a long strip would fill the memory.
    across, down = image.width / width, image.height / height
    within = (left * across, top * down, (left + SIDE) * across, (top + SIDE) * down)
    small = image.resize((SIDE, SIDE), 3, box=within)  # 3 is bicubic
    return np.ascontiguousarray((np.asarray(small, np.float32).transpose(2, 0, 1) - _MEAN) / _SCALE)


def efficientnet_features(weights: Mapping[str, torch.Tensor], pixels: torch.Tensor) -> torch.Tensor:
    """Mean over the places of the last layer's features, shape (n, 1280), of pictures (n, 3, 224, 224)."""
    import torch

    x = torch.clamp(_layer(weights, pixels, "_conv_stem", "_bn0", stride=2), 0, 6)
    strides = [stride if first == 0 else 1 for stride, n in _STAGES for first in range(n)]
    for number, stride in enumerate(strides):
        x = _block(weights, x, f"_blocks.{number}.", stride)
    return torch.clamp(_layer(weights, x, "_conv_head", "_bn1"), 0, 6).mean(dim=(2, 3))


def _block(weights: Mapping[str, torch.Tensor], x: torch.Tensor, at: str, stride: int) -> torch.Tensor:
    """Inverted residual: widen, filter each channel by itself, and narrow."""
    import torch

    y = x
    if f"{at}_expand_conv.weight" in weights:
        y = torch.clamp(_layer(weights, y, f"{at}_expand_conv", f"{at}_bn0"), 0, 6)
    y = torch.clamp(_layer(weights, y, f"{at}_depthwise_conv", f"{at}_bn1", stride=stride, apart=True), 0, 6)
    y = _layer(weights, y, f"{at}_project_conv", f"{at}_bn2")
    return x + y if stride == 1 and x.shape == y.shape else y


def _layer(
    weights: Mapping[str, torch.Tensor],
    x: torch.Tensor,
    conv: str,
    norm: str,
    *,
    stride: int = 1,
    apart: bool = False,
) -> torch.Tensor:
    """Convolve, padded as TensorFlow does (what is odd goes to the right and below), and normalise."""
    from torch.nn import functional

    kernel = weights[f"{conv}.weight"]
    total = max((-(-x.shape[-1] // stride) - 1) * stride + kernel.shape[-1] - x.shape[-1], 0)
    before, after = total // 2, total - total // 2
    x = functional.pad(x, (before, after, before, after))
    x = functional.conv2d(x, kernel, stride=stride, groups=x.shape[1] if apart else 1)
    mean, variance, scale, shift = (
        weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
    )
    return functional.batch_norm(x, mean, variance, scale, shift, eps=_EPSILON)
