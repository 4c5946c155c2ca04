"""Heads over closed embedding functions, and vectors kept on disk."""

import itertools
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from zeroshot_core.encoders import (
    CachedEncoder,
    FunctionEncoder,
    HashEncoder,
    HeadEncoder,
    encoder_from_config,
)
from zeroshot_core.errors import ArtifactError, FingerprintMismatchError, InvalidInputError
from zeroshot_core.training import TrainingPlan, tune_head

THINGS = {"fruit": ["apple", "pear", "plum", "cherry"], "tool": ["hammer", "saw", "drill", "wrench"]}
TEXTS = [
    f"{thing} from the {place}"
    for things in THINGS.values()
    for thing in things
    for place in ("north", "south", "east", "west", "middle")
]
LABELS = ["fruit"] * 20 + ["tool"] * 20


class Api:
    """An embedding service that counts what it is asked."""

    def __init__(self, dimension=64):
        self.asked = []
        self.dimension = dimension

    def __call__(self, texts):
        self.asked.extend(texts)
        return HashEncoder(self.dimension).encode(texts).tolist()


def closed(api, **options):
    return FunctionEncoder(api, name="api", **({"fingerprint": "c" * 16} | options))


@pytest.mark.parametrize("kind", ["linear", "residual", "mlp"])
def test_each_kind_of_head_helps_and_comes_back_the_same_from_disk(kind, tmp_path):
    base = closed(Api())
    tuned, report = tune_head(base, TEXTS, LABELS, kind=kind)
    assert report.is_improved
    assert max(report.epoch_scores) > report.score + 0.1
    assert tuned.dimension == 64
    assert tuned.fingerprint != base.fingerprint
    np.testing.assert_allclose(np.linalg.norm(tuned.encode(TEXTS), axis=1), 1.0, atol=1e-6)
    tuned.save(tmp_path / "head")
    again = HeadEncoder.load(tmp_path / "head", closed(Api()))
    assert again.fingerprint == tuned.fingerprint
    np.testing.assert_array_equal(again.encode(TEXTS), tuned.encode(TEXTS))
    config = tuned.to_config() | {"name_or_path": str(tmp_path / "head")}
    assert encoder_from_config(config, encoder=base).fingerprint == tuned.fingerprint
    assert encoder_from_config(config, encoder=tuned) is tuned


def test_targets_train_a_head_too_and_the_same_seed_gives_the_same():
    prices = [1.0 + i % 5 * 0.1 + (i >= 20) * 8 for i in range(40)]
    first, report = tune_head(closed(Api()), TEXTS, prices)
    second, _ = tune_head(closed(Api()), TEXTS, prices)
    assert report.is_improved
    assert first.fingerprint == second.fingerprint


def test_the_base_comes_back_where_a_head_does_not_help():
    base = closed(Api())
    labels = np.random.default_rng(0).permutation(LABELS).tolist()
    plan = TrainingPlan(epochs=1, learning_rate=1e-12)
    tuned, report = tune_head(base, TEXTS, labels, plan=plan)
    assert tuned is base
    assert report.verdict.startswith("base kept")


def test_a_stream_of_any_length_is_read_block_by_block(hash_encoder):
    read = []
    texts = (read.append(i) or f"text {i % 7}" for i in itertools.count())
    blocks = hash_encoder.encode_stream(texts, block=5)
    first, second = next(blocks), next(blocks)
    assert len(read) == 10
    np.testing.assert_array_equal(
        np.concatenate([first, second]), hash_encoder.encode([f"text {i % 7}" for i in range(10)])
    )
    assert [len(rows) for rows in hash_encoder.encode_stream(["a", "b", "c"], block=2)] == [2, 1]
    with pytest.raises(InvalidInputError, match="expected block as a whole number of at least 1, got 0"):
        next(hash_encoder.encode_stream(["a"], block=0))
    for wrong in ("abc", {"a": 1}, {"a"}):
        with pytest.raises(InvalidInputError, match="expected contents as a list of texts"):
            next(hash_encoder.encode_stream(wrong))


def test_no_text_is_paid_for_twice_even_by_another_process(tmp_path):
    first, second = Api(), Api()
    tuned, _ = tune_head(closed(first), TEXTS, LABELS, cache=tmp_path / "vectors.db")
    expected = tuned.encode([*TEXTS, "a new text"])
    assert len(first.asked) == len(set(first.asked))
    again, _ = tune_head(closed(second, dimension=64), TEXTS, LABELS, cache=tmp_path / "vectors.db")
    np.testing.assert_array_equal(again.encode([*TEXTS, "a new text"]), expected)
    assert second.asked == []


def test_the_cache_tells_roles_and_encoders_apart(tmp_path):
    path = tmp_path / "deep" / "vectors.db"
    api = Api()
    cached = CachedEncoder(closed(api, dimension=64), path)
    cached.encode(["a", "a", "b"])
    cached.encode(["a"], role="query")
    assert api.asked == ["a", "b", "a"]
    other = CachedEncoder(HashEncoder(32), path)
    np.testing.assert_array_equal(other.encode(["a"]), HashEncoder(32).encode(["a"]))
    assert cached.encode([]).shape == (0, 64)
    assert cached.to_config() == closed(api, dimension=64).to_config()


def test_the_cache_keeps_the_newest_vectors_up_to_its_bound(tmp_path):
    api = Api()
    cached = CachedEncoder(closed(api, dimension=64), tmp_path / "vectors.db", max_vectors=3)
    cached.encode(["a", "b", "c", "d", "e"])
    api.asked.clear()
    cached.encode(["c", "d", "e"])
    assert api.asked == []
    cached.encode(["a"])
    assert api.asked == ["a"]
    with pytest.raises(InvalidInputError, match="expected max_vectors as a whole number of at least 1"):
        CachedEncoder(HashEncoder(8), tmp_path / "vectors.db", max_vectors=0)


def test_damaged_rows_of_a_cache_are_made_anew(tmp_path):
    api = Api()
    cached = CachedEncoder(closed(api, dimension=64), tmp_path / "vectors.db")
    texts = ["a", "b", "c", "d", "e"]
    expected = cached.encode(texts)
    whole = np.full(64, 0.125, "<f4")
    damages = [b"short", None, "text", np.full(64, np.nan, "<f4").tobytes(), (whole * 3).tobytes()]
    with closing(sqlite3.connect(tmp_path / "vectors.db")) as file, file:
        for rowid, damage in enumerate(damages, start=1):
            file.execute("UPDATE vectors SET vector = ? WHERE rowid = ?", (damage, rowid))
    api.asked.clear()
    for _ in range(2):
        np.testing.assert_array_equal(cached.encode(texts), expected)
    assert api.asked == texts


def test_a_place_that_can_hold_no_cache_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="expected a place for a cache of vectors, got"):
        CachedEncoder(HashEncoder(8), tmp_path / "file" / "vectors.db").encode(["a"])


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all, but long enough to look at" * 50)
    with pytest.raises(ArtifactError, match="expected a cache of vectors in"):
        CachedEncoder(HashEncoder(8), path).encode(["a"])


def test_a_function_that_changed_its_dimension_is_refused(tmp_path):
    tuned, _ = tune_head(closed(Api()), TEXTS, LABELS)
    tuned.save(tmp_path / "head")
    with pytest.raises(InvalidInputError, match=r"for vectors of length 32 from 'api', got"):
        HeadEncoder.load(tmp_path / "head", closed(Api(32)))
    changing = Api()
    tuned, _ = tune_head(closed(changing), TEXTS, LABELS)
    changing.dimension = 32
    with pytest.raises(InvalidInputError, match="expected vectors of length 64 from 'api', got 32"):
        tuned.encode(["apple"])


def test_a_head_over_another_model_or_a_damaged_one_is_refused(tmp_path):
    tuned, _ = tune_head(closed(Api()), TEXTS, LABELS)
    tuned.save(tmp_path / "head")
    with pytest.raises(ArtifactError, match="expected the head and base of fingerprint"):
        HeadEncoder.load(tmp_path / "head", closed(Api(), fingerprint="d" * 16))
    config = tuned.to_config() | {"name_or_path": str(tmp_path / "head")}
    with pytest.raises(FingerprintMismatchError, match="with fingerprint c"):
        encoder_from_config(config, encoder=closed(Api(), fingerprint="d" * 16))
    with pytest.raises(ArtifactError, match="is a function, which a config cannot hold"):
        encoder_from_config(config)
    with pytest.raises(InvalidInputError, match="expected a new or empty folder"):
        tuned.save(tmp_path / "head")
    (tmp_path / "head" / "head.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ArtifactError, match="got a damaged one"):
        HeadEncoder.load(tmp_path / "head", closed(Api()))


def test_wrong_heads_are_refused():
    with pytest.raises(InvalidInputError, match="to be one of 'linear', 'residual', 'mlp', got 'deep'"):
        HeadEncoder(HashEncoder(8), "deep", {})
    with pytest.raises(InvalidInputError, match="expected weights"):
        HeadEncoder(HashEncoder(8), "linear", {"up": np.eye(8)})
    with pytest.raises(InvalidInputError, match="wrap a function in FunctionEncoder"):
        tune_head(Api(), TEXTS, LABELS)
