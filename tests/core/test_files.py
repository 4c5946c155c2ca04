"""Files written whole or not at all."""

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
