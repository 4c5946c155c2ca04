"""Models that tune their encoder: what is kept, what is said, and that a saved one needs nothing else."""

import numpy as np
import pytest
from shop_samples import shop_products, shop_sales
from zeroshot_core import ZeroShotClassifier, ZeroShotRegressor, load_model
from zeroshot_core.encoders import FunctionEncoder, HashEncoder, HeadEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.prediction import open_encoder

SPORT = ["a late goal won the match", "the striker scored twice", "the goalkeeper saved a penalty"]
MARKET = ["shares fell at the close", "the bank raised its rates", "profits of the firm grew"]
PLACES = ["in London", "in Rome", "on Monday", "last night"]
TEXTS = [f"{text} {place}" for text in SPORT + MARKET for place in PLACES]
LABELS = ["sport"] * 12 + ["business"] * 12
QUERIES = ["a penalty in the match", "the firm and its bank"]


def hashed(texts):
    return HashEncoder(64).encode(texts)


def test_a_classifier_tuned_on_few_examples_is_saved_with_its_encoder(minilm, tmp_path):
    model = ZeroShotClassifier(minilm, tune="full", budget_s=1.0).fit(TEXTS, LABELS)
    expected = model.predict_proba(QUERIES)
    assert model.predict(QUERIES).tolist() == ["sport", "business"]
    assert model.tuning_ is not None
    assert model.holds_encoder_ == model.tuning_.is_improved
    model.save(tmp_path / "model")
    model.close()
    (tmp_path / "model").rename(tmp_path / "moved")
    again = load_model(tmp_path / "moved")
    np.testing.assert_allclose(again.predict_proba(QUERIES), expected, atol=1e-5)
    # Saved once more from what was loaded, it is as whole.
    again.save(tmp_path / "copy")
    again.close()
    third = load_model(tmp_path / "copy")
    np.testing.assert_allclose(third.predict_proba(QUERIES), expected, atol=1e-5)
    third.close()
    assert bool(list((tmp_path / "copy").glob("encoder-*"))) == model.holds_encoder_
    assert open_encoder(tmp_path / "copy").fingerprint == model.encoder_.fingerprint


def test_a_head_over_a_closed_model_is_saved_and_each_text_paid_for_once(tmp_path):
    paid = []

    def closed(texts):
        paid.extend(texts)
        return hashed(texts)

    encoder = FunctionEncoder(closed, name="closed", dimension=64, fingerprint="a" * 16)
    model = ZeroShotClassifier(encoder, tune="head").fit(TEXTS, LABELS)
    assert model.tuning_.is_improved
    assert isinstance(model.encoder_, HeadEncoder)
    assert len(paid) == len(set(paid))
    expected = model.predict_proba(QUERIES)
    model.save(tmp_path / "model")
    model.close()
    again = ZeroShotClassifier.load(tmp_path / "model", encoder=encoder)
    np.testing.assert_allclose(again.predict_proba(QUERIES), expected, atol=1e-6)
    again.close()
    changed = FunctionEncoder(lambda texts: hashed(texts)[:, :32], name="closed", fingerprint="a" * 16)
    with pytest.raises(InvalidInputError, match="of length 32 from 'closed', got"):
        ZeroShotClassifier.load(tmp_path / "model", encoder=changed)


def test_a_regressor_with_a_head_predicts_the_same_after_loading(tmp_path):
    items = shop_products(linked=False)[:30]
    model = ZeroShotRegressor(HashEncoder(64), top_k=5, tune="head")
    expected = model.fit(items, shop_sales()[:30]).predict(items[:5])
    assert model.tuning_.n_held_out == 6
    model.save(tmp_path / "model")
    model.close()
    again = load_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict(items[:5]), expected, rtol=1e-6)
    again.close()


def test_a_model_that_is_not_tuned_says_nothing_of_tuning():
    model = ZeroShotClassifier(HashEncoder(64)).fit(TEXTS, LABELS)
    assert model.tuning_ is None
    assert not model.holds_encoder_
    model.close()


def test_wrong_ways_of_tuning_are_refused(minilm):
    with pytest.raises(
        InvalidInputError, match=r"expected tune to be one of 'none', .*, got 'fully'; did you mean 'full'"
    ):
        ZeroShotClassifier(minilm, tune="fully").fit(TEXTS, LABELS)
    with pytest.raises(
        InvalidInputError, match=r"TransformerEncoder of texts for tune='full'.*use tune=.head."
    ):
        ZeroShotClassifier(HashEncoder(), tune="full").fit(TEXTS, LABELS)
    with pytest.raises(InvalidInputError, match="expected examples for tune='head', got none"):
        ZeroShotClassifier(HashEncoder(), tune="head").fit(labels=["sport", "business"])
    with pytest.raises(InvalidInputError, match="budget_s as a number above 0, got 0; give seconds, or None"):
        ZeroShotRegressor(HashEncoder(), tune="head", budget_s=0).fit(TEXTS, np.arange(24.0))
    with pytest.raises(InvalidInputError, match="targets that vary"):
        ZeroShotRegressor(HashEncoder(), tune="head").fit(TEXTS, np.ones(24))
