"""The ratios of findings, computed by hand from the formula."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.graph.hierarchy import hierarchy_of
from zeroshot_core.ranking.likelihood import (
    Telling,
    excluded_scores,
    finding_ratios,
    finding_weights,
    learn_findings,
)
from zeroshot_core.types import Concept, Relation

TOP, A, B = range(3)
TELLING = Telling(noise=0.2, imprecision=0.5, retold=0.25, near=0.25, reach=0.5, kin=0.4, trust=0.5)
FREQUENCIES = [[0, 1.0, 0], [0, 0, 0.5]]
NONE = [[0, 0, 0], [0, 0, 0]]
NEAR = [[0, 0.5, 0.5], [0, 0, 1], [0, 1, 0]]
NO_KIN = [[0, 0], [0, 0]]


def model_of(telling=TELLING, *, frequencies=FREQUENCIES, lacked=NONE, near=NEAR, kin=NO_KIN):
    """Two findings under one wider one; of the candidates the first shows a, the second b."""
    graph = KnowledgeGraph(
        [Concept(id=id_, name=id_) for id_ in ("0", "a", "b")],
        [Relation(head=id_, type="is_a", tail="0") for id_ in ("a", "b")],
    )
    matrices = (sparse.csr_matrix(np.array(table, dtype=float)) for table in (frequencies, lacked, near, kin))
    return learn_findings(hierarchy_of(graph), *matrices, telling)


def ratios(model, *findings):
    return np.exp(finding_ratios(model, meaning(*findings)))


def excluded(model, *findings):
    return np.exp(excluded_scores(model, meaning(*findings)))


def meaning(*findings):
    """Rows for findings, given by their place or as shares."""
    return sparse.csr_matrix([np.eye(3)[f] if isinstance(f, int) else f for f in findings])


def test_ratios_are_those_of_the_formula():
    # Told as themselves .5 and as the top .25, so each of the three is a third of the background.
    # a for the first: .5 * .5 * 3 as itself, none by vectors; .25 * (.5 * 3 + .25 * 1) by wider ones.
    itself, retold_itself, retold_at_top, near = 0.75, 0.375, 0.0625, 0.75
    expected = [
        [0.8 * (0.375 + retold_at_top) + 0.2] * 2,
        [0.8 * (itself + retold_itself + retold_at_top) + 0.2, 0.8 * (near + retold_at_top) + 0.2],
        [0.8 * (near + retold_at_top) + 0.2, 0.8 * (itself + retold_itself + retold_at_top) + 0.2],
    ]

    np.testing.assert_allclose(ratios(model_of(), TOP, A, B), expected, rtol=1e-6)


def test_what_is_known_of_a_near_candidate_counts_by_its_share():
    own, other = 1.1875, 0.8125
    model = model_of(kin=[[0, 1], [0, 0]])

    # Only the first has a near one.
    expected = [0.8 * (0.6 * own + 0.4 * other) + 0.2, 0.8 * other + 0.2]
    np.testing.assert_allclose(ratios(model, A)[0], expected, rtol=1e-6)


def test_the_same_finding_says_more_for_who_shows_it_more_often():
    model = model_of(frequencies=[[0, 0.9, 0.1], [0, 0.1, 0.9]])
    said = ratios(model, A, B)

    assert said[0, 0] > said[0, 1]
    assert said[1, 1] > said[1, 0]


def test_a_rare_finding_says_more_than_a_common_one():
    model = model_of(frequencies=[[0, 1, 1], [0, 1, 0]])
    said = ratios(model, A, B)

    assert said[1, 0] > said[0, 0]


def test_a_finding_that_may_mean_several_is_their_mean():
    model = model_of()
    single = ratios(model, A, B)

    np.testing.assert_allclose(ratios(model, [0, 0.7, 0.3])[0], 0.7 * single[0] + 0.3 * single[1], rtol=1e-6)


def test_a_finding_that_is_known_to_lack_leaves_only_the_noise():
    lacks_b = ratios(model_of(lacked=[[0, 0, 1], [0, 0, 0]]), TOP, A, B)
    lacks_all = ratios(model_of(lacked=[[1, 0, 0], [0, 0, 0]]), TOP, A, B)

    np.testing.assert_allclose(lacks_b[B, 0], 0.2, rtol=1e-6)
    np.testing.assert_allclose(lacks_b[[TOP, A]], ratios(model_of(), TOP, A), rtol=1e-6)
    np.testing.assert_allclose(lacks_all[:, 0], 0.2, rtol=1e-6)
    np.testing.assert_allclose(lacks_all[:, 1], ratios(model_of(), TOP, A, B)[:, 1], rtol=1e-6)


def test_a_text_that_may_mean_what_is_lacked_loses_by_that_share_only():
    plain = (ratios(model_of(), [0, 0.9, 0.1])[0, 0] - 0.2) / 0.8
    model = model_of(lacked=[[0, 0, 1], [1, 0, 1]])

    np.testing.assert_allclose(ratios(model, [0, 0.9, 0.1])[0], [0.8 * 0.9 * plain + 0.2, 0.2], rtol=1e-6)


def test_findings_that_say_the_same_count_once_together():
    model = model_of()

    np.testing.assert_allclose(finding_weights(model, meaning(A, B, TOP)), 1.0)
    np.testing.assert_allclose(finding_weights(model, meaning(A, B, A)), [0.5, 1.0, 0.5])
    # Of what is above either, half is above both.
    np.testing.assert_allclose(finding_weights(model, meaning(A, [0, 0.5, 0.5])), 1 / 1.5, rtol=1e-6)


def test_excluded_findings_speak_against_who_would_show_them_or_narrower_ones():
    # 1 - trust * frequency, where nothing is more certain than .98.
    np.testing.assert_allclose(
        excluded(model_of(), TOP, A, B), [[0.51, 0.75], [0.51, 1.0], [1.0, 0.75]], rtol=1e-6
    )


def test_an_excluded_wide_finding_counts_all_the_narrow_ones():
    model = model_of(frequencies=[[0, 0.5, 0.4], [0, 0, 0.5]])

    np.testing.assert_allclose(excluded(model, TOP)[0], [1 - 0.5 * (1 - 0.5 * 0.6), 0.75], rtol=1e-6)


def test_an_excluded_narrow_finding_leaves_those_with_the_wide_one_alone():
    model = model_of(frequencies=[[1, 0, 0], [0, 0, 0.5]])

    np.testing.assert_allclose(excluded(model, A)[0], [1.0, 1.0])


def test_without_trust_exclusions_say_nothing():
    np.testing.assert_array_equal(excluded(model_of(replace(TELLING, trust=0.0)), TOP, A), 1.0)


def test_the_more_noise_the_less_a_finding_says():
    spreads = [
        np.ptp(finding_ratios(model_of(replace(TELLING, noise=noise)), meaning(A))) for noise in (0.1, 0.5, 1)
    ]

    assert spreads[0] > spreads[1] > spreads[2] == pytest.approx(0.0)


def test_what_nobody_shows_says_something_finite_about_all():
    model = model_of(frequencies=[[0, 1, 0], [0, 1, 0]])

    assert np.isfinite(finding_ratios(model, meaning(B))).all()
