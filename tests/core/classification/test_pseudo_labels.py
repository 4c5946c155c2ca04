"""An encoder tuned with label names and texts without labels alone."""

from contextlib import closing

import numpy as np
from zeroshot_core import ZeroShotClassifier, load_model
from zeroshot_core.classification.label_vectors import label_graph
from zeroshot_core.classification.pseudo_labels import pseudo_labelled_items
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.estimators.indexing import ModelIndex, as_items

SPORT = ["a late goal won the sport match", "the striker scored twice", "the goalkeeper saved a penalty"]
MARKET = ["shares fell at the close of business", "the bank raised its rates", "profits of the firm grew"]
PLACES = ["in London", "in Rome", "on Monday", "last night"]
TEXTS = [f"{text} {place}" for text in SPORT + MARKET for place in PLACES]
TRUTHS = ["sport"] * 12 + ["business"] * 12
QUERIES = ["a penalty in the match", "the firm and its bank"]


def test_names_and_texts_alone_tune_an_encoder_that_is_saved(minilm, tmp_path):
    model = ZeroShotClassifier(minilm, tune="full", budget_s=1.0)
    with closing(model.fit(labels=["sport", "business"], unlabelled=TEXTS)):
        assert model.tuning_.n_training + model.tuning_.n_held_out >= len(TEXTS) // 2
        assert model.holds_encoder_ == model.tuning_.is_improved
        assert model.predict(QUERIES).tolist() == ["sport", "business"]
        assert (model.predict(TEXTS) == TRUTHS).mean() > 0.9
        # The encoder learned from guesses; no text is said to have a label that nobody gave it.
        assert {item.concepts for item in model.version_.items(model.version_.all_ids())} == {()}
        assert len(model.model_index_.index.versions()) == 1
        expected = model.predict_proba(QUERIES)
        model.save(tmp_path / "model")
    with closing(load_model(tmp_path / "model")) as again:
        np.testing.assert_allclose(again.predict_proba(QUERIES), expected, atol=1e-5)


def test_a_head_learns_from_texts_without_labels_too():
    model = ZeroShotClassifier(HashEncoder(), tune="head")
    with closing(model.fit(labels=["sport", "business"], unlabelled=TEXTS)):
        assert model.tuning_.n_training > 0
        assert model.version_.count() == len(TEXTS)


def test_the_surest_half_of_each_labels_share_is_guessed():
    encoder, (ids, graph) = HashEncoder(), label_graph(["sport", "business"], None, None)
    items = as_items(TEXTS, prefix="text-")
    with closing(ModelIndex(None)) as model_index:
        labels = encoder.encode([graph.concepts[id_].name for id_ in ids])
        guesses = pseudo_labelled_items(items, labels, ids, encoder, graph, model_index, 0)
        guessed, names = guesses.items, guesses.labels
        assert model_index.index.versions() == []

    assert sorted(names) == ["business"] * 6 + ["sport"] * 6
    assert [item.concepts for item in guessed] == [(name,) for name in names]
    truths = dict(zip(TEXTS, TRUTHS, strict=True))
    assert np.mean([truths[item.text] == name for item, name in zip(guessed, names, strict=True)]) > 0.7
