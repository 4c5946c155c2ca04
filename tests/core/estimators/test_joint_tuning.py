"""Models whose encoder and index are tuned together: what serves, what is left, and what a kill leaves."""

import multiprocessing
import os

import numpy as np
import pytest
from joint_samples import stock, tiny_bert
from zeroshot_core import ZeroShotClassifier, ZeroShotRegressor, load_model
from zeroshot_core.encoders import HashEncoder, load_encoder
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.estimators import encoder_tuning
from zeroshot_core.index import VectorIndex
from zeroshot_core.regression.ensemble import Ensemble
from zeroshot_core.training import JointResult, JointSettings
from zeroshot_core.training.joint.learner import JointLearner

ITEMS, LABELS = stock()
KINDS = sorted(set(LABELS))
# Two short rounds, fast enough for an encoder that knows nothing.
SETTINGS = JointSettings(rounds=2, epochs=2, learning_rate=2e-3, batch_size=32)
QUERIES = ["apple from the east", "stout from the north"]


def fit(folder, encoder_folder):
    """Fit a classifier on the index in its folder, and save it there."""
    model = ZeroShotClassifier(load_encoder(encoder_folder), index=str(folder / "index.db"), tune="joint")
    model.fit(ITEMS, LABELS).save(folder, overwrite=True)
    told = model.tuning_, model.predict_proba(QUERIES), model.version_.info.id
    model.close()
    return told


def killed_fit(folder, encoder_folder):
    """Fit until the second round is about to train."""
    encoder_tuning._JOINT_SETTINGS = SETTINGS
    train, n_calls = JointLearner.train, []

    def dying(*arguments):
        n_calls.append(1)
        if len(n_calls) == 2:
            os.kill(os.getpid(), 9)
        return train(*arguments)

    JointLearner.train = dying
    fit(folder, encoder_folder)


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("bert"))
    tiny_bert(folder)
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(encoder_tuning, "_JOINT_SETTINGS", SETTINGS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.slow
def test_a_kill_in_a_round_leaves_the_saved_model_and_the_next_fit_goes_on(encoder_folder, tmp_path):
    folder = tmp_path / "model"
    first = ZeroShotClassifier(HashEncoder(32), index=str(folder / "index.db"))
    first.fit(ITEMS, LABELS).save(folder)
    expected = first.predict_proba(QUERIES)
    first.close()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pymilvus", "milvus_lite.adapter.grpc.server", "torch", __name__])
    process = context.Process(target=killed_fit, args=(folder, encoder_folder))
    process.start()
    process.join(120)
    assert process.exitcode == -9
    before = load_model(folder)
    np.testing.assert_allclose(before.predict_proba(QUERIES), expected, atol=1e-6)
    before.close()

    said = []
    train = JointLearner.train
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JointLearner, "train", lambda *each: said.append(1) or train(*each))
        report, expected, version = fit(folder, encoder_folder)
    assert isinstance(report, JointResult)
    assert report.is_improved
    assert "kept" in report.verdict
    # The first round was not trained again.
    assert len(report.rounds) == 2
    assert len(said) == 1
    again = load_model(folder)
    np.testing.assert_allclose(again.predict_proba(QUERIES), expected, atol=1e-5)
    again.close()
    assert {path.name.split("-")[0] for path in folder.iterdir()} == {
        "encoder",
        "index.db",
        "model.json",
        "state",
    }
    with VectorIndex.connect(str(folder / "index.db")) as index:
        assert [(info.id, info.is_live) for info in index.versions()] == [(version, True)]


@pytest.mark.slow
def test_rounds_leave_the_models_version_alone_beside_those_before(tmp_path):
    with VectorIndex.connect(str(tmp_path / "index.db")) as index:
        old = index.build(ITEMS[:9], HashEncoder(16))
        index.activate(old)
        targets = [float(KINDS.index(label)) for label in LABELS]
        model = ZeroShotRegressor(HashEncoder(32), index=index, tune="joint", top_k=5).fit(ITEMS, targets)
        assert {info.id for info in index.versions()} == {old, model.version_.info.id}
        assert index.live.id == model.tuning_.version == model.version_.info.id
        model.save(tmp_path / "model")
        expected = model.predict(ITEMS[:5])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.db", "model"]
    again = load_model(tmp_path / "model")
    np.testing.assert_allclose(again.predict(ITEMS[:5]), expected, rtol=1e-6)
    again.close()


@pytest.mark.slow
def test_rounds_that_gain_are_given_up_where_forecasts_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(Ensemble, "error", 1.0)
    targets = [float(KINDS.index(label)) for label in LABELS]
    encoder = HashEncoder(32)
    with VectorIndex.connect(str(tmp_path / "index.db")) as index:
        model = ZeroShotRegressor(encoder, index=index, tune="joint", top_k=5).fit(ITEMS, targets)
        assert any(report.is_kept for report in model.tuning_.rounds)
        assert not model.tuning_.is_improved
        assert model.tuning_.verdict.startswith("base kept: forecasts do not gain")
        assert model.encoder_ is encoder
        assert [info.id for info in index.versions()] == [model.version_.info.id] == [model.tuning_.version]


def test_too_little_for_joint_rounds_is_refused():
    with pytest.raises(InvalidInputError, match="expected examples for tune='joint', got none"):
        ZeroShotClassifier(HashEncoder(), tune="joint").fit(labels=["sport", "business"])
    with pytest.raises(InvalidInputError, match="at least 8 distinct texts"):
        ZeroShotClassifier(HashEncoder(), tune="joint").fit(["a", "b", "c"], ["x", "y", "y"])
    with pytest.raises(InvalidInputError, match="targets that vary"):
        ZeroShotRegressor(HashEncoder(), tune="joint").fit(ITEMS, np.ones(len(ITEMS)))


def test_texts_without_labels_join_the_rounds(monkeypatch):
    given = []
    optimise = encoder_tuning.optimise_jointly

    def watched(index, items, labels, *arguments, **settings):
        given.extend(zip(items, labels, strict=True))
        return optimise(index, items, labels, *arguments, **settings)

    monkeypatch.setattr(encoder_tuning, "optimise_jointly", watched)
    texts = [item.text for item in ITEMS]
    model = ZeroShotClassifier(HashEncoder(32), tune="joint")
    model.fit(texts[::4], LABELS[::4], unlabelled=[text for i, text in enumerate(texts) if i % 4])
    assert {item.text for item, _ in given} == set(texts)
    labels = [label for _, label in given]
    # The examples, the surest guesses, and the texts that are left.
    assert len(LABELS[::4]) < sum(label is not None for label in labels) < len(texts)
    assert sum(info.is_live for info in model.model_index_.index.versions()) == 1
    assert model.version_.info.counts["items"] == len(texts)
    model.close()
