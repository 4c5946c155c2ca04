"""Items with images in the index and in every model: what takes texts takes images, and both."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from zeroshot_core import (
    InvalidInputError,
    Item,
    KnowledgeGraph,
    NoveltyDetector,
    Retriever,
    VectorIndex,
    ZeroShotClassifier,
    ZeroShotRegressor,
)
from zeroshot_core.encoders import CentredEncoder, FunctionEncoder
from zeroshot_core.explain.wording import hit_in_words, source_in_words
from zeroshot_core.index import Condition
from zeroshot_core.retrieval import recommend, similar_items
from zeroshot_core.retrieval.recommendation import Profile
from zeroshot_core.serving.inputs import to_item
from zeroshot_core.training import TrainingPlan, tune_head

COLOURS = {"red": (220, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 220), "white": (240, 240, 240)}


def of_words(texts: list[str]) -> list[list[float]]:
    """Count the names of colours; all words lie to one side, as in models of both."""
    return [[0.05 + text.count(name) for name in COLOURS] + [1.0] + 3 * [0.0] for text in texts]


def of_pixels(images: list[Image.Image]) -> list[list[float]]:
    """See how near the mean colour is to each named one; all images lie to the other side."""
    rows = []
    for image in images:
        mean = np.asarray(image, dtype=float).mean(axis=(0, 1))
        near = [np.exp(-(((mean - colour) / 90) ** 2).sum()) for colour in COLOURS.values()]
        rows.append([*near, 0.0, 1.0, float(np.std(np.asarray(image))) / 200, 0.0])
    return rows


@pytest.fixture(scope="module")
def encoder() -> FunctionEncoder:
    return FunctionEncoder(of_words, image_function=of_pixels, name="colours", dimension=8)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Twelve pictures of each colour, in files whose names say nothing."""
    folder, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    found: dict[str, list[Path]] = {}
    for name, colour in COLOURS.items():
        for number in range(12):
            shade = np.clip(np.array(colour) + rng.integers(-15, 15, 3), 0, 255)
            pixels = np.tile(shade.astype(np.uint8), (12, 12, 1))
            pixels[: number % 5] = 128
            path = folder / f"{len(found)}-{number}.png"
            Image.fromarray(pixels).save(path)
            found.setdefault(name, []).append(path)
    return found


@pytest.fixture
def index(tmp_path: Path) -> Iterator[VectorIndex]:
    with VectorIndex.connect(tmp_path / "index.db") as opened:
        yield opened


def test_an_index_keeps_what_an_image_is(
    index: VectorIndex, encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    path = drawn["red"][0]
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8))
    items = [
        Item(id="path", image=path, metadata={"price": 3}),
        Item(id="pil", image=Image.new("RGB", (20, 20), COLOURS["blue"])),
        Item(id="bytes", image=drawn["green"][1].read_bytes()),
        Item(id="both", text="a white thing", image=str(drawn["white"][0])),
        Item(id="text", text="red words"),
        Item(id="noise", image=noise),
    ]
    version = index.open(index.build(items, encoder), fingerprint=encoder.fingerprint)
    found = version.known_items([item.id for item in items])

    assert found["path"] == items[0]
    assert found["both"] == items[3]
    assert found["text"] == items[4]
    assert [found[item.id].modality for item in items] == [
        "image",
        "image",
        "image",
        "text+image",
        "text",
        "image",
    ]
    assert found["noise"].image.startswith("sha256:")
    again = [found[id_] for id_ in ("path", "pil", "bytes", "both", "text")]
    stored = version.item_vectors([item.id for item in again])
    cosines = (encoder.encode(again) * stored).sum(axis=1)
    assert cosines.min() >= 0.999
    with pytest.raises(InvalidInputError, match="give items the paths of their images"):
        encoder.encode([found["noise"]])
    (hits,) = Retriever(version, encoder).retrieve([path])
    assert (hits[0].id, hits[0].text, hits[0].image, hits[0].modality) == ("path", "", str(path), "image")
    assert hits[0].metadata == {"price": 3}
    (only,) = Retriever(version, encoder).retrieve(
        ["red"], filter=Condition("zeroshot.modality", "==", "text+image")
    )
    assert [hit.id for hit in only] == ["both"]


def test_own_items_of_images_are_filtered_as_stored_ones(
    index: VectorIndex, encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    version = index.open(index.build([Item(id="text", text="red")], encoder), fingerprint=encoder.fingerprint)
    new = Item(id="new", image=drawn["red"][0])
    own = version.with_items([new], encoder.encode([new]))
    rows, vectors = own.own_rows
    again = version.with_rows(rows, vectors)

    for opened in (own, again):
        (hits,) = Retriever(opened, encoder).retrieve(
            ["red"], filter=Condition("zeroshot.modality", "==", "image")
        )
        assert [(hit.id, hit.image) for hit in hits] == [("new", str(drawn["red"][0]))]


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (Item(id="a", image="/no/such/dog.png"), r"item 'a': .*/no/such/dog\.png"),
        (Item(id="a", image=3), "item 'a': expected an image as a path"),
        (Item(id="a", text="x", metadata={"zeroshot.image": "b"}), "expected metadata without the key"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_the_item(
    item: Item, words: str, index: VectorIndex, encoder: FunctionEncoder
) -> None:
    with pytest.raises(InvalidInputError, match=words):
        index.build([item], encoder)


def test_each_finds_the_other(
    index: VectorIndex, encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    names = list(COLOURS)
    pictures = [
        Item(id=f"{name} picture {n}", image=path) for name in names for n, path in enumerate(drawn[name][:6])
    ]
    words = [Item(id=f"{name} words {n}", text=f"{name} thing {n}") for name in names for n in range(6)]
    centred = CentredEncoder.fit(
        encoder, {"text": [item.text for item in words], "image": [item.content for item in pictures]}
    )

    def first(asked: object, kind: str, reader: CentredEncoder | FunctionEncoder) -> list[str]:
        version = index.open(index.build([*pictures, *words], reader), fingerprint=reader.fingerprint)
        (hits,) = Retriever(version, reader, top_k=8).retrieve([asked])
        return [kind if kind in hit.id else "other" for hit in hits]

    # The cosines of words are all above those of pictures, but counted each on its own scale.
    assert {*first("green", "green", encoder)} == {"green"}
    assert {*first("green", "green picture", encoder)} == {"green picture", "other"}
    assert {*first(drawn["blue"][8], "blue words", encoder)} == {"blue words", "other"}
    assert {*first("green", "green", centred)} == {"green"}
    assert {*first("green", "green picture", centred)} == {"green picture", "other"}
    assert {*first(drawn["blue"][8], "blue", centred)} == {"blue"}
    assert {*first(Item(id="q", text="red", image=drawn["red"][9]), "red", centred)} == {"red"}


def test_pictures_get_their_label_by_names_or_examples(
    encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    names = list(COLOURS)
    centred = CentredEncoder.fit(
        encoder,
        {
            "text": [f"{name} {n}" for name in names for n in range(5)],
            "image": [p for each in drawn.values() for p in each[:6]],
        },
    )
    asked = [drawn[name][8] for name in names]
    by_name = ZeroShotClassifier(centred, template="{}").fit(labels=names)
    assert [each.value for each in by_name.explain(asked)] == names
    again = ZeroShotClassifier(centred, template="{}").fit(
        labels=names[:3], unlabelled=[p for n in names[:3] for p in drawn[n]]
    )
    assert again.predict(asked[:3]).tolist() == names[:3]

    examples = [Item(id=f"{name}{n}", image=path) for name in names for n, path in enumerate(drawn[name][:6])]
    labels = [name for name in names for _ in range(6)]
    learned = ZeroShotClassifier(encoder=encoder).fit(examples, labels)
    assert learned.predict(asked).tolist() == names
    assert learned.predict([Image.open(asked[1])]).tolist() == ["green"]


def test_a_picture_of_nothing_known_is_new(encoder: FunctionEncoder, drawn: dict[str, list[Path]]) -> None:
    known = [path for name in ("red", "green", "blue") for path in drawn[name][:10]]
    detector = NoveltyDetector(encoder=encoder).fit(
        known, labels := [n for n in ("red", "green", "blue") for _ in range(10)]
    )
    scores = detector.novelty_score([drawn["white"][3], drawn["red"][11]])
    assert len(labels) == 30
    assert scores[0] > scores[1]


def test_a_picture_of_no_label_is_none_of_these(
    encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    labels = ["red", "green", "blue"]
    examples = [path for name in labels for path in drawn[name][:10]]
    outside = [drawn["white"][3], drawn["white"][8], Image.new("RGB", (12, 12), (120, 100, 40))]
    inside = [drawn[name][11] for name in labels]
    for reader in (encoder, only_pixels()):
        model = ZeroShotClassifier(reader).fit(examples, [name for name in labels for _ in range(10)])
        assert model.predict([*inside, *outside], reject=True).tolist() == [*labels, "", "", ""]
        scores = model.novelty_score([*inside, *outside])
        assert max(scores[:3]) < min(scores[3:])


def only_pixels() -> FunctionEncoder:
    return FunctionEncoder(None, image_function=of_pixels, name="pixels", dimension=8)


def test_an_encoder_of_images_alone_learns_labels_from_examples(
    drawn: dict[str, list[Path]], tmp_path: Path
) -> None:
    names = ["red", "green", "blue"]
    examples = [path for name in names for path in drawn[name][:6]]
    model = ZeroShotClassifier(only_pixels()).fit(examples, [name for name in names for _ in range(6)])
    model.save(tmp_path / "model")
    opened = ZeroShotClassifier.load(tmp_path / "model", encoder=only_pixels())
    for each in (model, opened):
        assert each.predict([drawn[name][8] for name in names]).tolist() == names
    (told,) = opened.explain([drawn["green"][9]])
    assert told.value == told.evidence.concepts[0].id == "green"
    opened.partial_fit(drawn["white"][:4], ["white"] * 4)
    assert opened.predict([drawn["white"][7], drawn["red"][7]]).tolist() == ["white", "red"]

    for fitted in (
        lambda: ZeroShotClassifier(only_pixels()).fit(labels=names),
        lambda: ZeroShotClassifier(only_pixels()).fit(examples[:2], ["red", "red"], labels=names),
        lambda: opened.partial_fit(labels=["black"]),
    ):
        with pytest.raises(
            InvalidInputError, match=r"examples of each label, since .* images only.*fit_bridge"
        ):
            fitted()


def test_things_like_a_picture_are_recommended(
    index: VectorIndex, encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    items = [Item(id=f"{name} {n}", image=path) for name in COLOURS for n, path in enumerate(drawn[name][:4])]
    retriever = Retriever(index.open(index.build(items, encoder), fingerprint=encoder.fingerprint), encoder)
    asked = [drawn["green"][8], Image.open(drawn["blue"][9])]
    for hits, name in zip(similar_items(retriever, asked, top_k=3), ("green", "blue"), strict=True):
        assert {hit.id.split()[0] for hit in hits} == {name}
    (hits,) = recommend(retriever, [Profile(liked=[asked[0]], disliked=[asked[1]])], top_k=2)
    assert {hit.id.split()[0] for hit in hits} == {"green"}


def test_a_number_is_forecast_from_a_picture(encoder: FunctionEncoder, drawn: dict[str, list[Path]]) -> None:
    prices = dict(zip(COLOURS, (10.0, 20.0, 40.0, 80.0), strict=True))
    items = [Item(id=f"{name}{n}", image=path) for name in COLOURS for n, path in enumerate(drawn[name][:10])]
    targets = [prices[item.id.rstrip("0123456789")] for item in items]
    model = ZeroShotRegressor(encoder=encoder).fit(items, targets)
    cheap, dear = model.predict([drawn["red"][11], drawn["white"][11]])
    assert cheap < dear
    told = model.contributions([drawn["red"][11], Item(id="a", text="red", image=drawn["red"][11])])
    words = [{source_in_words(each) for each in row if each.kind == "text"} for row in told.by_item]
    assert words == [{"the picture"}, {"the text and picture"}]
    (hits,) = model.retriever_.retrieve([drawn["red"][11]], top_k=1)
    assert "similarity of the picture 1.00" in hit_in_words(hits[0], KnowledgeGraph())


def test_a_head_is_tuned_on_pictures(encoder: FunctionEncoder, drawn: dict[str, list[Path]]) -> None:
    contents = [path for name in COLOURS for path in drawn[name]]
    labels = [name for name in COLOURS for _ in drawn[name]]
    tuned, report = tune_head(encoder, contents, labels, plan=TrainingPlan(epochs=2))
    assert report.n_training + report.n_held_out == len(contents)
    assert tuned.encode(contents[:2]).shape == (2, 8)


def test_a_column_of_a_table_holds_pictures(
    encoder: FunctionEncoder, drawn: dict[str, list[Path]], tmp_path: Path
) -> None:
    places = [(name, number) for name in COLOURS for number in range(10)]
    table = {
        # Some rows have a picture, some a name, some both.
        "photo": [str(drawn[name][n]) if n % 3 else None for name, n in places],
        "name": [f"a {name} thing" if n % 3 != 1 else None for name, n in places],
        "colour": [name for name, _ in places],
    }
    model = ZeroShotClassifier(encoder).fit(pd.DataFrame(table), text="name", image="photo", target="colour")
    model.save(tmp_path / "model")
    opened = ZeroShotClassifier.load(tmp_path / "model", encoder=encoder)
    new = pd.DataFrame({"photo": [drawn["red"][11], drawn["white"][11]], "name": [None, "a white thing"]})

    assert opened.predict(new).tolist() == ["red", "white"]
    with pytest.raises(
        InvalidInputError, match="a text or an image in 'name' and 'photo', got an empty one in"
    ):
        opened.predict(pd.DataFrame({"photo": [None], "name": [" "]}))
    with pytest.raises(InvalidInputError, match="no path or URL is opened for others"):
        to_item({"photo": str(drawn["red"][0]), "name": "thing"}, "query-0", opened)


def test_pictures_learned_one_after_the_other_do_not_replace_each_other(
    encoder: FunctionEncoder, drawn: dict[str, list[Path]]
) -> None:
    items = [path for name in COLOURS for path in drawn[name][:3]]
    model = ZeroShotClassifier(encoder).fit(items, [name for name in COLOURS for _ in range(3)])
    for name in COLOURS:
        model.partial_fit([drawn[name][5]], [name])
    found = model.retriever_.retrieve([drawn["red"][5]], top_k=100)[0]
    assert len(found) == 4 * len(COLOURS)
    model.close()
