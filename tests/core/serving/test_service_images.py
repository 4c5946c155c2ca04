"""Images that clients send: as data URIs, to models that read them; nothing of the server's is opened."""

import asyncio
import base64
import io
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from aisle_samples import saved_aisles
from PIL import Image
from running_service import serving
from tiny_models import save_clip
from zeroshot_core import Item, ZeroShotClassifier
from zeroshot_core.encoders import MultimodalEncoder
from zeroshot_core.prediction import NoveltyDetector
from zeroshot_core.serving.service import ServiceSettings, service_of

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20)}


def picture(colour: str, number: int) -> Image.Image:
    pixels = np.full((16, 16, 3), COLOURS[colour], np.uint8)
    pixels[number % 16] = 255
    return Image.fromarray(pixels)


def data_uri(image: Image.Image, kind: str = "png") -> str:
    file = io.BytesIO()
    image.save(file, kind)
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def header(width: int, height: int) -> str:
    """A PNG that says how large it is, and holds nothing."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(part)) + kind + part + struct.pack(">I", zlib.crc32(kind + part))
        for kind, part in parts
    ]
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(chunks)).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    items = []
    for colour in COLOURS:
        for number in range(6):
            path = root / f"{colour}-{number}.png"
            picture(colour, number).save(path)
            items.append(Item(id=path.stem, image=path))
    items += [Item(id="sent", image=picture("red", 7))]
    labels = [*(["red"] * 6), *(["green"] * 6), "red"]
    model = ZeroShotClassifier(str(save_clip(root / "clip"))).fit(items, labels)
    model.save(root / "model")
    model.close()
    return root / "model"


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    with serving(ServiceSettings(model=str(folder), inputs=64)) as client:
        yield client


def test_an_image_is_asked_about_alone_and_with_a_text(client: httpx.Client, folder: Path) -> None:
    green = picture("green", 9)
    uri = data_uri(green)
    given = [{"image": uri}, {"text": "a thing", "image": uri, "id": "both"}, "a thing"]
    asked = [Item(id="a", image=green), Item(id="b", text="a thing", image=green), "a thing"]
    model = ZeroShotClassifier.load(folder, read_only=True)
    expected = model.predict_proba(asked)
    labels = client.post("/classify", json={"inputs": given}).json()["labels"]
    model.close()

    assert [one["id"] for one in labels] == ["query-0", "both", "query-2"]
    assert labels[0]["label"] == "green"
    np.testing.assert_allclose([[*one["probabilities"].values()] for one in labels], expected, atol=1e-5)
    (told,) = client.post("/predict", json={"inputs": [{"image": uri}]}).json()["predictions"]
    assert told["value"] == "green"


def test_answers_name_images_and_hold_no_bytes(client: httpx.Client) -> None:
    uri = data_uri(picture("red", 7))
    reply = client.post("/retrieve", json={"queries": [{"image": uri}], "k": 13})
    explained = client.post("/explain", json={"inputs": [{"image": uri}], "top_k": 13})
    found = {one["id"]: one for one in reply.json()["results"][0]}

    assert (found["red-1"]["modality"], found["red-1"]["image"]) == ("image", "red-1.png")
    assert found["sent"]["image"].startswith("sha256:")
    for each in (reply, explained):
        assert "sent" in each.text
        assert "base64" not in each.text
        assert uri[30:60] not in each.text


def test_whoever_asks_is_told_whether_images_are_taken(client: httpx.Client, tmp_path: Path) -> None:
    assert client.get("/ready").json() == {"status": "ready", "reads": ["texts", "images"]}
    shown = client.get("/openapi.json").json()["components"]["schemas"]["PredictionInput"]
    assert "data URI" in shown["properties"]["image"]["description"]
    assert "required" not in shown
    with serving(ServiceSettings(model=str(saved_aisles(tmp_path / "aisles")))) as texts:
        assert texts.get("/ready").json()["reads"] == ["texts"]
        reply = texts.post("/predict", json={"inputs": [{"image": data_uri(picture("red", 1))}]})
        assert reply.status_code == 422
        assert reply.json()["detail"].startswith("expected a text, got an image, and the model reads texts")


CUT = data_uri(picture("red", 1))[:-60]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("/etc/passwd", "expected an image as a data URI, data:image/png;base64,..., got '/etc/passwd'"),
        ("file:///etc/passwd", "got 'file:///etc/passwd'; no path or URL is opened for others"),
        ("http://127.0.0.1/a.png", "no path or URL is opened for others: send the bytes"),
        ("https://example.com/a.png", "no path or URL is opened for others"),
        ("sha256:" + "0" * 64, "no path or URL is opened for others"),
        ("data:text/html;base64,PGI+", "got 'data:text/html;base64,...'"),
        ("", "expected an image as a data URI"),
        ("data:image/png;base64", "without a comma"),
        ("data:image/png;base64,%%%%", "expected a data URI of an image"),
        ("data:image/png;base64,", "cannot be read (no format of images that is known)"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "no format of images that is known"),
        ("data:image/png;base64," + base64.b64encode(b"%!PS-Adobe-3.0 EPSF").decode(), "no format of images"),
        (CUT + "=" * (-len(CUT.partition(",")[2]) % 4), "cannot be read (image file is truncated"),
        (header(50_000, 50_000), "at most 25,000,000 pixels, got far more in the data URI"),
        (header(6_000, 5_000), "at most 25,000,000 pixels, got 6,000 x 5,000 in the data URI"),
        (header(40, 40), "cannot be read"),
    ],
)
@pytest.mark.parametrize(
    ("path", "inputs"), [("/classify", "inputs"), ("/explain", "inputs"), ("/retrieve", "queries")]
)
def test_wrong_images_are_refused_in_a_sentence(
    client: httpx.Client, path: str, inputs: str, image: str, said: str
) -> None:
    reply = client.post(path, json={inputs: ["a thing", {"text": "a", "image": image}]})

    assert reply.status_code == 422
    assert said in reply.json()["detail"]
    assert len(reply.json()["detail"]) < 300


def test_images_of_other_types_are_refused(client: httpx.Client) -> None:
    for image in (3, True, ["/etc/passwd"], {"path": "/etc/passwd"}):
        reply = client.post("/classify", json={"inputs": [{"text": "a", "image": image}]})
        assert (reply.status_code, "image" in reply.json()["detail"]) == (422, True)
    reply = client.post("/classify", json={"inputs": [{"text": "a", "images": data_uri(picture("red", 1))}]})
    assert "did you mean 'image'?" in reply.json()["detail"]


def test_a_request_with_a_large_image_is_refused_by_its_size(client: httpx.Client) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    reply = client.post("/classify", json={"inputs": [{"image": data_uri(Image.fromarray(noise))}]})

    assert reply.status_code == 413
    assert "send fewer inputs, or smaller images" in reply.json()["detail"]


async def test_requests_that_wait_encode_each_image_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_images: list[int] = []
    rows = MultimodalEncoder._rows
    monkeypatch.setattr(
        MultimodalEncoder,
        "_rows",
        lambda self, inputs, role: (n_images.append(len(inputs)), rows(self, inputs, role))[1],
    )
    app = service_of(ServiceSettings(model=str(folder)))
    uris = [data_uri(picture("red", 1)), data_uri(picture("green", 2))]
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client,
    ):
        while (await client.get("/ready")).status_code == 503:
            await asyncio.sleep(0.02)
        n_images.clear()
        # The first is answered alone, the others by one call.
        asked = [{"inputs": [{"image": uris[number % 2]}]} for number in range(9)]
        replies = await asyncio.gather(*(client.post("/classify", json=each) for each in asked))

    labels = [reply.json()["labels"][0]["label"] for reply in replies]
    assert labels == ["red", "green"] * 4 + ["red"]
    assert sum(n_images) <= 3


def test_labels_are_learned_from_images(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    blue = [data_uri(Image.new("RGB", (16, 16), (10, 10, 200 + number))) for number in range(3)]
    examples = [{"image": uri, "label": "blue"} for uri in blue]
    with serving(ServiceSettings(model=str(model), is_writable=True)) as client:
        learned = client.post("/labels", json={"examples": examples})
        assert set(learned.json()["labels"]) == {"red", "green", "blue"}
        wrong = client.post("/labels", json={"examples": [{"image": "/etc/passwd", "label": "blue"}]})
        assert (wrong.status_code, "no path or URL is opened" in wrong.text) == (422, True)
        empty = client.post("/labels", json={"examples": [{"label": "blue"}]})
        assert empty.status_code == 422
        reply = client.post("/classify", json={"inputs": [{"image": blue[1]}]}).json()
        assert reply["labels"][0]["label"] == "blue"
    again = ZeroShotClassifier.load(model, read_only=True)
    assert len(again.retriever_.retrieve([Item(id="a", image=blue[0])], top_k=30)[0]) == 16
    again.close()


def test_a_detector_tells_how_new_an_image_is(tmp_path: Path) -> None:
    clip = str(save_clip(tmp_path / "clip"))
    known = [Item(id=f"{n}", image=picture("red", n)) for n in range(12)]
    detector = NoveltyDetector(clip).fit(known)
    detector.save(tmp_path / "model")
    detector.close()
    with serving(ServiceSettings(model=str(tmp_path / "model"))) as client:
        given = [{"image": data_uri(picture("red", 3))}, {"image": data_uri(picture("green", 3))}]
        near, far = client.post("/detect", json={"inputs": given}).json()["novelties"]
    assert near["novelty"] < far["novelty"]


def test_a_model_of_images_alone_is_served(tmp_path: Path) -> None:
    items = [picture(colour, number) for colour in COLOURS for number in range(4)]
    model = ZeroShotClassifier("efficientnet-lite0").fit(items, ["red"] * 4 + ["green"] * 4)
    model.save(tmp_path / "model")
    model.close()
    with serving(ServiceSettings(model=str(tmp_path / "model"))) as client:
        assert client.get("/ready").json()["reads"] == ["images"]
        reply = client.post("/classify", json={"inputs": [{"image": data_uri(picture("green", 9))}]})
        assert reply.json()["labels"][0]["label"] == "green"
        text = client.post("/classify", json={"inputs": ["a green thing"]})
        assert (text.status_code, "takes images only" in text.text) == (422, True)


def test_a_row_of_a_table_may_hold_a_sent_picture(tmp_path: Path) -> None:
    paths = []
    for colour in COLOURS:
        for number in range(6):
            paths.append(str(tmp_path / f"{colour}-{number}.png"))
            picture(colour, number).save(paths[-1])
    rows = [{"photo": path, "name": "a thing", "colour": Path(path).stem.split("-")[0]} for path in paths]
    clip = str(save_clip(tmp_path / "clip"))
    model = ZeroShotClassifier(clip).fit(rows, text="name", image="photo", target="colour")
    model.save(tmp_path / "model")
    model.close()
    uri = data_uri(picture("green", 9))
    with serving(ServiceSettings(model=str(tmp_path / "model"))) as client:
        reply = client.post("/classify", json={"inputs": [{"photo": uri, "name": "a thing"}]})
        assert reply.json()["labels"][0]["label"] == "green"
        wrong = client.post("/classify", json={"inputs": [{"photo": paths[0], "name": "a thing"}]})
        assert (wrong.status_code, "no path or URL is opened" in wrong.text) == (422, True)
