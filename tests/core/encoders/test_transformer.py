"""Transformer encoders on the real MiniLM: batches, threads, fingerprints, saving."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from zeroshot_core.encoders import TransformerEncoder, load_encoder
from zeroshot_core.encoders.batching import even_budget, length_sorted_batches
from zeroshot_core.errors import InvalidInputError

TEXTS = [f"{'very ' * (i % 7)}{noun} of size {i}" for i in range(12) for noun in ("soup", "bicycle", "novel")]


@pytest.fixture
def forwarded(minilm):
    """Shapes of all batches that went through the model."""
    shapes = []
    hook = minilm.model[0].register_forward_pre_hook(
        lambda _, args: shapes.append(args[0]["input_ids"].shape)
    )
    yield shapes
    hook.remove()


def test_vectors_agree_with_sentence_transformers(minilm):
    theirs = minilm.model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    assert (minilm.encode(TEXTS) * theirs).sum(axis=1).min() > 0.9999


def test_rows_are_float32_of_unit_length(minilm):
    rows = minilm.encode(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), minilm.dimension) == (len(TEXTS), 384)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_nothing_gives_no_rows(minilm):
    assert minilm.encode([]).shape == (0, 384)


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_order_and_batch_size_do_not_change_vectors(minilm, batch_tokens):
    shuffled = np.random.default_rng(0).permutation(len(TEXTS))
    other = TransformerEncoder(minilm.model, name="other", batch_tokens=batch_tokens)
    rows = other.encode([TEXTS[i] for i in shuffled])
    np.testing.assert_allclose(rows, minilm.encode(TEXTS)[shuffled], atol=1e-5)


def test_each_distinct_text_is_encoded_once(minilm, forwarded):
    rows = minilm.encode(["a lamp", "a chair", "a lamp", "a lamp"])
    assert sum(shape[0] for shape in forwarded) == 2
    np.testing.assert_array_equal(rows[0], rows[2])
    assert not np.allclose(rows[0], rows[1])


def test_batches_keep_to_the_token_budget(minilm, forwarded):
    TransformerEncoder(minilm.model, name="small", batch_tokens=64).encode(TEXTS)
    assert all(n_rows * n_tokens <= 64 for n_rows, n_tokens in forwarded)
    assert len(forwarded) < len(TEXTS) / 2


def test_batches_hold_every_position_once_and_longest_first():
    batches = [batch.tolist() for batch in length_sorted_batches([3, 9, 1, 2, 50, 2], budget=10)]
    assert batches == [[4], [1], [0, 3, 5], [2]]


@pytest.mark.parametrize(
    ("lengths", "n_at_once", "sizes"),
    [
        ([20] * 32, 1, [32]),
        ([20] * 32, 2, [16, 16]),
        ([20] * 64, 2, [32, 32]),
        ([20] * 150, 2, [38, 38, 38, 36]),
        ([20], 2, [1]),
        ([2000, 10, 10], 2, [1, 2]),
    ],
)
def test_batches_that_run_at_once_end_together(lengths, n_at_once, sizes):
    budget = even_budget(lengths, 1024, n_at_once)
    assert budget <= 1024
    assert [len(batch) for batch in length_sorted_batches(lengths, budget)] == sizes


def test_text_beyond_max_length_is_cut(forwarded):
    short = load_encoder(max_length=8)
    seen = []
    short.model[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]["input_ids"].shape[1]))
    rows = short.encode(["one two three four five six", "one two three four five six seven eight"])
    assert seen == [8]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_eight_threads_get_the_vectors_of_one_and_take_turns_in_the_model(minilm):
    expected = minilm.encode(TEXTS)
    results = [None] * 8
    inside, most_inside = [], []

    def enter(*_):
        inside.append(1)
        most_inside.append(len(inside))

    def work(i):
        results[i] = minilm.encode(TEXTS[i:] + TEXTS[:i])

    first = minilm.model[0]
    hooks = [
        first.register_forward_pre_hook(enter),
        first.register_forward_hook(lambda *_: inside.pop() and None),
    ]
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for hook in hooks:
        hook.remove()
    assert max(most_inside) == 1
    for i, rows in enumerate(results):
        np.testing.assert_allclose(rows, np.roll(expected, -i, axis=0), atol=1e-5)


def test_progress_bar_counts_texts_and_is_silent_unless_asked(minilm, capsys):
    minilm.encode(TEXTS)
    assert capsys.readouterr().err == ""
    minilm.encode(TEXTS, show_progress=True)
    assert f"{len(TEXTS)}/{len(TEXTS)}" in capsys.readouterr().err


def test_role_decides_the_prompt(minilm):
    prompted = load_encoder(prompts={"query": "search: "})
    np.testing.assert_allclose(
        prompted.encode(["lamp"], role="query"), minilm.encode(["search: lamp"]), atol=1e-5
    )
    np.testing.assert_allclose(prompted.encode(["lamp"]), minilm.encode(["lamp"]), atol=1e-5)
    with pytest.raises(InvalidInputError, match=r"expected role to be one of .* got 'passage'"):
        prompted.encode(["lamp"], role="passage")


def test_saved_folder_opens_as_the_same_encoder(minilm, tmp_path):
    changed = load_encoder(pooling="cls", max_length=32, prompts={"query": "q: ", "document": "d: "})
    changed.save(tmp_path / "saved")
    opened = load_encoder(tmp_path / "saved")
    assert opened.fingerprint == changed.fingerprint != minilm.fingerprint
    assert (opened.pooling, opened.max_length, opened.prompts) == (
        "cls",
        32,
        {"query": "q: ", "document": "d: "},
    )
    np.testing.assert_allclose(opened.encode(TEXTS), changed.encode(TEXTS), atol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_saving_never_overwrites(minilm, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInputError, match="expected a new or empty folder"):
        minilm.save(tmp_path)


def test_fingerprint_follows_what_changes_the_vectors(minilm):
    changes = [
        {"pooling": "cls"},
        {"max_length": 99},
        {"prompts": {"query": "q: "}},
        {"prompts": {"document": "q: "}},
    ]
    fingerprints = [load_encoder(**change).fingerprint for change in changes]
    assert len({minilm.fingerprint, *fingerprints}) == 5
    assert load_encoder(batch_tokens=7).fingerprint == minilm.fingerprint
    assert len(minilm.fingerprint) == 16
    assert int(minilm.fingerprint, 16)


def test_fingerprint_follows_one_weight(minilm):
    other = load_encoder()
    with torch.no_grad():
        other.model[0].model.encoder.layer[3].output.dense.bias[5] += 1e-6
    assert other.fingerprint != minilm.fingerprint


def test_fingerprint_ignores_a_pooler_that_is_made_at_random(minilm):
    other = load_encoder()
    with torch.no_grad():
        other.model[0].model.pooler.dense.weight.normal_()
    assert other.fingerprint == minilm.fingerprint


def test_fingerprint_follows_the_tokenizer(minilm):
    other = load_encoder()
    other.model.tokenizer.backend_tokenizer.normalizer = None
    assert other.fingerprint != minilm.fingerprint


def test_default_model_needs_no_network_and_import_no_torch():
    code = (
        "import sys, zeroshot_core.encoders as e; assert 'torch' not in sys.modules;"
        "print(e.load_encoder().encode(['lamp']).shape)"
    )
    # A proxy that nobody listens on: any attempt to reach the hub would fail.
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=False
    )
    assert done.stdout == "(1, 384)\n", done.stderr


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("lamp", "expected contents as a list of texts, got one: 'lamp'; wrap it in a list"),
        ({"lamp": 1}, "expected contents as a list of texts, got a dict; give a list"),
        ({"lamp"}, "expected contents as a list of texts, got a set; give a list"),
        (["lamp", "  "], "content 1: expected a non-empty text, got '  '; drop it or describe it"),
        ([None], "content 0: expected a text, got None of type builtins.NoneType; convert it with str"),
    ],
)
def test_contents_that_are_no_texts_are_refused(minilm, contents, message):
    with pytest.raises(InvalidInputError, match=message):
        minilm.encode(contents)


def test_image_is_refused_by_an_encoder_of_texts(minilm, tmp_path):
    image = pytest.importorskip("PIL.Image").new("RGB", (4, 4))
    assert minilm.modalities == ("text",)
    for content in (image, tmp_path / "lamp.png"):
        with pytest.raises(
            InvalidInputError, match=r"content 1: expected a text, got an image .* takes texts only"
        ):
            minilm.encode(["lamp", content])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "median"}, "expected pooling to be one of 'mean', .* got 'median'; did you mean 'mean'"),
        ({"max_length": 0}, "expected max_length as a whole number of at least 1, got 0"),
        ({"max_length": 2}, "expected a max_length from 3 to 512 for this model, got 2"),
        ({"max_length": 513}, "expected a max_length from 3 to 512 for this model, got 513"),
        ({"prompts": {"passage": "p: "}}, 'expected prompts as texts under "query" and "document"'),
        ({"batch_tokens": 0}, "expected batch_tokens as a whole number of at least 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(InvalidInputError, match=message):
        load_encoder(**settings)
