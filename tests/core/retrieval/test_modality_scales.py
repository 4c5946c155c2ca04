"""Texts and images in one index: their scores on one scale, and nothing changed where there is one kind."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import save_clip
from zeroshot_core import (
    Concept,
    InvalidInputError,
    Item,
    KnowledgeGraph,
    Retriever,
    VectorIndex,
    load_encoder,
)
from zeroshot_core.encoders import FunctionEncoder, MultimodalEncoder
from zeroshot_core.index import Condition, IndexParams
from zeroshot_core.retrieval import QueryBank, learn_fusion, recommend, rerank, similar_items
from zeroshot_core.retrieval.modality_scales import ModalityScales
from zeroshot_core.retrieval.recommendation import Profile

THINGS = {f"t{number}": (np.cos(number), np.sin(number)) for number in range(24)}


def picture(name: str) -> Image.Image:
    """Say which thing it is by its first pixel."""
    return Image.new("RGB", (2, 2), (int(name[1:]), 0, 0))


def of_words(texts: list[str]) -> list[list[float]]:
    """Put all words to one side."""
    return [[*THINGS.get(text.split()[-1], (0.0, 0.0)), 2.0, 0.0] for text in texts]


def of_pixels(images: list[Image.Image]) -> list[list[float]]:
    """Put all pictures to the other side, and near each other."""
    return [
        [*(0.5 * np.array(THINGS.get(f"t{image.getpixel((0, 0))[0]}", (0.0, 0.0)))), 0.0, 2.0]
        for image in images
    ]


@pytest.fixture(scope="module")
def encoder() -> FunctionEncoder:
    return FunctionEncoder(of_words, image_function=of_pixels, name="two sides", dimension=4)


def words() -> list[Item]:
    return [Item(id=f"{name} said", text=f"thing {name}", concepts=(name,)) for name in THINGS]


def pictures() -> list[Item]:
    return [Item(id=f"{name} seen", image=picture(name), concepts=(name,)) for name in THINGS]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[VectorIndex]:
    with VectorIndex.connect(tmp_path / "index.db", params=IndexParams(lexical=True)) as opened:
        yield opened


def opened(index: VectorIndex, items: list[Item], encoder: FunctionEncoder, **settings: object) -> Retriever:
    graph = settings.get("graph")
    version = index.open(index.build(items, encoder, graph=graph), fingerprint=encoder.fingerprint)
    return Retriever(version, encoder, **settings)


def ids(retriever: Retriever, query: object, **settings: object) -> list[str]:
    (hits,) = retriever.retrieve([query], **settings)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return [hit.id for hit in hits]


def test_words_and_pictures_of_a_thing_come_first_whatever_asks(
    index: VectorIndex, encoder: FunctionEncoder
) -> None:
    retriever = opened(index, [*words(), *pictures()], encoder)
    near = {"t5 said", "t5 seen"}

    cosines = (
        encoder.encode(["t5"]) @ encoder.encode([*(f"thing {t}" for t in THINGS), *map(picture, THINGS)]).T
    )
    assert cosines[0, :24].min() > cosines[0, 24:].max()
    assert set(ids(retriever, "t5", top_k=2)) == near
    assert set(ids(retriever, picture("t5"), top_k=2)) == near
    assert set(ids(retriever, Item(id="q", text="t5", image=picture("t5")), top_k=2)) == near
    is_seen = Condition("zeroshot.modality", "==", "image")
    assert ids(retriever, "t5", top_k=1, filter=is_seen) == ["t5 seen"]


@pytest.mark.parametrize("kind", [words, pictures])
def test_an_index_of_one_kind_answers_by_the_cosines_alone(
    index: VectorIndex, encoder: FunctionEncoder, kind: object
) -> None:
    retriever = opened(index, kind(), encoder)
    asked = ["t3", picture("t7")]
    plain = retriever.version.search_items(encoder.encode(asked, role="query"), 5)
    found = retriever.retrieve(asked, top_k=5)

    assert retriever.scales(encoder.encode(asked)) is None
    assert [[hit.id for hit in hits] for hits in found] == plain.ids
    assert [[hit.score for hit in hits] for hits in found] == [row.tolist() for row in plain.scores]


def test_what_is_written_into_the_index_counts_at_once(index: VectorIndex, encoder: FunctionEncoder) -> None:
    retriever = opened(index, words(), encoder)
    assert retriever.scales(encoder.encode(["t1"])) is None
    retriever.version.upsert(pictures(), encoder)
    assert set(ids(retriever, "t1", top_k=2)) == {"t1 said", "t1 seen"}
    retriever.version.delete([item.id for item in pictures()])
    assert retriever.scales(encoder.encode(["t1"])) is None


def test_items_of_a_model_s_own_count(index: VectorIndex, encoder: FunctionEncoder) -> None:
    retriever = opened(index, words(), encoder)
    vectors = encoder.encode([item.content for item in pictures()])
    own = retriever.over(retriever.version.with_items(pictures(), vectors))
    assert set(ids(own, "t1", top_k=2)) == {"t1 said", "t1 seen"}


def test_graph_words_recommendation_and_reranking_use_the_scale(
    index: VectorIndex, encoder: FunctionEncoder
) -> None:
    graph = KnowledgeGraph([Concept(id=name, name=name) for name in THINGS], [])
    items = [*words(), *pictures()]
    retriever = opened(index, items, encoder, graph=graph, lexical_weight=0.2)
    near = {"t5 said", "t5 seen"}

    assert set(ids(retriever, "t5", top_k=2)) == near
    (evidence,) = retriever.evidence([picture("t5")], top_k=2)
    assert {hit.id for hit in evidence.items} == near
    for weight in (0.0, 0.3):
        assert {hit.id for hit in rerank(retriever, "t5", items, top_k=2, graph_weight=weight)} == near
    ((first,),) = similar_items(retriever, ["t5 seen"], top_k=1)
    assert first.id == "t5 said"
    ((first,),) = recommend(retriever, [Profile(liked=[Item(id="new", image=picture("t5"))])], top_k=1)
    assert first.id in near
    asked = list(THINGS)[:12]
    fusion = learn_fusion(retriever, asked, [[f"{name} seen"] for name in asked])
    assert 0 <= fusion.graph_weight <= 1


def test_a_bank_of_queries_is_refused_where_an_index_holds_both(
    index: VectorIndex, encoder: FunctionEncoder
) -> None:
    bank = QueryBank.fit(encoder, [f"thing {name}" for name in THINGS])
    both = opened(index, [*words(), *pictures()], encoder, query_bank=bank)
    with pytest.raises(InvalidInputError, match="expected an index of texts or of images with a query_bank"):
        both.retrieve(["t5"])


def test_scales_of_few_items_are_taken_with_care() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    few = {"text": rows[:30], "image": rows[30:32]}
    assert ModalityScales.of(few, rows[:1]) is None
    scales = ModalityScales.of({"text": rows[:30], "image": rows[30:33]}, rows[:1])
    items = [Item(id=str(n), image=b"x") for n in range(3)]
    scaled = scales.scaled(0, items, (rows[30:33] @ rows[0]).astype(float))
    # Of three alike, none is far ahead of thirty texts.
    assert np.isfinite(scaled).all()
    assert np.argsort(scaled).tolist() == np.argsort(rows[30:33] @ rows[0]).tolist()
    assert scaled.max() < 1.0


def test_few_pictures_stand_out_as_far_as_the_same_do_for_other_queries() -> None:
    found = {"with what is expected": 0, "without": 0}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        things = rng.normal(size=(300, 16))

        def to_side(scale: float, things: np.ndarray, side: list[float]) -> np.ndarray:
            rows = np.hstack([scale * things / 4, np.tile(side, (len(things), 1))])
            return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

        texts = to_side(1.0, things, [1.0, 0.0])
        pictures = to_side(0.4, things + 0.5 * rng.normal(size=things.shape), [0.0, 1.0])[:5]
        scales = ModalityScales.of({"text": texts, "image": pictures}, texts[:5])
        cosines = (texts[:5] @ np.vstack([texts, pictures]).T).astype(float)
        kinds = ["text"] * 300 + ["image"] * 5
        for name, each in zip(found, (scales, replace(scales, expected={})), strict=True):
            rows = [each.scaled_by_kind(n, kinds, cosines[n]) for n in range(5)]
            found[name] += sum((row > row[300 + n]).sum() <= 5 for n, row in enumerate(rows))

    assert found["with what is expected"] >= 16
    assert found["without"] <= 13


def test_the_kind_that_most_items_are_of_keeps_its_cosines_and_others_get_theirs() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    # The same vectors but one, moved and pressed together, as images.
    side = np.eye(8, dtype=np.float32)[:1]
    pressed = 0.3 * rows[1:] + side
    pressed /= np.linalg.norm(pressed, axis=1, keepdims=True)
    query = rng.normal(size=(1, 8)).astype(np.float32)
    query -= query @ side.T @ side
    query /= np.linalg.norm(query)
    scales = ModalityScales.of({"text": rows, "image": pressed}, query)
    texts = [Item(id=str(n), text="text") for n in range(60)]
    images = [Item(id=str(n), image=b"x") for n in range(59)]
    cosines = (rows @ query[0]).astype(float)

    np.testing.assert_array_equal(scales.scaled(0, texts, cosines), cosines)
    as_texts = scales.scaled(0, images, (pressed @ query[0]).astype(float))
    assert np.abs(as_texts - cosines[1:]).max() < 0.15
    assert np.abs(pressed @ query[0] - cosines[1:]).max() > 0.4


def test_nothing_of_another_kind_comes_before_the_query_itself() -> None:
    angles = np.linspace(0.0, 3.0, 30)
    images = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    texts = np.array([[-1.0, 0.01 * n] for n in range(8)] + [[0.9, 0.4359]], dtype=np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    scales = ModalityScales.of({"image": images, "text": texts}, images[:1])
    items = [Item(id="itself", image=b"x"), Item(id="outlier", text="text")]
    itself, outlier = scales.scaled(0, items, np.array([1.0, float(texts[-1] @ images[0])]))
    assert outlier < itself == 1.0


def test_texts_of_a_real_model_do_not_all_come_before_its_images(index: VectorIndex, tmp_path: Path) -> None:
    clip: MultimodalEncoder = load_encoder(save_clip(tmp_path / "clip"))
    rng = np.random.default_rng(0)
    texts = [Item(id=f"text {n}", text=" ".join(rng.choice(list("abcdefgh"), 4))) for n in range(20)]
    noise = rng.integers(0, 255, (20, 8, 8, 3), dtype=np.uint8)
    images = [Item(id=f"image {n}", image=Image.fromarray(pixels)) for n, pixels in enumerate(noise)]
    retriever = opened(index, [*texts, *images], clip)
    asked = ["a b c", "h e a d", images[0].image, images[1].image]

    cosines = clip.encode(asked) @ clip.encode([item.content for item in (*texts, *images)]).T
    # By cosines alone a text's first five are texts, and a picture's pictures.
    assert [{place // 20 for place in row.argsort()[-5:].tolist()} for row in cosines] == [{0}, {0}, {1}, {1}]
    for hits in retriever.retrieve(asked, top_k=5):
        assert {hit.modality for hit in hits} == {"text", "image"}
    assert ids(retriever, asked[2], top_k=1) == ["image 0"]
