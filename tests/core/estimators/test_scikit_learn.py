"""Estimators among those of scikit-learn: ensembles, searches and cross-validation over texts."""

import numpy as np
import pytest
from sklearn import exceptions
from sklearn.base import clone
from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted
from zeroshot_core import NoveltyDetector, ZeroShotClassifier, ZeroShotRanker, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import NotFittedError

ENCODER = HashEncoder(32)
KINDS = ["a bottle of red wine", "a hammer of steel", "a soft kitten"]
TEXTS = [f"{KINDS[i % 3]} number {i}" for i in range(18)]
NAMES = np.array([["wine", "tool", "pet"][i % 3] for i in range(18)])
NUMBERS = np.array([[10, 9, 2][i % 3] for i in range(18)])
TARGETS = np.array([[1.0, 5.0, 9.0][i % 3] for i in range(18)])
ESTIMATORS = [ZeroShotClassifier, ZeroShotRegressor, NoveltyDetector, ZeroShotRanker]

# Reviewed: checks that fit or ask with rows of numbers, which our estimators refuse by name.
WITH_NUMBERS = """
check_classifier_data_not_an_array
check_classifiers_classes
check_classifiers_train
check_complex_data
check_dict_unchanged
check_dont_overwrite_parameters
check_dtype_object
check_estimator_sparse_array
check_estimator_sparse_matrix
check_estimators_dtypes
check_estimators_empty_data_messages
check_estimators_fit_returns_self
check_estimators_nan_inf
check_estimators_overwrite_params
check_estimators_pickle
check_f_contiguous_array_estimator
check_fit2d_1feature
check_fit2d_1sample
check_fit2d_predict1d
check_fit_check_is_fitted
check_fit_idempotent
check_fit_score_takes_y
check_methods_sample_order_invariance
check_methods_subset_invariance
check_n_features_in
check_n_features_in_after_fitting
check_outliers_fit_predict
check_outliers_train
check_pipeline_consistency
check_positive_only_tag_during_fit
check_readonly_memmap_input
check_regressor_data_not_an_array
check_regressors_int
check_regressors_no_decision_function
check_regressors_train
check_supervised_y_2d
"""
CANNOT_HOLD = {
    **dict.fromkeys(WITH_NUMBERS.split(), "rows of numbers are no items or texts"),
    "check_classifiers_one_label": "there is nothing to choose from among fewer than two labels",
    "check_classifiers_regression_target": "numbers that are no labels are refused in our own words",
    "check_requires_y_none": "what lacks its targets is refused in our own words",
    "check_estimators_partial_fit_n_features": "partial_fit takes labels, not classes",
}


# A ranker is fitted on a graph alone, and so is none of scikit-learn's estimators.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ESTIMATORS[:-1])
def test_checks_of_scikit_learn_hold_but_for_those_that_want_numbers(kind):
    class WithNumbers(kind):
        """Says that it takes rows of numbers, lest nearly all checks be left out."""

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.two_d_array = True
            return tags

    WithNumbers.__name__ = kind.__name__
    found = check_estimator(WithNumbers(ENCODER), expected_failed_checks=CANNOT_HOLD, on_fail=None)
    assert [(each["check_name"], each["exception"]) for each in found if each["status"] == "failed"] == []
    assert sum(each["status"] == "passed" for each in found) >= 14
    assert not kind(ENCODER).__sklearn_tags__().input_tags.two_d_array


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_an_estimator_before_fit_raises_the_error_of_both(kind):
    for error in (NotFittedError, exceptions.NotFittedError):
        with pytest.raises(error, match="before fit"):
            kind(ENCODER).predict(TEXTS)
    with pytest.raises(exceptions.NotFittedError):
        check_is_fitted(kind(ENCODER))


@pytest.mark.parametrize("y", [NAMES, NUMBERS])
def test_probabilities_of_folds_are_in_the_order_of_the_labels(y):
    shares = cross_val_predict(ZeroShotClassifier(ENCODER), TEXTS, y, cv=2, method="predict_proba")
    assert (np.unique(y)[shares.argmax(axis=1)] == y).all()


def test_ensembles_of_classifiers_take_texts():
    voting = VotingClassifier([("a", ZeroShotClassifier(ENCODER))], voting="soft").fit(TEXTS, NUMBERS)
    assert voting.predict(TEXTS).tolist() == NUMBERS.tolist()
    stacking = StackingClassifier([("a", ZeroShotClassifier(ENCODER))], LogisticRegression(), cv=2)
    assert stacking.fit(TEXTS, NAMES).predict(TEXTS).tolist() == NAMES.tolist()
    each = OneVsRestClassifier(ZeroShotClassifier(ENCODER)).fit(TEXTS, NAMES)
    assert each.predict(TEXTS).tolist() == NAMES.tolist()


def test_searches_score_and_clone():
    search = GridSearchCV(ZeroShotClassifier(ENCODER), {"template": ["of {}"]}, cv=2).fit(TEXTS, NAMES)
    assert search.best_score_ == 1.0
    assert clone(search.best_estimator_).get_params() == search.best_estimator_.get_params()


def test_ensembles_of_regressors_take_texts():
    assert cross_val_score(ZeroShotRegressor(ENCODER), TEXTS, TARGETS, cv=2).min() > 0.5
    voting = VotingRegressor([("a", ZeroShotRegressor(ENCODER))]).fit(TEXTS, TARGETS)
    assert np.abs(voting.predict(TEXTS) - TARGETS).max() < 2


def test_nothing_asked_is_answered_by_nothing_of_the_same_shape():
    classifier = ZeroShotClassifier(ENCODER).fit(TEXTS, NAMES)
    assert classifier.predict([]).dtype == classifier.classes_.dtype
    assert classifier.predict([], reject=True).shape == (0,)
    assert classifier.predict_proba([]).shape == (0, 3)
    assert classifier.novelty_score([]).shape == (0,)
    assert classifier.explain([], reject=True) == []
    assert classifier.retriever_.retrieve([]) == []
    curves = ZeroShotRegressor(ENCODER).fit(TEXTS, np.stack([TARGETS, TARGETS], axis=1))
    assert curves.predict([]).shape == (0, 2)
    assert curves.predict_interval([]).shape == (0, 2, 2)
    assert curves.explain([]) == []
    detector = NoveltyDetector(ENCODER).fit(TEXTS)
    assert detector.predict([]).shape == detector.novelty_score([]).shape == (0,)
    assert detector.predict([]).dtype == np.int64
