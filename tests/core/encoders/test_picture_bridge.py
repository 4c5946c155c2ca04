"""Pictures and words by two encoders that never met, joined by few pairs."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from zeroshot_core import Item, Retriever, VectorIndex, load_encoder
from zeroshot_core.encoders import HashEncoder, encoder_from_config
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.training import fit_bridge

COLOURS = ("red", "green", "blue", "yellow", "black")
SHAPES = {
    "disc": lambda pen, colour: pen.ellipse((12, 12, 52, 52), fill=colour),
    "bar": lambda pen, colour: pen.rectangle((4, 26, 60, 38), fill=colour),
    "square": lambda pen, colour: pen.rectangle((12, 12, 52, 52), fill=colour),
    "cross": lambda pen, colour: (
        pen.line((8, 8, 56, 56), fill=colour, width=8),
        pen.line((8, 56, 56, 8), fill=colour, width=8),
    ),
    "triangle": lambda pen, colour: pen.polygon((32, 6, 6, 58, 58, 58), fill=colour),
}
UNSEEN = ("red bar", "blue square", "green triangle")


def picture(name):
    colour, shape = name.split()
    image = Image.new("RGB", (64, 64), "white")
    SHAPES[shape](ImageDraw.Draw(image), colour)
    return image


PICTURES = {f"{colour} {shape}": picture(f"{colour} {shape}") for colour in COLOURS for shape in SHAPES}
WORDS = HashEncoder(64)


@pytest.fixture(scope="module")
def bridges():
    pairs = [(image, name) for name, image in PICTURES.items() if name not in UNSEEN]
    tower = load_encoder("efficientnet-lite0")
    return {space: fit_bridge(tower, WORDS, pairs, space=space)[0] for space in ("joint", "right")}


@pytest.mark.parametrize("space", ["joint", "right"])
def test_unseen_pictures_are_found_by_their_names_and_name_themselves(bridges, space):
    bridge, names = bridges[space], list(PICTURES)
    assert bridge.modalities == ("image", "text")
    cosines = bridge.encode(list(PICTURES.values())) @ bridge.encode(names, role="query").T
    for name in UNSEEN:
        place = names.index(name)
        assert (cosines[place] > cosines[place, place]).sum() <= 2
        assert (cosines[:, place] > cosines[place, place]).sum() <= 2


def test_a_bridge_of_pictures_opens_again_from_its_config(bridges):
    content = [PICTURES["red disc"], "red disc"]
    for bridge in bridges.values():
        again = encoder_from_config(bridge.to_config())
        assert again.fingerprint == bridge.fingerprint
        np.testing.assert_allclose(again.encode(content), bridge.encode(content), atol=1e-6)


def test_a_text_with_an_image_lies_between_both(bridges):
    image = PICTURES["red disc"]
    both, *sides = bridges["joint"].encode([Item(id="a", text="red disc", image=image), image, "red disc"])
    np.testing.assert_allclose(both, np.sum(sides, axis=0) / np.linalg.norm(np.sum(sides, axis=0)), atol=1e-5)


def test_words_search_pictures_in_an_index_and_pictures_search_a_live_index_of_words(bridges, tmp_path):
    with VectorIndex.connect(tmp_path / "pictures.db") as index:
        items = []
        for name, image in PICTURES.items():
            image.save(tmp_path / f"{name}.png")
            items.append(Item(id=name, image=tmp_path / f"{name}.png"))
        index.activate(index.build(items, bridges["joint"]))
        version = index.open(fingerprint=bridges["joint"].fingerprint)
        found = Retriever(version, bridges["joint"], top_k=3).retrieve(list(UNSEEN))
        assert all(name in {hit.id for hit in hits} for name, hits in zip(UNSEEN, found, strict=True))
    with VectorIndex.connect(tmp_path / "words.db") as index:
        index.activate(index.build([Item(id=name, text=name) for name in PICTURES], WORDS))
        bridge = bridges["right"]
        live = index.open(fingerprint=bridge.document_fingerprint)
        found = Retriever(live, bridge, top_k=5).retrieve([Item(id="q", image=PICTURES["red bar"])])
        assert "red bar" in {hit.id for hit in found[0]}


def test_without_any_pair_the_classes_of_the_classifier_name_pictures():
    tower = load_encoder("efficientnet-lite0")
    rows = tower.class_pairs()
    assert (len(rows), rows[1][0].shape, rows[1][1]) == (
        1000,
        (1280,),
        "goldfish: goldfish, Carassius auratus",
    )
    bridge, report = fit_bridge(tower, WORDS, [], free_pairs=rows)
    assert report.method == "classes"
    vector = bridge.encode([PICTURES["yellow disc"]])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(
        InvalidInputError, match="takes images only: use one of texts and images, or fit_bridge"
    ):
        tower.encode(["red disc"])
