"""How well the same meaning is found in another language: the protocol, its data and its command."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner
from zeroshot_core import encoders
from zeroshot_core.cli.main import app
from zeroshot_core.datasets import EmojiNames, load_emoji_names
from zeroshot_core.encoders import FunctionEncoder, HashEncoder, SideBySideEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.evaluation import evaluate_languages

THINGS = [
    f"{a} {b}"
    for a in ("red", "blue", "green", "old", "small")
    for b in ("lamp", "chair", "rug", "vase", "sofa")
]
ENGLISH = HashEncoder(64)
# A language whose words are those of English, turned round.
NAMES = {"en": tuple(THINGS), "xx": tuple(thing[::-1] for thing in THINGS)}
DATA = EmojiNames(names=NAMES, keywords={"en": tuple(f"a {t}" for t in THINGS), "xx": NAMES["xx"]})


def both_ways(texts):
    known = set(THINGS)
    return ENGLISH.encode([text if text[::-1] not in known else text[::-1] for text in texts]).tolist()


TWO = FunctionEncoder(both_ways, name="two", dimension=64, fingerprint="b" * 16)


def test_each_language_is_searched_for_by_its_names_beside_a_baseline_and_chance():
    report = evaluate_languages(TWO, DATA, baseline=ENGLISH)
    assert (report.names["xx"].at_1, report.names["xx"].at_10) == (1.0, 1.0)
    assert report.keywords["xx"].at_1 == 1.0
    assert report.baseline["xx"].at_1 < 0.3
    assert report.chance.at_1 == pytest.approx(1 / 25)
    assert report.to_dict()["means"]["names"]["at_1"] == 1.0


def test_an_index_of_the_baseline_is_asked_over_a_bridge():
    report = evaluate_languages(TWO, DATA, baseline=ENGLISH, is_live=True)
    assert report.bridge.n_pairs == 50
    assert report.names["xx"].at_1 > 0.9 > 0.3 > report.baseline["xx"].at_1
    assert report.keywords == {}


def test_centring_is_learned_from_names_that_are_not_asked_for():
    report = evaluate_languages(TWO, DATA, is_centred=True)
    assert report.encoder == "two, centred"
    assert report.names["xx"].at_1 * 13 == pytest.approx(round(report.names["xx"].at_1 * 13))
    assert report.baseline == {}


def test_encoders_side_by_side_are_centred_each_by_itself():
    report = evaluate_languages(SideBySideEncoder([TWO, ENGLISH], [3, 1]), DATA, is_centred=True)
    assert report.encoder == "two, centred + hash-64, centred"


def test_a_bank_of_names_that_are_not_asked_for_is_measured_beside_the_plain_search():
    report = evaluate_languages(TWO, DATA, has_query_bank=True)
    assert report.banked["xx"].at_1 == report.banked_alone["xx"].at_1 == report.alone["xx"].at_1 == 1.0
    assert report.to_dict()["means"]["banked"]["at_10"] == 1.0
    assert evaluate_languages(TWO, DATA).banked == {}


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InvalidInputError, match="expected at least one language beside English"):
        evaluate_languages(TWO, EmojiNames(names={"en": ("a",)}, keywords={}))
    with pytest.raises(InvalidInputError, match="expected a baseline, whose index is asked"):
        evaluate_languages(TWO, DATA, is_live=True)
    with pytest.raises(InvalidInputError, match="expected names in 'yy', got none"):
        evaluate_languages(TWO, EmojiNames(names={**NAMES, "yy": ("",) * 25}, keywords={}))


def test_names_come_with_the_package_without_flags_and_skin_tones():
    data = load_emoji_names(["de"])
    place = data.names["en"].index("grinning face")
    assert data.names["de"][place] == "grinsendes gesicht"
    assert len(set(data.names["en"])) > 1500
    assert not any("skin tone" in name for name in data.names["en"])
    with pytest.raises(InvalidInputError, match="expected language to be one of"):
        load_emoji_names(["tlh"])


def test_names_and_keywords_are_read_from_npm_packages(tmp_path):
    def write(path, content):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")

    base = tmp_path / "emojibase-data"
    write(base / "meta" / "groups.json", {"subgroups": {"0": "face", "1": "country-flag"}})
    rows = [("😀", 0, 0), ("❤\ufe0f", 0, 0), ("🇩🇪", 9, 1), ("🏻", 2, 0)]
    write(base / "en" / "data.json", [{"emoji": e, "group": g, "subgroup": s} for e, g, s in rows])
    for code, names in {"en": ("grin", "heart"), "de": ("Grinsen", "Herz")}.items():
        entries = {
            sign: {"tts": [name], "default": [name, "x"]} for sign, name in zip("😀❤", names, strict=True)
        }
        write(
            tmp_path / "cldr-annotations-full" / "annotations" / code / "annotations.json",
            {"annotations": {"annotations": entries}},
        )
    data = load_emoji_names(["de"], folder=tmp_path)
    assert data.names == {"en": ("grin", "heart"), "de": ("Grinsen", "Herz")}
    assert data.keywords["de"] == ("x", "x")
    with pytest.raises(InvalidInputError, match="npm install cldr-annotations-full"):
        load_emoji_names(["fr"], folder=tmp_path)


def test_the_command_prints_a_table_and_json(monkeypatch):
    monkeypatch.setattr(encoders, "load_encoder", lambda name: HashEncoder(32))
    words = [
        "evaluate",
        "languages",
        "--languages",
        "de",
        "--encoder",
        "a",
        "--encoder",
        "b",
        "--weight",
        "3",
    ]
    table = CliRunner().invoke(app, [*words, "--weight", "1"])
    assert table.exit_code == 0, table.output
    assert "hash-32 + hash-32" in table.stdout
    assert "by chance 0.0006 0.0060" in table.stdout
    printed = CliRunner().invoke(app, [*words[:6], "--json"])
    assert set(json.loads(printed.stdout)["means"]) == {
        "names",
        "keywords",
        "baseline",
        "classes",
        "class_names",
        "banked",
        "alone",
        "banked_alone",
    }


def test_names_are_sorted_into_groups_learned_in_english_or_from_their_names_alone():
    groups = tuple(thing.split()[1] for thing in THINGS)
    report = evaluate_languages(TWO, replace(DATA, groups=groups), has_classes=True)
    assert report.classes["xx"] > 0.6 < report.class_names["xx"]
    assert report.to_dict()["means"]["classes"] == report.classes["xx"]
    with pytest.raises(InvalidInputError, match="expected groups of the things, got none"):
        evaluate_languages(TWO, DATA, has_classes=True)
