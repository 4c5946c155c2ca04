"""Items with images through Milvus Lite and a server: the same item comes back, and its vector is its own."""

import base64

import numpy as np
import pytest
from milvus_targets import fresh_index
from PIL import Image
from tiny_models import save_clip
from zeroshot_core import Item, Retriever, load_encoder
from zeroshot_core.index import Condition


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return load_encoder(save_clip(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    noise = np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("pictures") / "a photo.png"
    Image.fromarray(noise).save(path)
    return path


def items(path):
    uri = "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    return [
        Item(id="path", image=path, metadata={"price": 3}),
        Item(id="uri", image=uri),
        Item(id="both", text="a dog", image=path),
        Item(id="pil", image=Image.new("RGB", (20, 20), "navy")),
        Item(id="bytes", image=path.read_bytes()),
        *(Item(id=f"text {n}", text=f"{path} {n}") for n in range(4)),
    ]


def test_the_same_item_comes_back(uri, clip, path):
    given = items(path)
    with fresh_index(uri) as index:
        version = index.open(index.build(given, clip), fingerprint=clip.fingerprint)
        kept = version.known_items([item.id for item in given])
        again = [kept[item.id] for item in given]

        assert [item.modality for item in again] == [item.modality for item in given]
        assert [item for item in again if item.id not in ("pil", "bytes")] == [
            item for item in given if item.id not in ("pil", "bytes")
        ]
        stored = version.item_vectors([item.id for item in given])
        for side in (given, again):
            cosines = (clip.encode([item.content for item in side]) * stored).sum(axis=1)
            assert cosines.min() >= 0.999

        retriever = Retriever(version, clip)
        for asked, expected in zip(
            given[:4], ({"path", "uri", "bytes"},) * 2 + ({"both"}, {"pil"}), strict=True
        ):
            (hits,) = retriever.retrieve([asked], top_k=1)
            assert hits[0].id in expected
            assert hits[0].image
        (hits,) = retriever.retrieve(["a cat"], top_k=6)
        assert {"text", "image"} <= {hit.modality for hit in hits}
        (hits,) = retriever.retrieve(["a cat"], filter=Condition("zeroshot.image", "==", str(path)))
        assert {hit.id for hit in hits} == {"path", "both"}
