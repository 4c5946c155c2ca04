import json
from pathlib import Path

from cli_samples import Run


def test_a_model_predicts_the_same_from_the_milvus_that_its_version_was_brought_to(
    run: Run, model: Path, new_items: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    exported = run("export", "--model", model, "--out", tmp_path / "out")
    imported = run("import", tmp_path / "out", "--uri", other, "--activate")

    assert (exported.exit_code, imported.exit_code) == (0, 0), imported.stderr
    assert exported.stdout == imported.stdout
    assert "and live" in imported.stderr
    there = run("predict", new_items, "--model", model, "--uri", other, "--json")
    here = run("predict", new_items, "--model", model, "--json")
    assert json.loads(there.stdout) == json.loads(here.stdout)


def test_what_cannot_be_brought_fails_in_one_sentence(run: Run, model: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    full = run("export", "--model", model, "--out", tmp_path / "full")
    strange = run("import", tmp_path / "full", "--uri", tmp_path / "index.db")

    assert (full.exit_code, strange.exit_code) == (1, 1)
    assert "expected a new or empty folder" in full.stderr
    assert "that `zeroshot export` wrote" in strange.stderr


def test_a_local_file_has_no_storage_to_import_from(run: Run, model: Path, tmp_path: Path) -> None:
    run("export", "--model", model, "--out", tmp_path / "out")
    asked = run("import", tmp_path / "out", "--uri", tmp_path / "other.db", "--remote-path", "out")

    assert asked.exit_code == 1
    assert "got a local file; leave remote_path out" in asked.stderr
