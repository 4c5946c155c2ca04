"""Models that need torchvision or timm, with random weights: Qwen3-VL, and any of timm."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import save_qwen3_vl
from zeroshot_core import InvalidInputError, Item
from zeroshot_core.encoders import MultimodalEncoder, encoder_from_config, load_encoder

pytest.importorskip("torchvision", reason="needs the extra vision")
timm = pytest.importorskip("timm", reason="needs the extra vision")

RED, BLUE = Image.new("RGB", (40, 50), "red"), Image.new("RGB", (90, 30), "blue")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> MultimodalEncoder:
    return load_encoder(save_qwen3_vl(tmp_path_factory.mktemp("qwen")))


def last_token(encoder: MultimodalEncoder, rendered: str, image: Image.Image | None = None) -> np.ndarray:
    """What Qwen3-VL makes of a chat as it stands, without sentence-transformers."""
    reader = encoder.model[0]
    features = reader.processor(
        text=[rendered], images=None if image is None else [image], return_tensors="pt"
    )
    with torch.inference_mode():
        vector = reader.model(**features).last_hidden_state[0, -1].numpy()
    return vector / np.linalg.norm(vector)


def chat(user: str, system: str = "") -> str:
    told = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    return f"{told}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def test_qwen_makes_one_vector_of_text_and_image(qwen: MultimodalEncoder, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    RED.save(path)
    rows = qwen.encode(
        ["a dog", path, Item(id="a", text="a dog", image=path), BLUE, "a longer text of words"]
    )
    picture = "<|vision_start|><|image_pad|><|vision_end|>"

    assert (qwen.modalities, qwen.dimension, qwen.pooling) == (("text", "image"), 32, "lasttoken")
    np.testing.assert_allclose(rows[0], last_token(qwen, chat("a dog")), atol=1e-5)
    np.testing.assert_allclose(rows[1], last_token(qwen, chat(picture), RED), atol=1e-5)
    assert rows[2] @ (mean := rows[0] + rows[1]) < 0.9999 * np.linalg.norm(mean)
    each = [last_token(qwen, chat(both), RED) for both in (f"a dog{picture}", f"{picture}a dog")]
    assert max(rows[2] @ vector for vector in each) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(rows[3], qwen.encode([BLUE])[0], atol=1e-5)


def test_the_prompt_of_qwen_is_its_instruction(qwen: MultimodalEncoder) -> None:
    found = qwen.encode(["a dog"], role="query")[0]
    np.testing.assert_allclose(found, last_token(qwen, chat("a dog", "Find what is asked for.")), atol=1e-5)
    assert found @ qwen.encode(["a dog"])[0] < 0.9999


@pytest.mark.filterwarnings("ignore:. of . texts look like an image")
def test_a_text_is_a_text_for_qwen(
    qwen: MultimodalEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RED.save(tmp_path / "red.png")
    monkeypatch.chdir(tmp_path)
    for text in ("red.png", "http://127.0.0.1:9/red.png"):
        np.testing.assert_allclose(qwen.encode([text])[0], last_token(qwen, chat(text)), atol=1e-5)


def test_qwen_is_saved_and_opened_as_itself(qwen: MultimodalEncoder, tmp_path: Path) -> None:
    qwen.save(tmp_path / "saved")
    again = load_encoder(tmp_path / "saved")

    assert again.fingerprint == qwen.fingerprint
    np.testing.assert_allclose(again.encode(["a dog", BLUE]), qwen.encode(["a dog", BLUE]), atol=1e-5)
    assert encoder_from_config(qwen.to_config()).fingerprint == qwen.fingerprint


def test_an_image_that_qwen_cannot_read_is_refused(tmp_path: Path) -> None:
    encoder = load_encoder(save_qwen3_vl(tmp_path), max_length=8)

    with pytest.raises(InvalidInputError, match=r"within its 8 tokens, got .* larger max_length"):
        encoder.encode([RED])
    with pytest.raises(InvalidInputError, match=r"aspect ratio .* less narrow image"):
        encoder.encode([Image.new("RGB", (500, 1))])


# A transformer, a convolutional one whose head widens what it is given, and the tower of MobileCLIP.
TIMM = {
    "vit_tiny_patch16_224": {"depth": 1, "img_size": 32},
    "mobilenetv3_small_050": {},
    "fastvit_mci0": {},
}


@pytest.mark.parametrize("name", TIMM)
def test_a_model_of_timm_gives_its_own_features(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = timm.create_model(name, pretrained=False, **TIMM[name]).eval()
    plain.pretrained_cfg["input_size"] = (3, 32, 32)
    timm.models.save_for_hf(plain, tmp_path / "timm", model_args=TIMM[name], safe_serialization=True)
    encoder = load_encoder(tmp_path / "timm")
    ready = timm.data.create_transform(**timm.data.resolve_data_config(plain.pretrained_cfg))
    plain.reset_classifier(0)
    with torch.inference_mode():
        expected = plain(torch.stack([ready(RED), ready(BLUE)])).numpy()

    assert encoder.modalities == ("image",)
    np.testing.assert_allclose(
        encoder.encode([RED, BLUE]), expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-4
    )
    with pytest.raises(InvalidInputError, match="takes images only"):
        encoder.encode(["a dog"])
    encoder.save(tmp_path / "saved")
    assert load_encoder(tmp_path / "saved").fingerprint == encoder.fingerprint
    assert encoder_from_config(encoder.to_config()).fingerprint == encoder.fingerprint


def test_arguments_that_a_later_timm_wrote_open(tmp_path: Path) -> None:
    """Without being told any, timm writes the number of classes among them."""
    timm.models.save_for_hf(timm.create_model("resnet10t"), tmp_path, safe_serialization=True)
    assert load_encoder(tmp_path).encode([RED]).shape == (1, 512)
