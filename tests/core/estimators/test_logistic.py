"""The linear head of every classifier of labels."""

import numpy as np
import pytest
from scipy.special import softmax
from zeroshot_core.estimators.logistic import fit_logistic, refit_row


@pytest.fixture
def texts():
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 3
    return rng.normal(size=(3, 8))[codes] + rng.normal(size=(60, 8)), codes


def test_the_gradient_of_the_stated_loss_is_nothing_at_the_coefficients(texts):
    vectors, codes = texts
    weights = np.linspace(0.2, 2.0, len(codes))

    coef, intercept = fit_logistic(vectors, codes, weights=weights)

    errors = (softmax(vectors @ coef.T + intercept, axis=1) - np.eye(3)[codes]) * weights[:, None]
    np.testing.assert_allclose(errors.T @ vectors + coef / 10, 0, atol=1e-2)
    np.testing.assert_allclose(errors.sum(axis=0), 0, atol=1e-2)


def test_two_labels_get_a_row_each_and_a_single_one_zeros(texts):
    vectors, codes = texts
    coef, intercept = fit_logistic(vectors, codes % 2)
    alone, _ = fit_logistic(vectors, np.zeros(60, dtype=int))

    assert (coef.shape, intercept.shape) == ((2, 8), (2,))
    assert not coef[0].any()
    assert ((vectors @ coef.T + intercept).argmax(axis=1) == codes % 2).mean() > 0.6
    np.testing.assert_array_equal(alone, np.zeros((1, 8)))


def test_a_rough_optimum_is_taken_without_a_warning(texts):
    vectors, codes = texts

    rough, _ = fit_logistic(vectors, codes, rough_steps=2)

    assert not np.allclose(rough, fit_logistic(vectors, codes)[0])


def test_a_row_learned_anew_finds_its_texts_while_the_others_stay(texts):
    vectors, codes = texts
    before = fit_logistic(vectors[codes < 2], codes[codes < 2])
    coef, intercept = (np.concatenate([part, 0 * part[:1]]) for part in before)

    coef[2], intercept[2] = refit_row(coef, intercept, 2, vectors[codes == 2], vectors[codes < 2])

    assert ((vectors @ coef.T + intercept).argmax(axis=1) == codes).mean() > 0.8
    np.testing.assert_array_equal(coef[:2], before[0])
