"""What images and texts find of each other over a bridge: the protocol, its data and its command."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from zeroshot_core import encoders
from zeroshot_core.cli.main import app
from zeroshot_core.datasets import EmojiPictures, load_emoji_pictures
from zeroshot_core.encoders import Encoder, HashEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation import evaluate_images
from zeroshot_core.evaluation.cross_modal import split_pictures
from zeroshot_core.evaluation.picture_gallery import picture_gallery
from zeroshot_core.images import read_image
from zeroshot_core.report import GalleryQuery

SHADES = [(r, g, b) for r in (0, 85, 170, 255) for g in (0, 85, 170, 255) for b in (0, 85, 170, 255)]
NAMES = tuple(f"red{r} green{g} blue{b}" for r, g, b in SHADES)
MIX = np.random.default_rng(0).normal(size=(12, 24))


class Colours(Encoder):
    """Which shade of each channel a picture of one colour has."""

    name, dimension, fingerprint, modalities = "colours", 24, "c" * 16, ("image",)

    def encode(self, contents, *, role="document", show_progress=False):
        pixels = [
            read_image(getattr(content, "image", content)).pixels.getpixel((0, 0)) for content in contents
        ]
        rows = [[float(part == shade) for part in pixel for shade in (0, 85, 170, 255)] for pixel in pixels]
        rows = np.array(rows) @ MIX
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def to_config(self):
        return {"kind": "function", "name": self.name, "dimension": 24, "fingerprint": self.fingerprint}


@pytest.fixture
def packages(tmp_path):
    def write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    signs = [chr(0x1F300 + i) for i in range(len(SHADES))]
    write(tmp_path / "emojibase-data/meta/groups.json", {"subgroups": {str(i): f"red-{i}" for i in range(4)}})
    rows = [{"emoji": sign, "group": 0, "subgroup": i // 16} for i, sign in enumerate(signs)]
    write(tmp_path / "emojibase-data/en/data.json", [*rows, {"emoji": "x", "group": 0, "subgroup": 0}])
    for code in ("en", "de"):
        entries = {s: {"tts": [n], "default": [n, "colour"]} for s, n in zip(signs, NAMES, strict=True)}
        entries |= {"x": {"tts": ["no picture"], "default": []}}
        path = tmp_path / f"cldr-annotations-full/annotations/{code}/annotations.json"
        write(path, {"annotations": {"annotations": entries}})
    package = tmp_path / "emoji-datasource-google"
    codes = [f"{ord(sign):X}" for sign in signs]
    data = [{"unified": code, "image": f"{code}.png", "has_img_google": True} for code in codes]
    write(package / "emoji.json", data)
    (package / "img/google/64").mkdir(parents=True)
    for code, shade in zip(codes, SHADES, strict=True):
        Image.new("RGB", (4, 4), shade).save(package / f"img/google/64/{code}.png")
    return tmp_path


def test_pictures_come_with_names_captions_and_groups(packages):
    data = load_emoji_pictures(packages, ["de"])
    assert len(data.pictures) == len(SHADES)
    assert data.pictures[0].name == "1F300.png"
    assert data.captions[0] == "red0 green0 blue0: colour"
    assert (data.names["de"][63], data.groups[63]) == ("red255 green255 blue255", "red 3")
    assert data.licence == "Google's emoji, Apache-2.0"
    with pytest.raises(InvalidInputError, match="npm install emoji-datasource-twitter"):
        load_emoji_pictures(packages, ["de"], style="twitter")


@pytest.mark.filterwarnings("ignore:the bridge is no better")
def test_pictures_and_words_find_each_other_beside_chance_and_the_nearest_picture(packages):
    data = load_emoji_pictures(packages, ["de"])
    report = evaluate_images(Colours(), HashEncoder(64), data, n_pairs=43, seeds=[0, 1])
    assert report.n_documents == 21
    assert report.captions.at_1 > 0.8 > report.nearest.at_1
    assert report.captions.at_1 > report.unseen.at_1 > report.chance.at_1 == pytest.approx(1 / 21)
    assert report.unseen_parts.at_1 > report.unseen.at_1
    assert report.chance_parts.at_1 == pytest.approx(1 / 7)
    assert set(report.search) == {"en", "de"}
    assert report.search["de"] == report.search["en"]
    assert report.to_dict()["mean_search"]["at_1"] == report.search["de"].at_1 > 0.8
    assert report.bridge.n_pairs == 86
    with pytest.raises(InvalidInputError, match="expected at most 43 pairs beside the 21 pictures held out"):
        evaluate_images(Colours(), HashEncoder(64), data, n_pairs=44)


def test_without_pairs_the_names_of_classes_are_all(packages):
    data: EmojiPictures = load_emoji_pictures(packages, [])
    rows = list(zip(Colours().encode(data.pictures), NAMES, strict=True))
    report = evaluate_images(Colours(), HashEncoder(64), data, n_pairs=0, free_pairs=rows)
    assert (report.nearest, report.unseen, report.labelled, report.bridge) == (None, None, None, None)
    assert report.unseen_parts is None
    assert report.captions.at_1 > 3 * report.chance.at_1


@pytest.fixture
def command(packages, monkeypatch):
    known = {"c": Colours(), "w": HashEncoder(32), "b": HashEncoder(16)}
    monkeypatch.setattr(encoders, "load_encoder", lambda name: known[name])
    words = ["evaluate", "images", "--folder", str(packages), "--encoder", "w", "--image-encoder", "c"]
    return [*words, "--baseline", "b", "--pairs", "30", "--pairs", "40", "--languages", "de"]


@pytest.mark.filterwarnings("ignore:the bridge is no better")
def test_the_command_prints_a_table_beside_a_baseline_and_json(command):
    table = CliRunner().invoke(app, command)
    assert table.exit_code == 0, table.output
    assert "name in de to picture" in table.stdout
    for head in ("hash-32, 30 pairs", "hash-16, 40 pairs"):
        assert head in " ".join(table.stdout.split()), table.stdout
    assert "recall among 21, by chance 0.048 0.476, within a part 0.143 1.000; means over seeds 0, 1, 2" in (
        " ".join(table.stdout.split())
    )
    printed = CliRunner().invoke(app, [*command, "--seed", "1", "--json"])
    reports = json.loads(printed.stdout)["reports"]
    assert [each["n_pairs"] for each in reports] == [30, 40, 30, 40]
    assert [each["seeds"] for each in reports] == [[1]] * 4


@pytest.mark.filterwarnings("ignore:the bridge is no better")
def test_a_second_run_takes_vectors_from_its_cache_and_finds_the_same(command, tmp_path, monkeypatch):
    words = [*command, "--seed", "0", "--cache", str(tmp_path / "vectors.sqlite"), "--json"]
    first = CliRunner().invoke(app, words)
    monkeypatch.setattr(Colours, "encode", None)
    second = CliRunner().invoke(app, words)
    assert second.exit_code == 0, second.output
    assert json.loads(second.stdout) == json.loads(first.stdout)


@pytest.mark.filterwarnings("ignore:the bridge is no better")
def test_the_gallery_shows_pictures_of_no_pair_inside_the_page(command, tmp_path):
    page = tmp_path / "gallery.html"
    done = CliRunner().invoke(app, [*command, "--seed", "0", "--report", str(page)])
    assert done.exit_code == 0, done.output
    html = page.read_text(encoding="utf-8")
    assert html.count("<section>") == 10
    assert html.count('<img src="data:image/png;base64,') == 80
    assert {'lang="en"', 'lang="de"', 'lang="ru"', 'lang="zh"', 'lang="ar"'} <= set(html.split())
    assert "Apache-2.0" in html
    assert "Unicode-3.0" in html


@pytest.mark.filterwarnings("ignore:the bridge is no better")
def test_a_gallery_finds_the_picture_that_a_query_names(packages):
    data = load_emoji_pictures(packages, [])
    _, held_out = split_pictures(data, 43, 0)
    queries = [GalleryQuery(language="en", text=NAMES[row]) for row in held_out]
    gallery = picture_gallery(Colours(), HashEncoder(64), data, n_pairs=43, queries=queries)
    first = [query.found[0].name == query.text for query in gallery.queries]
    assert np.mean(first) > 0.6
