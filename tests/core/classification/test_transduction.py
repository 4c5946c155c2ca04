"""Labels learned from texts without labels."""

import numpy as np
import pytest
from zeroshot_core.classification.classifier import ZeroShotClassifier
from zeroshot_core.classification.label_head import fit_label_head
from zeroshot_core.classification.transduction import assign_labels, expected_accuracy, share_of_texts
from zeroshot_core.classification.transductive_head import fit_transductive_head
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prompting.label_prompts import label_questions
from zeroshot_core.types import Concept

PARTS = (
    ["red", "green", "shiny", "ripe", "dusty", "large", "tiny", "old", "new", "fine"],
    ["cat", "dog", "horse", "mouse", "apple", "hammer", "saw", "drill", "pear", "plum"],
)
TEXTS = [f"a {first} {second}" for first in PARTS[0] for second in PARTS[1]]


def nothing_known(vectors):
    return np.full(len(vectors), -1)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture
def clusters():
    """Three tight clusters whose labels point elsewhere, the nearest of each cluster its own by little."""
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(3, 16)))
    codes = np.repeat(np.arange(3), 60)
    vectors = unit(centres[codes] + 0.25 * rng.normal(size=(180, 16)))
    labels = unit(0.5 * centres + rng.normal(size=(3, 16)) * 0.3)
    return labels, vectors, codes


def nearest_graph(vectors):
    from scipy.sparse import csr_matrix

    near = vectors @ vectors.T
    np.fill_diagonal(near, -1)
    graph = np.where(near >= np.sort(near, axis=1)[:, -10][:, None], near**3, 0)
    graph = graph + graph.T
    scale = 1 / np.sqrt(graph.sum(axis=1))
    return csr_matrix(scale[:, None] * graph * scale[None, :])


def test_labels_move_to_where_their_texts_are(clusters):
    labels, vectors, codes = clusters
    by_name = (vectors @ labels.T).argmax(axis=1)
    shares = assign_labels(labels, vectors, nearest_graph(vectors))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert (shares.argmax(axis=1) == codes).mean() > max(0.98, (by_name == codes).mean())


def test_texts_whose_label_is_known_keep_it(clusters):
    labels, vectors, codes = clusters
    known = np.full(len(codes), -1)
    known[:5] = 2
    shares = assign_labels(labels, vectors, nearest_graph(vectors), known)
    assert shares[:5].argmax(axis=1).tolist() == [2] * 5


def test_texts_weigh_more_the_more_of_them_there_are():
    assert share_of_texts(0, 5) == 0
    assert share_of_texts(200, 5) == 0.5
    assert share_of_texts(20_000, 5) > 0.95


def test_more_is_expected_of_texts_that_fall_into_groups(clusters):
    labels, vectors, _ = clusters
    noise = unit(np.random.default_rng(1).normal(size=vectors.shape))
    clear, unclear = (
        expected_accuracy(labels, each, nearest_graph(each), nothing_known(each), random_state=0)
        for each in (vectors, noise)
    )
    assert clear > 0.9
    assert unclear < clear - 0.2


def test_with_some_labels_known_what_is_expected_is_seen_on_them(clusters):
    labels, vectors, codes = clusters
    wrong = np.roll(labels, 1, axis=0)
    known = np.where(np.arange(len(codes)) % 3 == 0, codes, -1)
    graph = nearest_graph(vectors)
    assert expected_accuracy(labels, vectors, graph, known, random_state=0) > 0.95
    assert expected_accuracy(wrong, vectors, graph, nothing_known(vectors), random_state=0) > 0.9
    # Examples move labels that are named wrongly, but those dealt out at random teach nothing.
    assert expected_accuracy(wrong, vectors, graph, known, random_state=0) > 0.95
    misled = np.where(known >= 0, np.random.default_rng(2).permutation(codes), -1)
    assert expected_accuracy(wrong, vectors, graph, misled, random_state=0) < 0.5


def test_a_head_is_as_sure_as_it_should_be(clusters):
    labels, vectors, codes = clusters
    head = fit_transductive_head(labels, vectors, nearest_graph(vectors), np.full(len(codes), -1), 0)
    probabilities = head.probabilities(vectors)
    accuracy = (probabilities.argmax(axis=1) == codes).mean()
    assert accuracy > 0.95
    assert abs(probabilities.max(axis=1).mean() - accuracy) < 0.1
    assert not head.has_examples.any()


def test_a_head_is_as_sure_as_the_guesses_were_that_tuned_its_encoder(clusters):
    labels, vectors, codes = clusters
    graph, known = nearest_graph(vectors), np.full(len(codes), -1)
    for accuracy in (0.92, 0.97):
        head = fit_transductive_head(labels, vectors, graph, known, 0, accuracy=accuracy)
        assert head.probabilities(vectors).max(axis=1).mean() == pytest.approx(accuracy, abs=0.02)


def test_examples_count_where_labels_alone_mislead_the_texts(clusters):
    _, vectors, codes = clusters
    centres = np.stack([vectors[codes == code].mean(axis=0) for code in range(3)])
    labels = unit(0.6 * np.roll(centres, 1, axis=0) + 0.5 * centres)
    rows = np.concatenate([np.flatnonzero(codes == code)[:5] for code in range(3)])
    known = nothing_known(vectors)
    known[rows] = codes[rows]
    examples = fit_label_head(labels, vectors[rows], codes[rows], 0)
    graph = nearest_graph(vectors)
    alone = fit_transductive_head(labels, vectors, graph, nothing_known(vectors), 0)
    joined = fit_transductive_head(labels, vectors, graph, known, 0, examples_head=examples)
    right = [(each.scores(vectors).argmax(axis=1) == codes).mean() for each in (alone, examples, joined)]
    assert right[0] < right[1] <= right[2]
    assert joined.has_examples.all()


@pytest.fixture(scope="module")
def fitted(hash_encoder):
    return ZeroShotClassifier(hash_encoder).fit(labels=["dog", "hammer", "pear"], unlabelled=TEXTS * 2)


def test_unlabelled_texts_are_indexed_once_and_serve_all_texts(fitted):
    assert fitted.version_.count() == len(TEXTS)
    assert fitted.predict(["a dog", "one hammer", "pear"]).tolist() == ["dog", "hammer", "pear"]


def test_a_model_with_unlabelled_texts_is_saved(fitted, hash_encoder, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = ZeroShotClassifier.load(tmp_path / "model", encoder=hash_encoder)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS[:9]), fitted.predict_proba(TEXTS[:9]))
    loaded.close()


def test_texts_without_labels_stand_beside_examples(hash_encoder):
    model = ZeroShotClassifier(hash_encoder).fit(
        ["a dog", "a hammer"], ["animal", "tool"], unlabelled=["a dog", *TEXTS]
    )
    assert model.version_.count() == 2 + len(TEXTS)
    assert model.predict(["a dog", "a hammer"]).tolist() == ["animal", "tool"]
    assert model.head_.has_examples.all()


def test_evidence_tells_texts_without_labels_from_examples(hash_encoder):
    model = ZeroShotClassifier(hash_encoder, top_k=4).fit(
        ["a dog", "a hammer"], ["animal", "tool"], unlabelled=TEXTS
    )
    (found,) = model.explain(["a dog"])
    first, *others = found.evidence.items
    assert (first.id, first.concepts) == ("example-0", ("animal",))
    assert {hit.concepts for hit in others if hit.id.startswith("unlabelled-")} == {()}
    (asked,) = label_questions(model, ["a dog"])
    assert '"a dog" is labelled "animal"' in asked.prompt
    assert asked.prompt.count("is labelled") == sum(bool(hit.concepts) for hit in found.evidence.items)


def test_fewer_texts_than_labels_are_refused(hash_encoder):
    model = ZeroShotClassifier(hash_encoder)
    with pytest.raises(
        InvalidInputError, match="as many distinct texts in unlabelled as the 3 labels, got 1"
    ):
        model.fit(labels=["dog", "hammer", "pear"], unlabelled=["a", "a", "a"])
    with pytest.raises(InvalidInputError, match="expected X as a list of items or texts, got one"):
        model.fit(labels=["dog", "hammer"], unlabelled="a text")
    assert not hasattr(model, "head_")


def test_label_names_are_read_as_words_in_several_templates(minilm):
    ids = ["card_arrival", "LostCard"]
    plain = ZeroShotClassifier(minilm).fit(labels=ids)
    spaced = ZeroShotClassifier(minilm).fit(labels=["card arrival", "Lost Card"])
    np.testing.assert_allclose(plain.head_.labels, spaced.head_.labels[[0, 1]], atol=1e-5)
    alone = ZeroShotClassifier(minilm, template="{}").fit(labels=ids)
    assert (plain.head_.labels * alone.head_.labels).sum(axis=1).max() < 0.99


def test_a_label_longer_than_the_encoder_takes_counts_by_its_beginning(minilm):
    long = "about cats and dogs " * 400
    labels = [Concept(id="pets", name=long), Concept(id="tools", name="steel tools")]
    assert ZeroShotClassifier(minilm).fit(labels=labels).predict(["My kitten plays"]).tolist() == ["pets"]
    with pytest.raises(InvalidInputError, match=r"labels of at most 512 bytes, got one of 8000.*short id"):
        ZeroShotClassifier(minilm).fit(labels=[long, "tools"])
