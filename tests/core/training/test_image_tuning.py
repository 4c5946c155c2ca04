"""What learns from pictures, by an encoder of texts and images or of images alone, and what does not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ranker_samples import clinic_graph
from tiny_models import save_clip
from zeroshot_core import InvalidInputError, Item, ZeroShotClassifier, ZeroShotRanker
from zeroshot_core.encoders import EfficientNetEncoder, Encoder, MultimodalEncoder, load_encoder
from zeroshot_core.training import TrainingPlan, tune_encoder, tune_head

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
LABELS = [name for _ in range(8) for name in COLOURS]
FAST = TrainingPlan(epochs=3, learning_rate=1e-3, batch_size=16)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> MultimodalEncoder:
    return load_encoder(save_clip(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = [folder / f"{n}.png" for n in range(len(LABELS))]
    for path, label in zip(paths, LABELS, strict=True):
        pixels = rng.normal(COLOURS[label], 40, (24, 24, 3)).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return paths


@pytest.fixture(params=["both", "images"])
def encoder(request: pytest.FixtureRequest, clip: MultimodalEncoder) -> Encoder:
    return clip if request.param == "both" else EfficientNetEncoder()


def test_a_head_learns_from_pictures(clip: MultimodalEncoder, pictures: list[Path]) -> None:
    tuned, report = tune_head(clip, pictures, LABELS, plan=FAST)

    assert report.score >= 0.8
    assert tuned.encode(pictures[:2]).shape == (2, clip.dimension)
    assert tuned.modalities == clip.modalities


@pytest.mark.parametrize("tune", ["full", "lora"])
def test_weights_behind_pictures_stay(
    tune: str, encoder: Encoder, pictures: list[Path], tmp_path: Path
) -> None:
    items = [Item(id=path.stem, image=path) for path in pictures]
    model = ZeroShotClassifier(encoder, index=tmp_path / "index.db", tune=tune)
    with pytest.raises(InvalidInputError, match='cannot be trained; use tune="head"'):
        model.fit(items, LABELS)


def test_an_encoder_of_both_is_not_trained_by_texts(clip: MultimodalEncoder) -> None:
    with pytest.raises(InvalidInputError, match=r"takes images too: .* with tune_head"):
        tune_encoder(clip, ["a", "b", "c", "d"], ["x", "x", "y", "y"])


@pytest.mark.parametrize("text", [None, "a picture"])
def test_joint_rounds_say_that_they_read_texts(
    text: str | None, clip: MultimodalEncoder, pictures: list[Path], tmp_path: Path
) -> None:
    items = [Item(id=path.stem, text=text, image=path) for path in pictures]
    model = ZeroShotClassifier(clip, index=tmp_path / "index.db", tune="joint")
    with pytest.raises(InvalidInputError, match=r"item '0' with an image; tune a head for them"):
        model.fit(items, LABELS)


def test_a_ranker_reads_words(clip: MultimodalEncoder, pictures: list[Path]) -> None:
    with pytest.raises(InvalidInputError, match=r"takes images only: use one of texts and images"):
        ZeroShotRanker(EfficientNetEncoder(), clinic_graph()).fit()
    ranker = ZeroShotRanker(clip, clinic_graph()).fit()
    with pytest.raises(InvalidInputError, match=r"a text that names some, got an image; give its"):
        ranker.rank([Item(id="q", image=pictures[0])])
    with pytest.raises(InvalidInputError, match=r"expected text 0 as a text"):
        ranker.linker_.link([pictures[0]])
    ranker.close()
