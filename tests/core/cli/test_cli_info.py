import json
from pathlib import Path

from cli_samples import KNOWN, Run


def test_json_says_what_the_model_rests_on(run: Run, model: Path) -> None:
    told = json.loads(run("info", "--model", model, "--json").stdout)

    assert told["kind"] == "ZeroShotRegressor"
    assert told["items"] == len(KNOWN)
    assert told["columns"]["target"] == ["units"]
    assert told["encoder"]["name"].startswith("hash")
    assert (told["graph"]["concepts"], told["graph"]["relations"]) == (6, 4)
    assert told["index"]["uri"] == str(model / "index.db")


def test_people_get_a_line_for_each_fact(run: Run, model: Path) -> None:
    lines = run("info", "--model", model).stdout.splitlines()

    assert [line.split()[0] for line in lines] == [
        "model",
        "kind",
        "items",
        "columns",
        "encoder",
        "graph",
        "index",
    ]
    assert "target units" in lines[3]


def test_a_damaged_model_fails_in_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{")

    result = run("info", "--model", tmp_path)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "model.json is damaged" in result.stderr
