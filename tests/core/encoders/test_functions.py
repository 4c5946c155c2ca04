"""Functions and hashes as encoders, and opening any encoder again from its config."""

import json

import numpy as np
import pytest
from zeroshot_core.encoders import FunctionEncoder, HashEncoder, encoder_from_config, load_encoder
from zeroshot_core.encoders.wrappers import CachedEncoder, RememberingEncoder
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError


def letters(texts):
    return [[float(text.lower().count(letter)) + 0.1 for letter in "etaoinsh"] for text in texts]


def encoder_of(function, **settings):
    return FunctionEncoder(function, name="letters-v1", **settings)


def test_function_gives_unit_rows_and_sees_each_distinct_text_once():
    seen = []
    encoder = encoder_of(lambda texts: seen.extend(texts) or letters(texts), dimension=8)
    rows = encoder.encode(["tea", "hot tin", "tea"])
    assert seen == ["tea", "hot tin"]
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_array_equal(rows[0], rows[2])


@pytest.mark.parametrize("wrap", [lambda e: e, RememberingEncoder, "cached"])
def test_lone_surrogates_are_read_as_the_replacement_character_and_counted(wrap, tmp_path):
    seen = []
    encoder = encoder_of(
        lambda texts: seen.extend(texts) or letters(texts), dimension=8, fingerprint="0" * 16
    )
    encoder = CachedEncoder(encoder, tmp_path / "vectors.db") if wrap == "cached" else wrap(encoder)
    with pytest.warns(UserWarning, match=r"2 of 3 texts hold lone surrogates") as caught:
        rows = encoder.encode(["tea", "t\ud800", "\udfff"])
    assert len(caught) == 1
    assert seen == ["tea", "t\ufffd", "\ufffd"]
    np.testing.assert_array_equal(rows, encoder.encode(["tea", "t\ufffd", "\ufffd"]))


def test_dimension_is_found_out_at_the_first_use():
    assert encoder_of(letters).dimension == 8
    assert encoder_of(letters).encode([]).shape == (0, 8)


def test_function_gets_at_most_a_batch_at_a_time():
    sizes = []
    encoder = encoder_of(lambda texts: sizes.append(len(texts)) or letters(texts), dimension=8, batch_size=2)
    assert encoder.encode(["a", "b", "c", "d", "e"]).shape == (5, 8)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[1.0] * 5], "expected vectors of length 8 from 'letters-v1', got 5; give another dimension"),
        (
            [[1.0] * 8] * 2,
            r"expected 1 vectors for 1 texts from 'letters-v1', got an array of shape \(2, 8\)",
        ),
        ([1.0] * 8, "got an array of shape"),
        ([[float("nan")] * 8], "expected vectors with finite components that are not all zero, .* for 'tea'"),
        ([[0.0] * 8], "expected vectors with finite components that are not all zero"),
        (["no vector"], "expected vectors of numbers of one length from 'letters-v1', got .'no vector'"),
        (None, "from 'letters-v1', got"),
    ],
)
def test_wrong_answers_of_the_function_are_refused(answer, message):
    with pytest.raises(InvalidInputError, match=message):
        encoder_of(lambda texts: answer, dimension=8).encode(["tea"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": ""}, "expected name as a text that is not empty, got ''; give that of the model behind"),
        ({"dimension": 0}, "expected dimension as a whole number of at least 1, got 0"),
        ({"batch_size": 0}, "expected batch_size as a whole number of at least 1, got 0"),
        ({"fingerprint": "v1"}, "expected a fingerprint of 16 lower-case hex digits, got 'v1'"),
        ({"function": "embed"}, "expected a function from a list of texts to vectors, got 'embed'"),
    ],
)
def test_wrong_settings_of_a_function_are_refused(settings, message):
    with pytest.raises(InvalidInputError, match=message):
        FunctionEncoder(**({"function": letters, "name": "letters-v1"} | settings))


def test_huge_vectors_become_unit_rows():
    rows = encoder_of(lambda texts: [[1e300, 1e300]] * len(texts)).encode(["huge"])
    np.testing.assert_allclose(rows, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_function_fingerprint_follows_name_and_model_but_not_noise():
    noise = np.random.default_rng(0).normal(0, 1e-7, 8)
    fingerprint = encoder_of(letters).fingerprint
    assert encoder_of(lambda texts: np.array(letters(texts)) + noise).fingerprint == fingerprint
    assert encoder_of(lambda texts: -np.array(letters(texts))).fingerprint != fingerprint
    assert FunctionEncoder(letters, name="letters-v2").fingerprint != fingerprint
    assert encoder_of(letters, fingerprint="0123456789abcdef").fingerprint == "0123456789abcdef"


def test_function_is_reopened_only_with_the_function():
    encoder = encoder_of(letters)
    config = json.loads(json.dumps(encoder.to_config()))
    assert encoder_from_config(config, encoder=encoder) is encoder
    with pytest.raises(
        ArtifactError, match=r"'letters-v1' is a function.* give it as encoder=FunctionEncoder\("
    ):
        encoder_from_config(config)


def test_hash_encoder_finds_shared_spelling(hash_encoder):
    milk, same, tyres = hash_encoder.encode(["organic whole milk", "organic milk 1 gal", "car tyres"])
    assert milk @ same > 0.5 > milk @ tyres
    assert hash_encoder.encode([]).shape == (0, 64)
    assert hash_encoder.encode(["!", "é", "a b"]).shape == (3, 64)


def test_hash_encoder_is_reopened_from_its_config():
    config = json.loads(json.dumps(HashEncoder(32).to_config()))
    opened = encoder_from_config(config)
    np.testing.assert_array_equal(opened.encode(["lamp"]), HashEncoder(32).encode(["lamp"]))
    assert HashEncoder(64).fingerprint != opened.fingerprint
    with pytest.raises(
        InvalidInputError, match="expected dimension as a whole number from 8 to 32768, got 1"
    ):
        HashEncoder(1)


def test_transformer_is_reopened_from_its_config(minilm):
    encoder = load_encoder(pooling="max", max_length=40, prompts={"query": "q: "})
    config = json.loads(json.dumps(encoder.to_config()))
    opened = encoder_from_config(config)
    np.testing.assert_allclose(
        opened.encode(["lamp"], role="query"), encoder.encode(["lamp"], role="query"), atol=1e-6
    )
    assert opened.to_config() == config
    assert config["name_or_path"] == "all-MiniLM-L6-v2"


def test_other_encoder_than_the_config_says_is_refused(minilm, hash_encoder):
    message = (
        f"expected encoder 'all-MiniLM-L6-v2' with fingerprint {minilm.fingerprint}, got 'hash-64' with "
        f"{hash_encoder.fingerprint}; give the encoder it was made with, or build again with this one"
    )
    with pytest.raises(FingerprintMismatchError, match=message):
        encoder_from_config(minilm.to_config(), encoder=hash_encoder)
    with pytest.raises(
        FingerprintMismatchError, match="expected encoder 'all-MiniLM-L6-v2' with fingerprint 0000"
    ):
        encoder_from_config(minilm.to_config() | {"fingerprint": "0" * 16})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"kind": "oracle", "fingerprint": "0" * 16},
            "of one of the kinds transformer, package, hash, function, head, .*, got 'oracle'",
        ),
        ({"kind": "hash"}, "expected an encoder's config with the key 'fingerprint'"),
    ],
)
def test_configs_of_nothing_known_are_refused(config, message):
    with pytest.raises(ArtifactError, match=message):
        encoder_from_config(config)


def test_queries_may_have_a_function_of_their_own():
    encoder = FunctionEncoder(
        lambda texts: [[1.0, 0.0]] * len(texts),
        name="two",
        query_function=lambda texts: [[0.0, 2.0]] * len(texts),
    )
    assert encoder.encode(["wine"]).tolist() == [[1.0, 0.0]]
    assert encoder.encode(["wine"], role="query").tolist() == [[0.0, 1.0]]
