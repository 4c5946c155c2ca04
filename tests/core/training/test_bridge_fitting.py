"""What lies between two frozen encoders, learned from few pairs."""

import warnings

import numpy as np
import pytest
from zeroshot_core.encoders import BridgeEncoder, FunctionEncoder, HashEncoder, encoder_from_config
from zeroshot_core.encoders.bridge_encoder import BRIDGE_ARRAYS, apply_bridge
from zeroshot_core.encoders.config_arrays import arrays_from_text
from zeroshot_core.errors import InvalidInputError, TooLittleError
from zeroshot_core.training import bridge_fitting, bridge_maps, fit_bridge

COLOURS = [
    "red",
    "blue",
    "green",
    "black",
    "white",
    "grey",
    "pink",
    "brown",
    "gold",
    "beige",
    "violet",
    "mauve",
]
THINGS = [
    "lamp",
    "chair",
    "table",
    "rug",
    "shelf",
    "mirror",
    "clock",
    "vase",
    "stool",
    "bench",
    "frame",
    "sofa",
]
ALL = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]
TEXTS = [ALL[place] for place in np.random.default_rng(2).permutation(len(ALL))]
RIGHT = HashEncoder(48)
MIX = np.random.default_rng(0).normal(size=(48, 64))


def mixed(texts):
    """Another tower: the same numbers, turned and bent."""
    return np.tanh(RIGHT.encode(texts) @ MIX).tolist()


LEFT = FunctionEncoder(mixed, name="mixed", dimension=64, fingerprint="a" * 16)


@pytest.mark.parametrize("space", ["right", "joint"])
def test_unseen_queries_find_their_documents_through_the_bridge(space):
    bridge, report = fit_bridge(LEFT, RIGHT, TEXTS[::2], space=space)
    unseen = TEXTS[1::2]
    found = bridge.encode(unseen, role="query") @ bridge.encode(unseen).T
    assert (found.argmax(axis=1) == np.arange(len(unseen))).mean() > 0.8
    assert report.is_better
    assert report.scores[report.method] == max(report.scores.values()) > report.baseline
    assert bridge.space == space
    assert (bridge.document_fingerprint == RIGHT.fingerprint) is (space == "right")
    assert (bridge.left, bridge.right) == (LEFT, RIGHT)
    assert encoder_from_config(bridge.to_config(), encoder=bridge) is bridge


def test_many_pairs_have_a_network_tried_too(monkeypatch):
    monkeypatch.setattr(bridge_maps, "_NET_PAIRS", 50)
    monkeypatch.setattr(bridge_maps, "_EPOCHS", 30)
    monkeypatch.setattr(bridge_maps, "_HIDDEN", 128)
    monkeypatch.setattr(bridge_maps, "_RIDGE_PENALTIES", ())
    monkeypatch.setattr(bridge_maps, "_CANONICAL_PENALTIES", ())
    _, report = fit_bridge(LEFT, RIGHT, TEXTS)
    assert set(report.scores) == {"procrustes", "net"}
    assert report.scores["net"] > 0.5
    arrays = bridge_maps.fitted_map("net", "right", LEFT.encode(TEXTS), RIGHT.encode(TEXTS), 0)
    found = BridgeEncoder(LEFT, RIGHT, "net", arrays).encode(TEXTS, role="query") @ RIGHT.encode(TEXTS).T
    assert (found.argmax(axis=1) == np.arange(len(TEXTS))).mean() > 0.9


def test_vectors_move_to_the_other_sides_of_known_pairs_that_they_are_near_to():
    bridge, report = fit_bridge(LEFT, RIGHT, TEXTS[::2], space="joint")
    assert report.method.startswith("neighbours")
    arrays = bridge_maps.fitted_map(
        report.method, "joint", LEFT.encode(TEXTS[::2], role="query"), RIGHT.encode(TEXTS[::2]), 0
    )
    plain, moved = (
        BridgeEncoder(LEFT, RIGHT, kind, {name: arrays[name] for name in BRIDGE_ARRAYS[kind]})
        for kind in ("joint", "neighbours")
    )
    assert bridge.dimension == moved.dimension + 2

    def own_cosines(encoder, texts):
        return (encoder.encode(texts, role="query") * encoder.encode(texts)).sum(axis=1)

    for texts in (TEXTS[::2], TEXTS[1::2]):
        assert own_cosines(moved, texts).mean() > own_cosines(plain, texts).mean()


def test_what_is_near_to_everything_on_the_other_side_is_lowered():
    known, unseen = TEXTS[::2], TEXTS[1::2]
    arrays = bridge_maps.fitted_map(
        "neighbours 1", "joint", LEFT.encode(known, role="query"), RIGHT.encode(known), 0
    )
    asked = apply_bridge(arrays, LEFT.encode(unseen, role="query"), "left")
    sought = apply_bridge(arrays, RIGHT.encode(unseen), "right")
    lowered = asked[:, :-2] @ sought[:, :-2].T - asked @ sought.T
    near = np.sort(sought[:, :-2] @ arrays["left.moved"].T, axis=1)[:, -10:].mean(axis=1)
    assert np.corrcoef(lowered.mean(axis=0), near)[0, 1] > 0.999
    assert lowered[:, near.argmax()].mean() > lowered[:, near.argmin()].mean()
    assert abs(lowered.mean()) < 0.1


def test_activations_are_compared_by_their_roots():
    activations = FunctionEncoder(
        lambda texts: np.exp(6.0 * np.asarray(mixed(texts))).tolist(), name="a", dimension=64
    )
    roots = FunctionEncoder(
        lambda texts: np.exp(3.0 * np.asarray(mixed(texts))).tolist(), name="r", dimension=64
    )
    bridge, _ = fit_bridge(activations, RIGHT, TEXTS[::2])
    assert bridge.to_config()["left_power"] == 0.5
    assert "left_power" not in fit_bridge(LEFT, RIGHT, TEXTS[::2])[0].to_config()
    arrays = arrays_from_text(bridge.to_config()["arrays"], BRIDGE_ARRAYS["linear"])
    plain = BridgeEncoder(roots, RIGHT, "linear", arrays)
    expected = plain.encode(TEXTS, role="query")
    np.testing.assert_allclose(bridge.encode(TEXTS, role="query"), expected, atol=1e-5)
    assert bridge.fingerprint != BridgeEncoder(activations, RIGHT, "linear", arrays).fingerprint


def test_whole_groups_are_held_out_and_free_pairs_never():
    groups = [text.split()[1] for text in TEXTS]
    pairs = [(text, text) for text in TEXTS]
    _, report = fit_bridge(LEFT, RIGHT, pairs, groups=groups, free_pairs=["a spare text"])
    assert (report.n_held_out, report.n_pairs) == (len(TEXTS), len(TEXTS) + 1)
    _, single = fit_bridge(LEFT, RIGHT, pairs)
    assert report.scores["ridge 0.3"] < single.scores["ridge 0.3"]


def test_of_many_pairs_a_fifth_is_held_out_once(monkeypatch):
    monkeypatch.setattr(bridge_fitting, "_MOST_COMPARED", 100)
    _, report = fit_bridge(LEFT, RIGHT, TEXTS)
    assert report.n_held_out == 29


def test_rows_of_a_classifier_help_few_pairs_and_make_a_bridge_without_any():
    few = [text for text in TEXTS if text.split()[0] in COLOURS[:3] and text.split()[1] in THINGS[:8]]
    named, unseen = TEXTS[:60], [text for text in TEXTS[60:] if text not in few]
    # A classifier's row is the class seen through the inverse covariance.
    covariance = np.cov(LEFT.encode(ALL).T) + 1e-3 * np.eye(64)
    seen = np.linalg.solve(covariance, LEFT.encode(named).T).T
    rows = [(row.astype(np.float32), text) for row, text in zip(seen, named, strict=True)]

    def found(bridge):
        nearest = (bridge.encode(unseen, role="query") @ bridge.encode(unseen).T).argmax(axis=1)
        return float((nearest == np.arange(len(unseen))).mean())

    with_rows, report = fit_bridge(LEFT, RIGHT, few, free_pairs=rows, space="joint")
    assert (report.n_held_out, report.n_pairs) == (24, 84)
    assert found(with_rows) > found(fit_bridge(LEFT, RIGHT, few, space="joint")[0]) + 0.02
    without, report = fit_bridge(LEFT, RIGHT, [], free_pairs=rows)
    assert (report.method, report.scores, report.is_better, report.n_held_out) == ("classes", {}, False, 0)
    assert found(without) > 0.25
    assert without.document_fingerprint == RIGHT.fingerprint


def test_a_bridge_between_what_has_nothing_in_common_is_told():
    rng = np.random.default_rng(1)
    noise = FunctionEncoder(lambda t: rng.normal(size=(len(t), 32)).tolist(), name="n", dimension=32)
    with pytest.warns(UserWarning, match="no better than the nearest known pair: .* on 144 pairs held out"):
        _, report = fit_bridge(noise, RIGHT, TEXTS)
    assert not report.is_better


def test_the_guard_is_the_same_for_the_same_seed():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (fit_bridge(LEFT, RIGHT, TEXTS, random_state=3) for _ in range(2))
    assert first[1] == second[1]
    assert first[0].fingerprint == second[0].fingerprint


@pytest.mark.parametrize(
    ("pairs", "options", "error", "message"),
    [
        (TEXTS[:5], {}, TooLittleError, "expected at least 20 distinct pairs, got 5"),
        ([*TEXTS, 3], {}, InvalidInputError, "expected pairs as texts or pairs of texts or images, got 3"),
        ([], {}, TooLittleError, "expected at least 20 distinct pairs, got 0"),
        ([], {"free_pairs": TEXTS}, TooLittleError, "give free_pairs of vectors and names"),
        (
            TEXTS,
            {"free_pairs": [(np.ones(3), "a")]},
            InvalidInputError,
            r"the vectors of free_pairs as finite numbers of shape \(any, 64\)",
        ),
        (TEXTS, {"groups": ["a"] * 144}, TooLittleError, "expected at least 2 groups"),
        (TEXTS, {"space": "left"}, InvalidInputError, "expected space to be one of 'joint', 'right'"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(pairs, options, error, message):
    with pytest.raises(error, match=message):
        fit_bridge(LEFT, RIGHT, pairs, **options)
