"""Networks beside the trees: smooth, honest about what they have seen, and saved with the model."""

import numpy as np
import pytest
from shop_samples import shop_products, shop_sales
from zeroshot_core import ZeroShotRegressor, load_model
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.regression import heads
from zeroshot_core.regression.network import fit_network_head

N = 600
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(N, 4))
VECTORS = RNG.normal(size=(N, 8)).astype(np.float32) / np.sqrt(8)
FOLDS = np.arange(N) % 10
NOISE = RNG.normal(size=N)


def test_features_and_vectors_are_both_learned_from():
    targets = FEATURES[:, 0] + 2.0 * VECTORS[:, 0] + 5.0
    holed = np.where(np.arange(N)[:, None] % 7 == 0, np.nan, FEATURES)
    head, held_out = fit_network_head(holed[:500], VECTORS[:500], targets[:500], FOLDS[:500], 0)
    for forecast, truth in (
        (held_out, targets[:500]),
        (head.level(holed[500:], VECTORS[500:]), targets[500:]),
    ):
        assert np.mean((forecast - truth) ** 2) < 0.5 * targets.var()


def test_forecasts_of_rows_held_out_know_nothing_of_their_targets():
    head, held_out = fit_network_head(FEATURES, VECTORS, NOISE, FOLDS, 0)
    assert np.corrcoef(held_out, NOISE)[0, 1] < 0.05
    assert np.corrcoef(head.level(FEATURES, VECTORS), NOISE)[0, 1] > 0.1


def test_a_model_with_networks_predicts_the_same_after_loading(tmp_path, monkeypatch):
    monkeypatch.setattr(heads, "_FEWEST_FOR_NETWORKS", 50)
    products = shop_products(linked=False)
    model = ZeroShotRegressor(HashEncoder(32), top_k=5).fit(products, shop_sales())
    assert all(head.networks for head in model.ensemble_.heads)
    expected = model.predict_interval(products[:9])
    model.save(tmp_path / "model")
    model.close()
    again = load_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict_interval(products[:9]), expected, rtol=1e-5)
    again.close()


@pytest.mark.parametrize("n_folds", [2, 3])
def test_few_folds_are_enough(n_folds):
    head, _ = fit_network_head(FEATURES[:40], VECTORS[:40], NOISE[:40], np.arange(40) % n_folds, 0)
    assert np.isfinite(head.level(FEATURES[:3], VECTORS[:3])).all()
