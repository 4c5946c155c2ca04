"""A tuned encoder has seen the targets of the items it was tuned on: heads must not learn from that."""

import numpy as np
import pytest
from zeroshot_core.encoders import HashEncoder, HeadEncoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators.encoder_tuning import Tuning, tuned_encoder
from zeroshot_core.estimators.indexing import ModelIndex
from zeroshot_core.graph import KnowledgeGraph
from zeroshot_core.index import VectorIndex
from zeroshot_core.prediction import ZeroShotRegressor
from zeroshot_core.regression import regressor
from zeroshot_core.regression.encoder_views import EncoderView, cross_fitted_views
from zeroshot_core.regression.features import ConceptSpace
from zeroshot_core.training import TuningReport
from zeroshot_core.types import Item

N = 90
WORDS = ["oak", "elm", "ash", "fir", "yew", "red", "blue", "gold", "pink", "grey", "one", "two", "six", "ten"]
ENCODER = HashEncoder(32)


def texts_of(n, seed):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 3)) + f" {i}" for i in range(n)]


TEXTS = texts_of(N, seed=0)
TARGETS = np.array([len(text) + 5.0 * ("oak" in text) + 5.0 * ("red" in text) for text in TEXTS])


def views_of(targets, *, groups=None, space=None):
    texts = TEXTS[: len(targets)]
    items = [Item(id=text, text=text) for text in texts]

    def tuned_on(rows):
        return tuned_encoder(
            ENCODER,
            Tuning(method="head"),
            [items[row] for row in rows],
            targets[rows, None],
            graph=None,
            model_index=ModelIndex(None),
            groups=None if groups is None else [groups[row] for row in rows],
        )[0]

    final = EncoderView(rows=np.arange(len(texts)), vectors=ENCODER.encode(texts), space=space)
    return cross_fitted_views(tuned_on, ENCODER, items, final, groups, random_state=0, show_progress=False)


@pytest.fixture(scope="module")
def views():
    return views_of(TARGETS)


def test_each_item_is_in_one_view(views):
    assert sorted(np.concatenate([view.rows for view in views])) == list(range(N))


def test_a_view_is_blind_to_the_targets_of_its_own_items_alone(views):
    own = views[0].rows
    changed = TARGETS.copy()
    changed[own] = changed[own][::-1] + 7.0
    again = views_of(changed)
    np.testing.assert_array_equal(again[0].vectors, views[0].vectors)
    assert any(not np.allclose(again[i].vectors, views[i].vectors) for i in (1, 2))


def test_views_lie_as_the_vectors_that_new_items_are_compared_with(views):
    for view in views:
        np.testing.assert_allclose(np.linalg.norm(view.vectors, axis=1), 1.0, atol=1e-5)
        assert (view.vectors * ENCODER.encode(TEXTS)).sum(axis=1).mean() > 0.5


def test_a_group_is_in_one_view_and_concepts_are_seen_as_items_are():
    groups = [text.split()[0] for text in TEXTS]
    graph = KnowledgeGraph.from_table([{"tree": group} for group in groups], ("tree",))
    space = ConceptSpace(graph=graph, vectors=ENCODER.encode(graph.concept_ids), n_hops=1)
    views = views_of(TARGETS, groups=groups, space=space)
    homes = [{groups[row] for row in view.rows} for view in views]
    assert not any(a & b for i, a in enumerate(homes) for b in homes[:i])
    assert all(view.space.vectors.shape == space.vectors.shape for view in views)


def test_a_part_is_seen_through_the_encoder_as_it_was_where_too_little_is_left_to_tune_on():
    for view in views_of(TARGETS[:9]):
        np.testing.assert_allclose(view.vectors, ENCODER.encode(TEXTS[:9]), atol=1e-4)


def test_another_fault_than_too_little_to_tune_on_is_told():
    with pytest.raises(InvalidInputError, match="finite targets"):
        views_of(np.where(np.arange(N) < 3, np.nan, TARGETS))


def test_an_encoder_that_does_not_help_forecasts_is_given_back(monkeypatch, tmp_path):
    def worse(encoder, tuning, items, targets, **settings):
        rng = np.random.default_rng(0)
        blind = rng.normal(size=(32, 2)) @ rng.normal(size=(2, 32))
        report = TuningReport(
            is_improved=True,
            verdict="kept",
            score=0.0,
            epoch_scores=(0.1,),
            unseen_scores=None,
            losses=(1.0,),
            n_training=72,
            n_held_out=18,
            seconds=1.0,
        )
        return HeadEncoder(encoder, "linear", {"weight": blind.astype(np.float32)}), report

    texts = [f"{WORDS[i % 14]} {WORDS[i % 14]} {i}" for i in range(N)]
    targets = np.arange(N) % 14
    frozen = ZeroShotRegressor(ENCODER, top_k=5).fit(texts, targets)
    monkeypatch.setattr(regressor, "tuned_encoder", worse)
    with VectorIndex.connect(str(tmp_path / "index.db")) as index:
        model = ZeroShotRegressor(ENCODER, index=index, tune="head", top_k=5).fit(texts, targets)
        assert not model.tuning_.is_improved
        assert model.tuning_.verdict.startswith("base kept: forecasts do not gain")
        np.testing.assert_allclose(model.predict(texts[:5]), frozen.predict(texts[:5]), rtol=1e-6)
        assert [info.id for info in index.versions()] == [model.version_.info.id]
        assert model.encoder_ is ENCODER
    frozen.close()


@pytest.mark.parametrize(("budget_s", "share"), [(400.0, 100.0), (None, None)])
def test_the_budget_is_shared_among_all_tunings(budget_s, share, monkeypatch):
    given = []

    def noted(encoder, tuning, items, targets, **settings):
        given.append(tuning.budget_s)
        return encoder, None

    monkeypatch.setattr(regressor, "tuned_encoder", noted)
    ZeroShotRegressor(ENCODER, tune="head", budget_s=budget_s).fit(TEXTS[:9], TARGETS[:9]).close()
    assert given == [share]


def test_intervals_of_a_tuned_model_hold_new_noise_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(regressor._Learner, "_better", lambda self, frozen, tuned, there: tuned)
    rng = np.random.default_rng(1)
    texts = texts_of(500, seed=1)
    strength = np.array([3.0 * ("oak" in text) for text in texts])
    y = strength + rng.normal(size=500)
    model = ZeroShotRegressor(HashEncoder(32), target="real", tune="head", top_k=10)
    model.fit(texts[:300], y[:300])
    assert model.tuning_.is_improved
    ends = model.predict_interval(texts[300:], coverage=0.8)
    held = ((ends[:, 0] <= y[300:]) & (y[300:] <= ends[:, 1])).mean()
    model.close()
    assert 0.7 < held < 0.9
