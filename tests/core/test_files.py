"""Files written whole or not at all."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
from zeroshot_core import files
from zeroshot_core.errors import InvalidInputError


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text("old")

    def write_half() -> None:
        with files.replacing(path) as beside:
            beside.write_text("half")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write_half()

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_planted_under_an_old_temporary_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".model.json.tmp").symlink_to(tmp_path / "victim")

    files.write_json(tmp_path / "model.json", {"a": 1})

    assert (tmp_path / "victim").read_text() == "mine"


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def write(*, whole: bool) -> None:
        with files.new_folder(tmp_path / "model") as draft:
            draft.mkdir()
            (draft / "part").write_text("x")
            assert not (tmp_path / "model").exists()
            if not whole:
                raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        write(whole=False)
    assert not any(tmp_path.iterdir())
    write(whole=True)

    assert [path.name for path in (tmp_path / "model").iterdir()] == ["part"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    with pytest.raises(InvalidInputError, match="expected a new or empty folder"):
        write(whole=True)


def test_a_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write_text(tmp_path / "note.txt", "x")
    finally:
        os.umask(old)

    assert (tmp_path / "note.txt").stat().st_mode & 0o777 == 0o640


def test_a_digest_is_that_of_the_joined_parts(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"ab")

    assert files.digest("a", b"b", n=64) == hashlib.sha256(b"ab").hexdigest()
    assert files.digest("a", b"b") == hashlib.sha256(b"ab").hexdigest()[:16]
    assert files.file_digest(tmp_path / "part") == files.digest(b"ab", n=64)


def test_a_lock_is_held_by_one_and_says_by_whom(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with files.lock_file(path) as held:
        held.write("the first")
        held.flush()
        with pytest.raises(BlockingIOError), files.lock_file(path):
            pass
        assert path.read_text() == "the first"
    assert not path.exists()


def test_a_lock_whose_holder_died_is_taken_over_with_what_it_wrote(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("unfinished")
    with files.lock_file(tmp_path / "lock") as held:
        assert held.read() == "unfinished"


def test_a_lock_that_was_removed_before_it_was_got_guards_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock, removed = tmp_path / "lock", files._lock, []

    def lock_late(number: int) -> None:
        lock(number)
        if not removed:
            removed.append(path.unlink())

    monkeypatch.setattr(files, "_lock", lock_late)
    with files.lock_file(path) as held:
        assert os.path.samestat(os.fstat(held.fileno()), path.stat())


def test_a_lock_is_not_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError), files.lock_file(tmp_path / "lock"):  # noqa: PT011
        pass
    assert (tmp_path / "victim").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            OSError(errno.ENOSPC, "x"),
            "no space left on device; free some space, or choose a folder on another",
        ),
        (
            PermissionError(errno.EACCES, "x", "/a"),
            "permission denied: /a; choose a folder that you may read and",
        ),
        (FileNotFoundError(errno.ENOENT, "x", "/a"), "no such file or directory: /a"),
        (
            RuntimeError("I/O error: No space left on device (os error 28)"),
            "no space left on device; free some",
        ),
        (OSError("no number"), "no number"),
        (ValueError("of another origin"), None),
    ],
)
def test_what_the_system_refused_is_named_with_the_remedy(error: Exception, cause: str | None) -> None:
    told = files.cause_of(error)
    assert told == cause or (cause is not None and told is not None and told.startswith(cause))
