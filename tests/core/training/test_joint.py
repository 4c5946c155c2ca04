"""Joint optimisation on a real Milvus Lite file, with a tiny BERT made on the fly."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from joint_samples import KINDS, stock, tiny_bert
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import ArtifactError, InvalidInputError, UnknownConceptError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.training.joint import HEAD_SETTINGS, JointSettings, optimise_jointly
from zeroshot_core.training.joint.task import JointTask
from zeroshot_core.types import Concept, Item

ITEMS, LABELS = stock()
SETTINGS = JointSettings(epochs=4, learning_rate=2e-3, batch_size=32)
QUICK = JointSettings(learning_rate=2e-3, batch_size=64)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with VectorIndex.connect(str(tmp_path_factory.mktemp("joint") / "index.db")) as opened:
        yield opened


@pytest.fixture
def fresh(tmp_path):
    with VectorIndex.connect(str(tmp_path / "index.db")) as opened:
        yield opened


class Reader(threading.Thread):
    """Asks a version that was opened before the run, again and again, until told to stop."""

    def __init__(self, version, vectors):
        super().__init__()
        self.version, self.vectors = version, vectors
        self.expected = version.search_items(vectors, 5)
        self.n_answers, self.wrong = 0, []
        self.is_over = threading.Event()

    def run(self):
        while not self.is_over.wait(0.05):
            found = self.version.search_items(self.vectors, 5)
            self.n_answers += 1
            if found.ids != self.expected.ids:
                self.wrong.append(found.ids)


@pytest.fixture(scope="module")
def run(index, encoder, tmp_path_factory):
    """A run until nothing is gained, beside a reader of the version that served before it."""
    old = index.build(ITEMS[:40], encoder)
    index.activate(old)
    served = index.open(fingerprint=encoder.fingerprint)
    reader = Reader(served, encoder.encode([item.text for item in ITEMS[:3]]))
    checkpoint = tmp_path_factory.mktemp("run") / "checkpoint"
    reader.start()
    try:
        result = optimise_jointly(
            index, ITEMS, LABELS, encoder, settings=replace(SETTINGS, rounds=5), checkpoint=checkpoint
        )
    finally:
        reader.is_over.set()
        reader.join()
    return result, old, reader, checkpoint


def test_rounds_gain_until_one_does_not(run):
    rounds = run[0].rounds
    assert len(rounds) >= 3
    assert [report.is_kept for report in rounds] == [True] * (len(rounds) - 1) + [False]
    for report in rounds:
        assert report.is_kept == (report.gain > 0)
        assert report.interval[0] < report.gain < report.interval[1]
        assert report.seconds > 0
    assert rounds[0].interval[0] > 0.1
    assert rounds[0].gain_unseen > 0.1
    assert rounds[1].n_negatives > 100


def test_the_live_version_is_that_of_the_last_kept_encoder(run, index):
    result, old, *_ = run
    assert (index.live.id, index.live.fingerprint) == (result.version, result.encoder.fingerprint)
    version = index.open(fingerprint=result.encoder.fingerprint)
    assert version.count() == len(ITEMS)
    vectors = version.item_vectors([item.id for item in ITEMS])
    np.testing.assert_allclose(vectors, result.encoder.encode([item.text for item in ITEMS]), atol=1e-5)
    assert {info.state for info in index.versions()} == {"ready"}
    # The live one, the one before, and the one that served when the run began.
    assert len(index.versions()) == 3
    assert old in {info.id for info in index.versions()}


def test_an_open_version_answers_the_same_throughout_and_afterwards(run):
    reader = run[2]
    assert reader.n_answers > 5
    assert not reader.wrong
    assert reader.version.search_items(reader.vectors, 5).ids == reader.expected.ids


def test_a_finished_run_is_read_from_its_checkpoint(run, index, encoder):
    result, _, _, checkpoint = run
    versions = index.versions()
    again = optimise_jointly(
        index, ITEMS, LABELS, encoder, settings=replace(SETTINGS, rounds=9), checkpoint=checkpoint
    )
    assert (again.version, again.rounds) == (result.version, result.rounds)
    assert again.encoder.fingerprint == result.encoder.fingerprint
    assert index.versions() == versions
    assert sorted(path.name for path in checkpoint.iterdir()) == [
        "joint.json",
        f"weights-{len(result.rounds) - 1}.safetensors",
    ]


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(run, index, encoder, tmp_path):
    checkpoint = run[3]
    options = {"settings": SETTINGS, "checkpoint": checkpoint}
    for change in ({"random_state": 1}, {"settings": QUICK}):
        with pytest.raises(InvalidInputError, match="expected the checkpoint of this run"):
            optimise_jointly(index, ITEMS, LABELS, encoder, **options | change)
    with pytest.raises(InvalidInputError, match="got one of other items, labels"):
        optimise_jointly(index, ITEMS, LABELS[::-1], encoder, **options)
    values = json.loads((checkpoint / "joint.json").read_text())
    for damage in ("{", json.dumps(values | {"rounds": [{}]}), json.dumps(values)):
        (tmp_path / "joint.json").write_text(damage)
        with pytest.raises(ArtifactError, match=r"is damaged .* remove the folder to begin anew"):
            optimise_jointly(index, ITEMS, LABELS, encoder, **options | {"checkpoint": tmp_path})


def test_the_base_is_kept_and_goes_live_where_nothing_is_gained(fresh, encoder):
    settings = replace(QUICK, learning_rate=1e-12)
    result = optimise_jointly(fresh, ITEMS, LABELS, encoder, settings=settings)
    assert result.encoder is encoder
    assert [report.is_kept for report in result.rounds] == [False]
    assert fresh.live.id == result.version
    assert fresh.live.fingerprint == encoder.fingerprint


def test_near_targets_come_together(fresh, encoder):
    names = list(KINDS)
    targets = [float(names.index(label)) for label in LABELS]
    (report,) = optimise_jointly(fresh, ITEMS, targets, encoder, settings=replace(SETTINGS, rounds=1)).rounds
    assert report.is_kept
    assert report.interval[0] > 0.1
    assert report.gain_unseen is None
    assert report.n_negatives > 100


def test_each_distinct_text_is_encoded_once_a_version(fresh, encoder):
    seen = {True: 0, False: 0}

    def count(_, arguments):
        seen[torch.is_grad_enabled()] += len(arguments[0]["input_ids"])

    twins = [Item(id=f"twin {item.id}", text=item.text) for item in ITEMS]
    # The first rise of the fingerprint reads a few texts that are not counted here.
    assert encoder.fingerprint
    hook = encoder.model[0].register_forward_pre_hook(count)
    try:
        result = optimise_jointly(
            fresh, [*ITEMS, *twins], LABELS * 2, encoder, settings=replace(QUICK, rounds=1)
        )
    finally:
        hook.remove()
    assert result.rounds[0].is_kept
    n_training = len(ITEMS) - 29 - 10
    assert seen[False] == 2 * len(ITEMS)
    assert n_training - 10 <= seen[True] <= n_training + 10
    assert fresh.open(fingerprint=result.encoder.fingerprint).count() == 2 * len(ITEMS)


def test_a_head_over_a_closed_encoder_gains_and_no_text_is_paid_for_twice(fresh, tmp_path):
    rng = np.random.default_rng(0)
    table = {word: rng.normal(size=32) for item in ITEMS for word in item.text.split()}
    paid = []

    def embed(texts):
        paid.extend(texts)
        return [sum(table[word] for word in text.split()) for text in texts]

    closed = FunctionEncoder(embed, name="closed", dimension=32, fingerprint="3" * 16)
    settings = replace(HEAD_SETTINGS, rounds=2, learning_rate=1e-2)
    options = {"settings": settings, "checkpoint": tmp_path / "checkpoint"}
    result = optimise_jointly(fresh, ITEMS, LABELS, closed, **options)
    assert sorted(paid) == sorted(item.text for item in ITEMS)
    assert [report.is_kept for report in result.rounds] == [True, True]
    assert result.rounds[0].interval[0] > 0.1
    assert fresh.live.fingerprint == result.encoder.fingerprint
    assert result.encoder.base is closed
    version = fresh.open(fingerprint=result.encoder.fingerprint)
    vectors = result.encoder.encode([item.text for item in ITEMS])
    np.testing.assert_allclose(version.item_vectors([item.id for item in ITEMS]), vectors, atol=1e-5)
    again = optimise_jointly(fresh, ITEMS, LABELS, closed, **options)
    assert again.encoder.fingerprint == result.encoder.fingerprint


def test_a_budget_ends_training_and_begins_no_further_round(fresh, encoder):
    settings = replace(SETTINGS, epochs=100_000)
    result = optimise_jointly(fresh, ITEMS, LABELS, encoder, settings=settings, budget_s=1.0)
    assert len(result.rounds) == 1
    assert result.rounds[0].seconds < 100


def test_wrong_input_is_refused_before_anything_is_written(fresh, encoder):
    twin = Item(id="twin", text=ITEMS[0].text)
    image = [Item(id="picture", image="picture.png"), *ITEMS[1:]]
    graph = KnowledgeGraph([Concept(id="fruit", name="fruit")])
    for arguments, options, message in [
        (
            (image, LABELS, encoder),
            {},
            "expected items of texts alone for joint rounds, got item 'picture' with an image",
        ),
        ((ITEMS, LABELS[:-1], encoder), {}, "one label or target for each"),
        ((ITEMS, ["fruit"] * len(ITEMS), encoder), {}, "at least 2 labels"),
        ((ITEMS, [None] * len(ITEMS), encoder), {}, "expected labels of some items, got none; learn"),
        (([], [], encoder), {}, "expected labels of some items, got none; learn"),
        ((ITEMS, np.ones(len(ITEMS)), encoder), {}, "expected targets that vary from text to text"),
        (([*ITEMS, twin], [*LABELS, "crab"], encoder), {}, "one label for each text, got 'fruit' and 'crab'"),
        ((ITEMS, LABELS, encoder), {"groups": ["one"] * len(ITEMS)}, "at least 2 groups"),
        ((ITEMS, LABELS, encoder), {"groups": ["one"]}, "expected 144 groups, one for each item, got 1"),
        ((ITEMS, LABELS, encoder), {"label_texts": {"tea": "a drink"}}, "expected texts of labels such as"),
        ((ITEMS, LABELS, len), {}, "expected an encoder, got builtin_function_or_method; open one"),
        (
            (ITEMS, LABELS, encoder),
            {"budget_s": 0},
            "budget_s as a number above 0, got 0; None sets no bound",
        ),
    ]:
        with pytest.raises(InvalidInputError, match=message):
            optimise_jointly(fresh, *arguments, **options)
    with pytest.raises(UnknownConceptError, match="beer"):
        optimise_jointly(fresh, ITEMS, LABELS, encoder, graph)
    assert fresh.versions() == []


def test_a_label_with_one_example_few_labels_and_label_texts_are_taken(fresh, encoder):
    """Nothing can be near the single example, and no label of three is held out: both are passed over."""
    few = [(item, label) for item, label in zip(ITEMS, LABELS, strict=True) if label in {"beer", "wine"}]
    items, labels = zip(*few, (ITEMS[0], "fruit"), strict=True)
    result = optimise_jointly(
        fresh,
        items,
        labels,
        encoder,
        label_texts={"fruit": ["apple pear"], "beer": "lager stout", "unused": "cape"},
        settings=replace(QUICK, rounds=1),
    )
    assert result.rounds[0].gain_unseen is None
    assert fresh.open(result.version, fingerprint=result.encoder.fingerprint).count() == len(items)


def test_low_rank_changes_are_trained_and_come_back_from_a_checkpoint(fresh, encoder, tmp_path):
    settings = replace(QUICK, method="lora", learning_rate=2e-2, rounds=1, trained_layers=1)
    options = {"settings": settings, "checkpoint": tmp_path / "checkpoint"}
    result = optimise_jointly(fresh, ITEMS, LABELS, encoder, **options)
    assert result.is_improved
    again = optimise_jointly(fresh, ITEMS, LABELS, encoder, **options)
    assert again.encoder.fingerprint == result.encoder.fingerprint != encoder.fingerprint


def test_unlabelled_items_are_indexed_and_learned_from(fresh, encoder):
    labels = [None if label in {"crab", "fish"} else label for label in LABELS]
    settings = replace(SETTINGS, rounds=1)
    (report,) = optimise_jointly(fresh, ITEMS, labels, encoder, settings=settings).rounds
    assert report.n_neighbours > 20
    assert fresh.open(fresh.live.id, fingerprint=fresh.live.fingerprint).count() == len(ITEMS)


def test_the_rounds_are_gone_through_again_on_all_texts(fresh, encoder, tmp_path):
    options = {"checkpoint": tmp_path / "checkpoint", "settings": replace(SETTINGS, rounds=2, refit=True)}
    result = optimise_jointly(fresh, ITEMS, LABELS, encoder, **options)
    assert result.is_improved
    assert fresh.live.id == result.version
    assert fresh.live.fingerprint == result.encoder.fingerprint
    assert {info.id for info in fresh.versions()} == set(result.written)
    # The held-out texts, unseen labels among them, have been learned from.
    selected = optimise_jointly(fresh, ITEMS, LABELS, encoder, settings=replace(SETTINGS, rounds=2))
    of = JointTask.of(ITEMS, LABELS, None, 0)
    held_out = [
        of.guard.text_scores(each.encoder.encode(of.guard.texts)).mean() for each in (result, selected)
    ]
    assert held_out[0] > held_out[1] + 0.02
    again = optimise_jointly(fresh, ITEMS, LABELS, encoder, **options)
    assert again.encoder.fingerprint == result.encoder.fingerprint


def test_wrong_settings_are_refused():
    with pytest.raises(InvalidInputError, match="expected batch_size as a whole number of at least 2, got 1"):
        JointSettings(batch_size=1)
    with pytest.raises(InvalidInputError, match="trained_layers as a whole number of at least 1, got 0"):
        JointSettings(trained_layers=0)
    with pytest.raises(InvalidInputError, match="expected rounds as a whole number of at least 1, got 0"):
        JointSettings(rounds=0)
    with pytest.raises(InvalidInputError, match="expected method to be one of 'full', 'lora', got 'none'"):
        JointSettings(method="none")
    with pytest.raises(InvalidInputError, match=r"expected margin .* of at least 0 and below 1, got 1\.0"):
        JointSettings(margin=1.0)
    for name in ("n_negatives", "n_neighbours"):
        with pytest.raises(InvalidInputError, match=f"{name} as a whole number of at least 0, got -1"):
            JointSettings(**{name: -1})
