"""States of runs in a folder: one at a time, of one run, whatever a kill left beside them."""

import numpy as np
import pytest
import torch
from zeroshot_core.errors import ArtifactError, InvalidInputError
from zeroshot_core.training import JointSettings, TrainingPlan
from zeroshot_core.training.checkpoints import Checkpoints, run_digest


def checkpoints(folder, run="1"):
    return Checkpoints(folder, "part", run, inputs="texts or settings")


def state(folder, run="1"):
    return checkpoints(folder, run).read(lambda notes, tensors: (notes["epoch"], tensors))


def test_the_last_state_is_read_and_the_ones_before_are_removed(tmp_path):
    folder = tmp_path / "run"
    assert state(folder) is None
    matrix = torch.arange(6.0).reshape(2, 3)
    checkpoints(folder).write({"epoch": 1}, {"a": matrix}, 1)
    # What a kill left half written.
    (folder / ".part-2.safetensors.0123.tmp").write_bytes(b"half")
    checkpoints(folder).write({"epoch": 2}, {"a": matrix.T, "b": matrix}, 2)
    assert sorted(path.name for path in folder.iterdir()) == ["part-2.safetensors", "part.json"]
    epoch, tensors = state(folder)
    assert epoch == 2
    assert torch.equal(tensors["a"], matrix.T)
    checkpoints(folder).write({"epoch": 3}, {}, 3)
    assert state(folder) == (3, {})
    assert [path.name for path in folder.iterdir()] == ["part.json"]


def test_parts_of_a_run_share_a_folder(tmp_path):
    for name in ("guard", "refit"):
        Checkpoints(tmp_path, name, "1", inputs="texts").write({}, {"a": torch.ones(1)}, 1)
    names = ["guard-1.safetensors", "guard.json", "refit-1.safetensors", "refit.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_another_run_and_missing_tensors_are_refused(tmp_path):
    checkpoints(tmp_path).write({"epoch": 1}, {"a": torch.ones(1)}, 1)
    with pytest.raises(InvalidInputError, match="got one of other texts or settings; give another folder"):
        state(tmp_path, run="2")
    (tmp_path / "part-1.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"part.json is damaged .* remove the folder to begin anew"):
        state(tmp_path)


def test_numbers_of_numpy_give_the_digest_of_pythons():
    assert run_digest(b=[1, "é"], a=None) == run_digest(a=None, b=[1, "é"]) != run_digest(a=0, b=[1, "é"])
    plan = TrainingPlan(epochs=np.int64(3), learning_rate=np.float64(0.01), batch_size=np.int32(8))
    assert repr(plan) == repr(TrainingPlan(epochs=3, learning_rate=0.01, batch_size=8))
    assert repr(JointSettings(margin=np.float64(0.1))) == repr(JointSettings(margin=0.1))
    with pytest.raises(InvalidInputError, match="expected epochs as a whole number of at least 1, got True"):
        TrainingPlan(epochs=True)
