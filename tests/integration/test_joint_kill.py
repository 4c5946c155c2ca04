"""A kill -9 in any round leaves the version before serving, and the next run goes on from the checkpoint."""

import json
import multiprocessing
import os

import pytest
from joint_samples import stock, tiny_bert
from zeroshot_core.encoders import load_encoder
from zeroshot_core.index import VectorIndex
from zeroshot_core.training import JointSettings, optimise_jointly
from zeroshot_core.training.checkpoints import Checkpoints

pytestmark = pytest.mark.slow

ITEMS, LABELS = stock()
SETTINGS = JointSettings(epochs=2, learning_rate=2e-3, batch_size=32)
# Where each run is killed: before the step that is named, at its n-th time in this run.
KILLS = [
    ("write", 2),
    ("build", 2),
    ("activate", 1),
    ("activate", 2),
    ("drop", 1),
]


def work(uri, folder, checkpoint, kill, pipe):
    """Run until the end, or until it is time to die."""
    step, left = kill

    def dying(function):
        def counted(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), 9)
            return function(*arguments, **options)

        return counted

    owner = Checkpoints if step == "write" else VectorIndex
    if step:
        setattr(owner, step, dying(getattr(owner, step)))
    with VectorIndex.connect(uri) as index:
        result = optimise_jointly(
            index,
            ITEMS,
            LABELS,
            load_encoder(folder),
            settings=SETTINGS,
            checkpoint=checkpoint,
        )
        pipe.send((result.version, result.encoder.fingerprint, [report.gain for report in result.rounds]))


def run(context, *arguments, kill=("", 0)):
    """What a whole run tells; None if it was killed."""
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, kill, theirs))
    process.start()
    theirs.close()
    process.join(120)
    told = ours.recv() if process.exitcode == 0 else None
    ours.close()
    assert process.exitcode == (0 if not kill[0] else -9)
    return told


def serving(uri):
    """Answers of the live version, and its id."""
    with VectorIndex.connect(uri) as index:
        version = index.open(fingerprint=index.live.fingerprint)
        assert version.count() == len(ITEMS)
        ids = [item.id for item in ITEMS[:5]]
        found = version.search_items(version.item_vectors(ids), 1)
        assert [best for (best,) in found.ids] == ids
        return index.live.id


@pytest.fixture
def context(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(
        ["pymilvus", "milvus_lite.adapter.grpc.server", "torch", "sentence_transformers", __name__]
    )
    return made


def test_a_kill_at_any_step_loses_nothing_but_the_round(context, tmp_path):
    folder = str(tmp_path / "bert")
    encoder = tiny_bert(folder)
    told = run(context, str(tmp_path / "whole.db"), folder, str(tmp_path / "whole"))

    uri, checkpoint = str(tmp_path / "killed.db"), tmp_path / "checkpoint"
    with VectorIndex.connect(uri) as index:
        index.activate(index.build(ITEMS, encoder))
    lives, finished = [serving(uri)], []
    for kill in KILLS:
        run(context, uri, folder, str(checkpoint), kill=kill)
        lives.append(serving(uri))
        file = checkpoint / "joint.json"
        finished.append(len(json.loads(file.read_text())["rounds"]) if file.exists() else 0)
    # Rounds finished, and versions that served: the old one, the first round's, the last one's.
    assert finished == [0, 1, 1, 2, 3]
    assert lives[1:4] == lives[:1] * 3
    assert len(set(lives)) == 3
    assert run(context, uri, folder, str(checkpoint)) == told
    assert serving(uri) == told[0]
    with VectorIndex.connect(uri) as index:
        assert {info.state for info in index.versions()} == {"ready"}
        assert len(index.versions()) <= 3
