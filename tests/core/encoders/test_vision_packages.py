"""What is said where timm or torchvision are missing, or a checkpoint is of another library."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_models import save_clip, save_qwen3_vl
from zeroshot_core.encoders import load_encoder
from zeroshot_core.errors import ArtifactError, MissingExtraError


def write_model(folder: Path, name: str = "config.json", **config: object) -> Path:
    (folder / name).write_text(json.dumps(config))
    save_file({"weight": torch.zeros(1)}, folder / "model.safetensors")
    return folder


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is here")
def test_a_model_of_timm_names_the_extra(tmp_path: Path) -> None:
    folder = write_model(tmp_path, architecture="resnet10t", pretrained_cfg={"input_size": [3, 32, 32]})
    with pytest.raises(MissingExtraError, match=r"needs timm, .* pip install 'zeroshot-milvus\[vision\]'"):
        load_encoder(folder)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is here")
def test_a_model_with_a_processor_of_videos_names_the_extra(tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"needs torchvision, .*zeroshot-milvus\[vision\]"):
        load_encoder(save_qwen3_vl(tmp_path))


def test_a_torchvision_of_another_build_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('no operator nms')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)

    def fails(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("Could not import module 'PreTrainedModel'")

    monkeypatch.setattr("zeroshot_core.encoders.loading._open_model", fails)
    expected = r"built for torch .* \(no operator nms\); install it anew with: pip install .* torchvision"
    with pytest.raises(MissingExtraError, match=expected):
        load_encoder(save_clip(tmp_path / "clip"))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("open_clip_config.json", {"model_cfg": {"embed_dim": 512}}),
        ("config.json", {"embed_dim": 512, "image_cfg": {"model_name": "mci1"}, "text_cfg": {}}),
    ],
)
@pytest.mark.parametrize("trust", [False, True])
def test_mobileclip_says_how_to_use_it(
    name: str, config: dict[str, object], trust: bool, tmp_path: Path
) -> None:
    folder = write_model(tmp_path, name, **config)
    with pytest.raises(ArtifactError, match=r"got OpenCLIP's, .* FunctionEncoder, .*'timm/fastvit_mci1"):
        load_encoder(folder, trust=trust)
