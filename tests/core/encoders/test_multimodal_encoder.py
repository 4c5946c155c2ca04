"""Models of texts and images: tiny CLIP, SigLIP and routers with random weights."""

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import LAYERS, PIXELS, save_clip, text_config, tokenizer
from transformers import (
    BitImageProcessorPil,
    ConvNextImageProcessorPil,
    Dinov2Config,
    Dinov2Model,
    ResNetConfig,
    ResNetModel,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
    ViTConfig,
    ViTImageProcessorPil,
    ViTModel,
)
from zeroshot_core import InvalidInputError, Item
from zeroshot_core.encoders import (
    CachedEncoder,
    CentredEncoder,
    FunctionEncoder,
    HeadEncoder,
    KnownVectors,
    MultimodalEncoder,
    SideBySideEncoder,
    TransformerEncoder,
    encoder_from_config,
    load_encoder,
)
from zeroshot_core.encoders.wrappers import RememberingEncoder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> MultimodalEncoder:
    return load_encoder(save_clip(tmp_path_factory.mktemp("clip")), image_batch=2)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "red dog.png"
    Image.new("RGB", (40, 50), "red").save(path)
    return path


def test_texts_images_and_both_come_in_any_order(
    clip: MultimodalEncoder, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    forward = clip._forward
    monkeypatch.setattr(
        clip, "_forward", lambda features: (sizes.append(features["modality"]), forward(features))[1]
    )
    blue = Image.new("RGB", (90, 30), "blue")
    contents = [
        "a dog",
        picture,
        Item(id="a", text="a dog", image=picture),
        blue,
        picture.read_bytes(),
        "cat",
    ]
    rows = clip.encode(contents)

    assert clip.modalities == ("text", "image")
    assert sizes == ["text", "image"]  # one batch a modality, of two texts and two images
    np.testing.assert_array_equal(rows[1], rows[4])
    both = rows[0] + rows[1]
    np.testing.assert_allclose(rows[2], both / np.linalg.norm(both), atol=1e-6)
    alone = [clip.encode([content])[0] for content in contents]
    np.testing.assert_allclose(rows, alone, atol=1e-5)


def test_vectors_are_those_of_sentence_transformers(clip: MultimodalEncoder, picture: Path) -> None:
    with Image.open(picture) as image:
        expected = clip.model.encode([image.convert("RGB")], normalize_embeddings=True)
    texts = clip.model.encode([{"text": "a dog"}], normalize_embeddings=True)

    np.testing.assert_allclose(clip.encode([picture, "a dog"]), [*expected, *texts], atol=1e-5)


class _Counting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.server.asked += 1
        self.send_error(404)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Counting) as http:
        http.asked = 0
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield http
        http.shutdown()
        thread.join()


def test_a_text_is_always_a_text(
    clip: MultimodalEncoder, picture: Path, server: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    url = f"http://127.0.0.1:{server.server_port}/dog.png"
    texts = [url, picture.name, "data:image/png;base64,aGk=", "/no/such/dog.png"]
    opened = []
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: opened.append(args))
    with pytest.warns(UserWarning, match="4 of 5 texts look like an image, .*; give an image as Path"):
        rows = clip.encode([*texts, Item(id="a", text=url)])

    assert server.asked == 0
    assert opened == []
    np.testing.assert_array_equal(rows[0], rows[4])
    tokens = clip.model.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        plain = clip.model[0].model.get_text_features(**tokens).pooler_output.numpy()
    np.testing.assert_allclose(rows[:4], plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-5)


def test_an_image_is_never_read_as_words(clip: MultimodalEncoder, server: HTTPServer) -> None:
    with pytest.raises(InvalidInputError, match=r"'/no/such/dog\.png', which cannot be read"):
        clip.encode([Item(id="a", image="/no/such/dog.png")])
    with pytest.raises(InvalidInputError, match="allow_urls=True"):
        clip.encode([Item(id="a", image=f"http://127.0.0.1:{server.server_port}/dog.png")])
    with pytest.raises(InvalidInputError, match="content 0: expected a text, an image"):
        clip.encode([3])
    assert server.asked == 0


def test_long_texts_are_cut_with_one_warning(clip: MultimodalEncoder) -> None:
    long = "abcdefghij " * 9
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than the 77 tokens"):
        rows = clip.encode([long, "short"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(clip.encode([long + "tail"])[0], rows[0], atol=1e-6)


def test_fingerprint_holds_how_images_are_made_ready(clip: MultimodalEncoder, tmp_path: Path) -> None:
    other = load_encoder(save_clip(tmp_path / "other", image_mean=[0.5] * 3, image_std=[0.5] * 3))
    same = load_encoder(save_clip(tmp_path / "same"))

    assert same.fingerprint == clip.fingerprint != other.fingerprint
    assert encoder_from_config(same.to_config()).fingerprint == same.fingerprint
    same.save(tmp_path / "saved")
    assert load_encoder(tmp_path / "saved").fingerprint == same.fingerprint


def test_siglip_reads_texts_at_their_full_length(tmp_path: Path, picture: Path) -> None:
    torch.manual_seed(0)
    config = SiglipConfig(text_config=text_config(24), vision_config={**LAYERS, **PIXELS})
    SiglipModel(config).save_pretrained(tmp_path)
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    SiglipProcessor(images, tokenizer()).save_pretrained(tmp_path)
    told = json.loads((tmp_path / "tokenizer_config.json").read_text())
    told["model_input_names"] = ["input_ids"]  # without a mask, as SigLIP is trained
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(told))
    encoder = load_encoder(tmp_path)
    rows = encoder.encode(["a dog", "a much longer text", picture])

    tokens = encoder.model.tokenizer(["a dog"], padding="max_length", max_length=24, return_tensors="pt")
    with torch.inference_mode():
        plain = (
            encoder.model[0].model.get_text_features(input_ids=tokens["input_ids"]).pooler_output[0].numpy()
        )
    assert rows[0] @ plain / np.linalg.norm(plain) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(encoder.encode(["a dog"])[0], rows[0], atol=1e-5)
    assert encoder.encode([picture])[0] @ rows[2] == pytest.approx(1.0, abs=1e-5)


def test_siglip_2_opens(tmp_path: Path, picture: Path) -> None:
    torch.manual_seed(0)
    vision = {**LAYERS, "patch_size": 16, "num_patches": 16}
    config = Siglip2Config(text_config=text_config(64), vision_config=vision)
    Siglip2Model(config).save_pretrained(tmp_path)
    images = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=16)
    Siglip2Processor(images, tokenizer()).save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path)
    rows = encoder.encode(["a dog", "a much longer text", picture, Item(id="a", text="a dog", image=picture)])

    assert encoder.modalities == ("text", "image")
    np.testing.assert_allclose(encoder.encode(["a dog"])[0], rows[0], atol=1e-5)
    assert rows[3] @ (rows[0] + rows[2]) == pytest.approx(np.linalg.norm(rows[0] + rows[2]), abs=1e-5)


def save_vit(folder: Path) -> None:
    ViTModel(ViTConfig(**LAYERS, **PIXELS)).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(folder)


def save_dinov2(folder: Path) -> None:
    layers = {name: size for name, size in LAYERS.items() if name != "intermediate_size"}
    Dinov2Model(Dinov2Config(**layers, **PIXELS)).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    BitImageProcessorPil(**size).save_pretrained(folder)


def save_resnet(folder: Path) -> None:
    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, 32], depths=[1, 1])).save_pretrained(folder)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(folder)


@pytest.mark.parametrize("save", [save_vit, save_dinov2, save_resnet])
def test_a_model_of_images_takes_images_only(
    save: Callable[[Path], None], tmp_path: Path, picture: Path
) -> None:
    torch.manual_seed(0)
    save(tmp_path)
    encoder = load_encoder(tmp_path)

    assert encoder.modalities == ("image",)
    assert encoder.encode([picture, Image.new("RGB", (9, 9), "blue")]).shape == (2, 32)
    assert encoder_from_config(encoder.to_config()).fingerprint == encoder.fingerprint
    with pytest.raises(InvalidInputError, match=r"takes images only: .*fit_bridge"):
        encoder.encode(["a dog"])


def routed(folder: Path, routes: dict[str, list[object]], **settings: object) -> TransformerEncoder:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    SentenceTransformer(modules=[Router(routes, **settings)]).save(str(folder), create_model_card=False)
    return load_encoder(folder)


def test_a_router_of_queries_and_documents_opens(bert: Path, tmp_path: Path) -> None:
    from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding, Transformer
    from transformers import AutoTokenizer

    torch.manual_seed(0)
    fast = AutoTokenizer.from_pretrained(bert).backend_tokenizer
    routes = {
        "query": [StaticEmbedding(fast, embedding_dim=32)],
        "document": [Transformer(str(bert)), Pooling(32)],
    }
    encoder = routed(tmp_path / "router", routes, default_route="document")
    text = ["tomato soup"]

    np.testing.assert_allclose(
        [*encoder.encode(text), *encoder.encode(text, role="query")],
        [
            *encoder.model.encode_document(text, normalize_embeddings=True),
            *encoder.model.encode_query(text, normalize_embeddings=True),
        ],
        atol=1e-5,
    )
    assert encoder.modalities == ("text",)
    assert encoder_from_config(encoder.to_config()).fingerprint == encoder.fingerprint
    swapped = routed(tmp_path / "other", {"query": routes["document"], "document": routes["query"]})
    assert swapped.fingerprint != encoder.fingerprint


@pytest.mark.filterwarnings("ignore:1 of . texts look like an image")
def test_a_router_of_texts_and_images_opens(
    bert: Path, clip: MultimodalEncoder, picture: Path, server: HTTPServer, tmp_path: Path
) -> None:
    from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer

    torch.manual_seed(0)
    words = [Transformer(str(bert)), Pooling(32), Dense(32, 16)]
    encoder = routed(tmp_path / "router", {"text": words, "image": [Transformer(clip.name)]})
    url = f"http://127.0.0.1:{server.server_port}/dog.png"
    rows = encoder.encode([picture, "soup", url])

    assert encoder.modalities == ("text", "image")
    np.testing.assert_allclose(rows[0], clip.encode([picture])[0], atol=1e-5)
    np.testing.assert_allclose(rows[1:], [encoder.encode([text])[0] for text in ("soup", url)], atol=1e-5)
    assert server.asked == 0


COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220)}


def of_words(texts: list[str]) -> list[list[float]]:
    return [[0.1 + text.count(name) for name in COLOURS] + [1.0] for text in texts]


def of_pixels(images: list[Image.Image]) -> list[list[float]]:
    return [[*(np.asarray(image).mean(axis=(0, 1)) / 255), -1.0] for image in images]


def colours(**settings: object) -> FunctionEncoder:
    return FunctionEncoder(of_words, image_function=of_pixels, name="colours", **settings)


def test_functions_encode_texts_and_images(picture: Path) -> None:
    encoder = colours()
    words = FunctionEncoder(of_words, name="colours")
    pixels = FunctionEncoder(None, image_function=of_pixels, name="colours")
    green = Image.new("RGB", (4, 4), COLOURS["green"])
    rows = encoder.encode(["red", picture, Item(id="a", text="red", image=picture), green])

    assert [each.modalities for each in (encoder, words, pixels)] == [
        ("text", "image"),
        ("text",),
        ("image",),
    ]
    assert len({each.fingerprint for each in (encoder, words, pixels)}) == 3
    assert rows.shape == (4, 4)
    assert rows[2] @ (rows[0] + rows[1]) == pytest.approx(np.linalg.norm(rows[0] + rows[1]), abs=1e-6)
    np.testing.assert_array_equal(pixels.encode([picture])[0], rows[1])
    with pytest.raises(InvalidInputError, match="takes images only"):
        pixels.encode(["red"])
    with pytest.raises(InvalidInputError, match="takes texts only"):
        words.encode([Item(id="a", text="red", image=picture)])
    with pytest.raises(InvalidInputError, match="expected a function"):
        FunctionEncoder(None, name="colours")


def test_each_image_is_read_once_and_each_distinct_one_encoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{n}.png" for n in range(7)]
    for n, path in enumerate(paths):
        Image.new("RGB", (4, 4), (30 * (n % 5), 0, 0)).save(path)  # the last two are like the first two
    read, seen, plain = [], [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self.name) or plain(self))
    encoder = FunctionEncoder(
        of_words,
        image_function=lambda images: seen.append(len(images)) or of_pixels(images),
        name="c",
        fingerprint="0" * 16,
        dimension=4,
    )
    rows = encoder.encode([*paths, paths[0], Item(id="a", text="red", image=paths[1]), "red"])

    assert sorted(read) == sorted(path.name for path in paths)
    assert sum(seen) == 5
    np.testing.assert_array_equal(rows[5:8], rows[[0, 1, 0]])


def test_wrappers_keep_images_by_their_bytes(picture: Path, tmp_path: Path) -> None:
    seen = []
    inner = FunctionEncoder(
        of_words,
        image_function=lambda images: seen.extend(images) or of_pixels(images),
        name="c",
        dimension=4,
        fingerprint="0" * 16,
    )
    contents = ["red", picture, Item(id="a", text="red", image=picture), picture.read_bytes()]
    expected = colours().encode(contents)
    for wrapped in (RememberingEncoder(inner), CachedEncoder(inner, tmp_path / "vectors.db")):
        seen.clear()
        np.testing.assert_allclose(wrapped.encode(contents), expected, atol=1e-6)
        np.testing.assert_allclose(wrapped.encode(contents), expected, atol=1e-6)
        assert len(seen) == 1
        assert wrapped.modalities == ("text", "image")
    known = KnownVectors(inner, {"red": [0.0, 0.0, 0.0, 1.0]})
    np.testing.assert_allclose(known.encode(contents)[1:], expected[1:], atol=1e-6)
    assert known.encode(contents)[0].tolist() == [0.0, 0.0, 0.0, 1.0]
    twice = SideBySideEncoder([inner, HeadEncoder(inner, "linear", {"weight": np.eye(4)})])
    assert twice.modalities == ("text", "image")
    assert twice.encode(contents).shape == (4, 8)


def test_centring_by_modality_closes_the_gap() -> None:
    rng = np.random.default_rng(0)
    drawn = [Image.new("RGB", (2, 2), tuple(rng.integers(0, 255, 3).tolist())) for _ in range(40)]
    words = [" ".join([*rng.choice(list(COLOURS), 3), str(i)]) for i in range(40)]
    encoder = colours()
    centred = CentredEncoder.fit(encoder, {"text": words, "image": drawn})
    mixed = ["red", "green", *(Image.new("RGB", (2, 2), colour) for colour in COLOURS.values())]

    before, after = (each.encode(["blue"]) @ each.encode(mixed).T for each in (encoder, centred))
    assert before[0].argmax() < 2  # all texts before any image
    assert after[0].argmax() == 4
    again = encoder_from_config({**centred.to_config(), "base": encoder.to_config()}, encoder=centred)
    assert again.fingerprint == centred.fingerprint
