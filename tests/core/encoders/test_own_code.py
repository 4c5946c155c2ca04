"""Models of texts and images that bring code of their own along, such as jina-clip."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_clip, save_own_code
from zeroshot_core import Item
from zeroshot_core.encoders import MultimodalEncoder, encoder_from_config, load_encoder
from zeroshot_core.errors import ArtifactError


@pytest.fixture(scope="module", autouse=True)
def _modules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what transformers copies of the code out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        place = str(tmp_path_factory.mktemp("modules"))
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", place)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_own_code(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> MultimodalEncoder:
    return load_encoder(folder, trust=True)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red dog.png"
    Image.new("RGB", (40, 50), "red").save(path)
    return path


def test_a_model_with_code_of_its_own_has_to_be_trusted(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"asks for auto_map .*trust=True"):
        load_encoder(folder)


def test_texts_images_and_both_are_encoded(encoder: MultimodalEncoder, picture: Path, tmp_path: Path) -> None:
    plain = load_encoder(save_clip(tmp_path / "plain"))
    contents = ["a dog", picture, Item(id="a", text="a dog", image=picture), Image.new("RGB", (9, 9), "blue")]
    rows = encoder.encode(contents)

    assert (encoder.modalities, encoder.dimension, encoder.max_length) == (("text", "image"), 16, 77)
    np.testing.assert_allclose(rows, plain.encode(contents), atol=1e-5)
    np.testing.assert_allclose(
        encoder.encode(["dog"], role="query"), encoder.encode(["find: dog"]), atol=1e-5
    )


@pytest.mark.filterwarnings("ignore:. of . texts look like an image")
def test_a_text_is_a_text_for_such_a_model_too(
    encoder: MultimodalEncoder, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    asked: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", lambda url: asked.append(url))
    texts = ["http://127.0.0.1:9/dog.png", picture.name]
    rows = encoder.encode([*texts, picture])

    assert not asked
    assert rows[1] @ rows[2] < 0.99
    assert encoder.encode([picture])[0] @ rows[2] == pytest.approx(1.0, abs=1e-5)


def test_long_texts_are_cut_with_one_warning(encoder: MultimodalEncoder) -> None:
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than the 77 tokens"):
        encoder.encode(["abcdefghij " * 9, "short"])


def test_its_fingerprint_holds_how_images_are_made_ready(encoder: MultimodalEncoder, tmp_path: Path) -> None:
    other = load_encoder(save_own_code(tmp_path, image_mean=[0.5] * 3), trust=True)

    assert other.fingerprint != encoder.fingerprint
    assert encoder_from_config(encoder.to_config(), encoder=encoder) is encoder
    with pytest.raises(ArtifactError, match="trust=True"):
        encoder_from_config(encoder.to_config())
