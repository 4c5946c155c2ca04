"""Batches of confusable texts, and what is mined for them, each checked by hand."""

import numpy as np
import pytest
import torch
from zeroshot_core.encoders import FunctionEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.training.examples import check_examples
from zeroshot_core.training.guard import unseen_labels
from zeroshot_core.training.joint.batches import (
    Neighbourhoods,
    draw_pairs,
    hard_batches,
    mine_negatives,
    mine_neighbourhoods,
    neighbour_loss,
)
from zeroshot_core.training.joint.task import JointSettings, JointTask
from zeroshot_core.training.mining import mine_far_targets, mine_hard_negatives
from zeroshot_core.training.objectives import supervised_contrastive_loss
from zeroshot_core.types import Concept, Item, Relation

N = 48
TEXTS = [f"text {n}" for n in range(N)]
# Twelve labels of four texts; labels 0 and 1, 2 and 3, ... are alike.
LABELS = [f"label {n % 12:02}" for n in range(N)]
EXAMPLES = check_examples(TEXTS, LABELS)


def angle(text):
    """Twins of labels lie close together on the circle, the texts of a label even closer."""
    number = int(text.split()[1])
    return 2 * np.pi * (number % 12 // 2) / 6 + 0.1 * (number % 2) + 0.01 * (number // 12)


def negatives_of_twins():
    return [[n for n in range(N) if n % 12 == (row % 12) ^ 1] for row in range(N)]


def batches(negatives, *, seed=0, examples=EXAMPLES, size=8):
    return list(hard_batches(examples, negatives, size, np.random.default_rng(seed)))


def share_beside_twin(found):
    """Share of the texts that have a text of the twin label in their batch."""
    beside = [any(n % 12 == (row % 12) ^ 1 for n in batch) for batch in found for row in batch]
    return np.mean(beside)


def test_each_text_comes_once_an_epoch_and_with_one_of_its_label():
    for negatives in (negatives_of_twins(), [[]] * N):
        found = batches(negatives)
        assert sorted(np.concatenate(found).tolist()) == list(range(N))
        assert all(sum(n % 12 == row % 12 for n in batch) >= 2 for batch in found for row in batch)


def test_confusable_texts_meet_in_a_batch():
    seeds = range(20)
    mined = np.mean([share_beside_twin(batches(negatives_of_twins(), seed=seed)) for seed in seeds])
    drawn = np.mean([share_beside_twin(batches([[]] * N, seed=seed)) for seed in seeds])
    assert mined > drawn + 0.2


def test_batches_follow_from_the_seed():
    first, same, other = (batches(negatives_of_twins(), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(same))
    assert np.concatenate(first).tolist() != np.concatenate(other).tolist()


def test_texts_with_targets_come_one_by_one_and_none_alone_in_a_batch():
    graded = check_examples(TEXTS, np.arange(N, dtype=float))
    found = batches([[(row + 24) % N] for row in range(N)], examples=graded)
    assert sorted(np.concatenate(found).tolist()) == list(range(N))
    assert all((row + 24) % N in batch for batch in found for row in batch)
    assert [len(batch) for batch in batches([[]] * N, examples=graded, size=47)] == [47]


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    def embed(texts):
        return [[np.cos(angle(text)), np.sin(angle(text))] for text in texts]

    encoder = FunctionEncoder(embed, name="circle", dimension=2, fingerprint="2" * 16)
    with VectorIndex.connect(str(tmp_path_factory.mktemp("circle") / "index.db")) as index:
        index.activate(index.build([Item(id=text, text=text) for text in TEXTS], encoder))
        yield index.open(fingerprint=encoder.fingerprint)


def task(values, graph=None):
    return JointTask.of([Item(id=text, text=text) for text in TEXTS], values, graph, 0)


def test_negatives_of_the_training_texts_are_near_training_texts_of_other_labels(version):
    of = task(LABELS)
    mined = mine_negatives(version, of, JointSettings(margin=0.001))
    training = of.rows.tolist()
    assert len(mined) == len(training) == N - of.held_out.sum()
    assert sum(map(len, mined)) > 50
    for row, found in zip(training, mined, strict=True):
        others = [training[place] for place in found]
        assert not of.held_out[others].any()
        assert all(LABELS[other] != LABELS[row] for other in others)
    nearest = [training[found[0]] % 12 for found in mined if found]
    expected = [row % 12 ^ 1 for row, found in zip(training, mined, strict=True) if found]
    assert np.mean(np.equal(nearest, expected)) > 0.8
    assert mine_negatives(version, of, JointSettings(n_negatives=0)) == [[]] * len(training)


def test_related_concepts_are_no_negatives(version):
    names = sorted(set(LABELS))
    narrower = [Relation(head=names[n], type="is_a", tail=names[n + 1]) for n in range(0, 12, 2)]
    of = task(LABELS, KnowledgeGraph([Concept(id=name, name=name) for name in names], narrower))
    training = of.rows.tolist()
    for row, found in zip(training, mine_negatives(version, of, JointSettings(margin=0.001)), strict=True):
        assert all(training[place] % 12 != row % 12 ^ 1 for place in found)


def test_only_texts_with_far_targets_are_negatives(version):
    of = task([float(n % 2) for n in range(N)])
    training = of.rows.tolist()
    mined = mine_negatives(version, of, JointSettings())
    assert all(mined)
    for row, found in zip(training, mined, strict=True):
        assert all(training[place] % 2 != row % 2 for place in found)


def test_unlabelled_texts_that_are_each_others_nearest_are_alike_and_the_rest_is_unsure(version):
    """Labels 10 and 11 are not told: their texts lie together, in fours."""
    of = task([None if n % 12 >= 10 else label for n, label in enumerate(LABELS)])
    unlabelled = [f"text {n}" for n in range(N) if n % 12 >= 10]
    whole = [of.examples.texts[row] for row in np.flatnonzero(unseen_labels(of.examples, of.held_out))]
    assert sorted(of.others) == sorted([*unlabelled, *whole])
    assert len(whole) == 4
    found = mine_neighbourhoods(version, of, 3)
    texts = [*of.training.texts, *of.others]
    assert sorted(found.alike) == list(range(len(of.training.texts), len(texts)))
    for row, others in found.alike.items():
        numbers = {int(texts[other].split()[1]) % 12 for other in (row, *others)}
        assert len(numbers) == 1
        assert len(others) == 3
        assert not found.unsure[row] & others
        assert row not in found.unsure[row]
    # Mutual, and unsure about what lies near it, labelled texts included.
    assert all(row in found.alike[other] for row, others in found.alike.items() for other in others)
    assert any(other not in found.alike for others in found.unsure.values() for other in others)
    assert mine_neighbourhoods(version, of, 0) == Neighbourhoods()


def test_drawn_texts_come_with_one_that_is_alike():
    near = Neighbourhoods(alike={n: frozenset({n ^ 1}) for n in range(10, 30)} | {30: frozenset()})
    drawn = draw_pairs(near, 8, np.random.default_rng(0)).tolist()
    assert len(set(drawn)) == 8
    assert all(row ^ 1 in drawn for row in drawn)
    assert len(draw_pairs(near, 99, np.random.default_rng(0))) == 20
    assert draw_pairs(Neighbourhoods(), 8, np.random.default_rng(0)).tolist() == []


def test_texts_that_are_alike_share_a_label_and_unsure_ones_do_not_count():
    vectors = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.manual_seed(0)), dim=1)
    rows, codes = np.arange(6), np.array([0, 0, 1, 1, -1, -1])
    near = {4: frozenset({5}), 5: frozenset({4})}
    plain = Neighbourhoods(alike=near, unsure={4: frozenset(), 5: frozenset()})
    told = supervised_contrastive_loss(vectors, torch.tensor([0, 0, 1, 1, 2, 2]), 0.1)
    torch.testing.assert_close(neighbour_loss(vectors, rows, codes, plain, 0.1), told)
    # Unsure of all labelled texts, the two unlabelled ones have nothing to be told apart from.
    unsure = Neighbourhoods(alike=near, unsure=dict.fromkeys((4, 5), frozenset(range(4))))
    alone = supervised_contrastive_loss(vectors[:4], torch.tensor([0, 0, 1, 1]), 0.1)
    torch.testing.assert_close(neighbour_loss(vectors, rows, codes, unsure, 0.1), alone * 4 / 6)


def test_wrong_parameters_of_mining_are_refused(version):
    targets = {text: np.array([1.0]) for text in TEXTS[:2]}
    with pytest.raises(InvalidInputError, match=r"numbers of shape \(2, any\), got shape \(3, 2\)"):
        mine_far_targets(version, version.item_vectors(TEXTS[:3]), targets)
    with pytest.raises(InvalidInputError, match="expected distance as a number above 0, got 0"):
        mine_far_targets(version, version.item_vectors(TEXTS[:2]), targets, distance=0)


def test_negatives_are_sought_among_the_given_items(version):
    labels = dict(zip(TEXTS, LABELS, strict=True))
    among = frozenset(TEXTS[:24])
    mined = mine_hard_negatives(version, version.item_vectors(TEXTS), labels, among=among, margin=0.0)
    assert {id_ for found in mined.ids for id_ in found} <= among
