"""A forked child leaves its parent's indexes alone, and temporary ones outlive no process for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

COMMON = """
import os, sys
from zeroshot_core import Item, VectorIndex, ZeroShotRegressor
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.errors import VectorIndexError
TEXTS = [f"number {n} of the list" for n in range(8)]
def fitted(index=None):
    return ZeroShotRegressor(HashEncoder(16), index=index, top_k=3).fit(TEXTS, list(range(8)))
def refusal(what, *arguments):
    try:
        what(*arguments)
    except VectorIndexError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"
"""
# The child uses, closes and opens what its parent has open, and ends as any process does.
FORK = (
    COMMON
    + """
model, index = fitted(), VectorIndex.connect(sys.argv[1])
encoder = HashEncoder(16)
version = index.open(index.build([Item(id="a", text="one")], encoder), fingerprint=encoder.fingerprint)
model.predict(["a"])
child = os.fork()
if not child:
    print(refusal(version.upsert, [Item(id="b", text="of the child")], encoder))
    print(refusal(VectorIndex.connect, sys.argv[1]), flush=True)
    own = fitted()
    own.predict(["a"])
    own.close()
    index.close()
    model.close()
    sys.exit(0)
print(os.waitpid(child, 0)[1])
version.upsert([Item(id="c", text="of the parent")], encoder)
print(os.path.isdir(model.model_index_.index.uri), len(model.predict(["a"])), flush=True)
sys.stdin.readline()
model.close()
index.close()
"""
)
WAIT = COMMON + "print(fitted().model_index_.index.uri, flush=True)\nsys.stdin.readline()\n"


def started(script: str, *arguments: str, temporary: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)},
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_child_that_ends_leaves_the_indexes_of_its_parent(tmp_path: Path) -> None:
    from zeroshot_core import VectorIndex
    from zeroshot_core.encoders import HashEncoder
    from zeroshot_core.errors import IndexLockedError

    uri = str(tmp_path / "shop.db")
    process = started(FORK, uri, temporary=tmp_path)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(4)]
    assert told[0].startswith(
        "VectorIndexError: expected an index that this process opened, got one that came"
    )
    assert told[1].startswith("IndexLockedError: another process holds the Milvus Lite file")
    assert told[2:] == ["0", "True 1"]
    with pytest.raises(IndexLockedError):
        VectorIndex.connect(uri)
    process.communicate("end\n", timeout=60)
    assert process.returncode == 0

    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]
    with VectorIndex.connect(uri) as index:
        version = index.versions()[0].id
        rows = index.open(version, fingerprint=HashEncoder(16).fingerprint)
        assert rows.known_items(["a", "b", "c"]).keys() == {"a", "c"}


def test_temporary_indexes_of_processes_that_are_gone_are_removed_by_the_next(tmp_path: Path) -> None:
    signals = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
    *ended, other = (started(WAIT, temporary=tmp_path) for _ in range(len(signals) + 1))
    *left, held = (Path(first_line(process)).parent for process in (*ended, other))
    for process, number in zip(ended, signals, strict=True):
        process.send_signal(number)
        process.communicate(timeout=60)
    assert all(folder.is_dir() for folder in left)
    strangers = [tmp_path / "zeroshot-index-notes", tmp_path / "zeroshot-notes"]
    for stranger in strangers:
        stranger.mkdir()
        (stranger / "mine").write_text("precious")
    for folder in (*left, held, *strangers):
        os.utime(folder, (time.time() - 120,) * 2)

    following = started(WAIT, temporary=tmp_path)
    first_line(following)

    assert not any(folder.exists() for folder in left)
    assert held.is_dir()
    assert all((stranger / "mine").exists() for stranger in strangers)
    for running in (other, following):
        running.communicate("end\n", timeout=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["zeroshot-index-notes", "zeroshot-notes"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become another user")
def test_a_file_that_may_not_be_made_is_refused_with_the_reason() -> None:
    from zeroshot_core import VectorIndex
    from zeroshot_core.errors import VectorIndexError

    with tempfile.TemporaryDirectory() as root:
        Path(root).chmod(0o755)
        os.seteuid(65534)
        try:
            for name in ("index.db", "deep/index.db"):
                with pytest.raises(
                    VectorIndexError, match=r"open.*: permission denied: .*; choose a folder that you"
                ):
                    VectorIndex.connect(f"{root}/{name}")
        finally:
            os.seteuid(0)
        assert not any(Path(root).iterdir())
