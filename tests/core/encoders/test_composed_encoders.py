"""Encoders made of others: centred by language, side by side, and a bridge between two."""

import numpy as np
import pytest
from zeroshot_core import Item, Retriever, VectorIndex, ZeroShotClassifier
from zeroshot_core.encoders import (
    BridgeEncoder,
    CentredEncoder,
    FunctionEncoder,
    HashEncoder,
    SideBySideEncoder,
    encoder_from_config,
    load_encoder,
)
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError

WORDS = [
    "apple",
    "pear",
    "plum",
    "cherry",
    "hammer",
    "saw",
    "drill",
    "wrench",
    "lamp",
    "chair",
    "table",
    "rug",
]
TEXTS = {"xx": [f"{word} {word}" for word in WORDS], "yy": [f"zzzz {word} zzzzz" for word in WORDS]}


def composed():
    base = HashEncoder(32)
    centred = CentredEncoder.fit(base, TEXTS)
    return {
        "centred": centred,
        "side by side": SideBySideEncoder([centred, HashEncoder(64)], [3, 1]),
        "bridge": BridgeEncoder(HashEncoder(64), base, "linear", identity(64, 32)),
        "bridge of roots": BridgeEncoder(HashEncoder(64), base, "linear", identity(64, 32), left_power=0.5),
    }


def identity(d, k):
    return {"left.mean": np.zeros(d), "left.weight": np.eye(d, k), "left.bias": np.full(k, 0.1)}


@pytest.mark.parametrize("kind", ["centred", "side by side", "bridge", "bridge of roots"])
def test_each_gives_unit_rows_and_opens_again_with_a_saved_model(kind, tmp_path):
    encoder = composed()[kind]
    rows = encoder.encode(["red apple", "blue rug"], role="query")
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)
    again = encoder_from_config(encoder.to_config())
    assert (again.fingerprint, again.name) == (encoder.fingerprint, encoder.name)
    np.testing.assert_array_equal(again.encode(["red apple", "blue rug"], role="query"), rows)
    if kind != "side by side":
        with pytest.raises(ArtifactError, match="expected the arrays of an encoder, got damaged"):
            encoder_from_config(encoder.to_config() | {"arrays": "AAAA"})


def test_a_model_is_saved_with_what_was_learned(tmp_path):
    encoder = composed()["side by side"]
    model = ZeroShotClassifier(encoder).fit(labels=["fruit", "tool"])
    model.save(tmp_path / "model")
    again = ZeroShotClassifier.load(tmp_path / "model")
    assert again.encoder.fingerprint == encoder.fingerprint
    np.testing.assert_allclose(again.predict_proba(WORDS), model.predict_proba(WORDS), atol=1e-6)
    again.close()
    model.close()


def test_centring_takes_the_language_out_and_keeps_the_meaning():
    base, centred = HashEncoder(32), composed()["centred"]
    gaps = []
    for encoder in (base, centred):
        means = [encoder.encode(TEXTS[language]).mean(axis=0) for language in ("xx", "yy")]
        gaps.append(np.linalg.norm(means[0] - means[1]))
    assert gaps[1] < gaps[0] / 3
    before, after = (
        ((e.encode(TEXTS["yy"]) @ e.encode(TEXTS["xx"]).T).argmax(axis=1) == np.arange(len(WORDS))).mean()
        for e in (base, centred)
    )
    assert after >= before
    with pytest.raises(
        InvalidInputError, match="expected at least 10 distinct texts or images of each group, got 1"
    ):
        CentredEncoder.fit(base, {"xx": ["apple"] * 20})


def test_the_cosine_of_two_side_by_side_is_the_weighted_mean():
    parts = HashEncoder(32), HashEncoder(64)
    mixed = SideBySideEncoder(parts, [3, 1]).encode(["red apple", "red rug"])
    cosines = [float(np.dot(*part.encode(["red apple", "red rug"]))) for part in parts]
    assert float(mixed[0] @ mixed[1]) == pytest.approx(0.75 * cosines[0] + 0.25 * cosines[1], abs=1e-6)
    with pytest.raises(InvalidInputError, match="expected a positive weight for each of 2 encoders"):
        SideBySideEncoder(parts, [1, 0])


def test_a_live_index_is_searched_through_a_bridge_and_by_no_other(tmp_path):
    right = HashEncoder(32)
    # Reads words of another language, which right does not.
    other = {"pomme": "apple", "marteau": "hammer"}
    left = FunctionEncoder(
        lambda texts: right.encode([other.get(text, text) for text in texts]).tolist(), name="l", dimension=32
    )
    arrays = {"left.mean": np.zeros(32), "left.weight": np.eye(32), "left.bias": np.zeros(32)}
    bridge = BridgeEncoder(left, right, "linear", arrays)
    with VectorIndex.connect(tmp_path / "shop.db") as index:
        index.activate(index.build([Item(id=word, text=word) for word in WORDS], right))
        version = index.open(fingerprint=bridge.document_fingerprint)
        found = Retriever(version, bridge, top_k=1).retrieve(["pomme", "marteau"])
        assert [hits[0].id for hits in found] == ["apple", "hammer"]
        with pytest.raises(FingerprintMismatchError):
            Retriever(version, left)


def test_a_saved_model_is_asked_in_another_language_through_a_bridge(tmp_path):
    right = HashEncoder(32)
    model = ZeroShotClassifier(right).fit(labels=["apple", "hammer"])
    model.save(tmp_path / "model")
    model.close()
    left = FunctionEncoder(
        lambda texts: right.encode([{"pomme": "apple"}.get(text, text) for text in texts]).tolist(),
        name="l",
        dimension=32,
    )
    arrays = {"left.mean": np.zeros(32), "left.weight": np.eye(32), "left.bias": np.zeros(32)}
    bridge = BridgeEncoder(left, right, "linear", arrays)
    again = ZeroShotClassifier.load(tmp_path / "model", encoder=bridge)
    assert again.predict(["pomme", "hammer"]).tolist() == ["apple", "hammer"]
    again.close()


def test_arrays_that_do_not_suit_the_encoders_are_refused():
    left, right = HashEncoder(64), HashEncoder(32)
    with pytest.raises(InvalidInputError, match="expected finite arrays of a linear bridge from 64 to 32"):
        BridgeEncoder(left, right, "linear", identity(32, 32))
    with pytest.raises(InvalidInputError, match="fit one with fit_bridge"):
        BridgeEncoder(left, right, "linear", identity(64, 32) | {"left.bias": np.full(32, np.nan)})


def test_the_opening_of_an_encoder_centres_it_by_texts_of_each_language():
    german, english = [f"die {word}" for word in WORDS], [f"the {word}" for word in WORDS]
    encoder = load_encoder("use-multilingual", centre={"en": english, "de": german})
    fitted = CentredEncoder.fit(load_encoder("use-multilingual"), {"en": english, "de": german})
    assert encoder.fingerprint == fitted.fingerprint != encoder.base.fingerprint
    for guess in ("language", True):
        with pytest.raises(InvalidInputError, match=r"expected centre as texts by language, .* \{'en': \["):
            load_encoder("use-multilingual", centre=guess)
