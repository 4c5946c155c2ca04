import json
from pathlib import Path

import pytest
from cli_samples import Run

SCORES = {"rmsle", "wape", "spearman", "pinball_90", "coverage_90", "width_90"}


@pytest.mark.usefixtures("few_lines")
def test_json_compares_with_every_baseline_and_with_no_graph(run: Run) -> None:
    result = run("evaluate", "demand", "--split", "types", "--seed", "1", "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert (told["data"], told["split"], told["seed"]) == ("complete-journey", "types", 1)
    assert set(told["baselines"]) == {"constant", "type_mean", "knn_vectors", "boosted_trees"}
    for scores in (told, told["ablation"]["no_graph"], *told["baselines"].values()):
        assert scores.keys() >= SCORES
    assert told["seconds"] > 0


def test_an_unknown_split_is_wrong_usage(run: Run) -> None:
    result = run("evaluate", "demand", "--split", "shops", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected one of lines, launch, types" in " ".join(result.stderr.split())


def test_furniture_has_splits_of_its_own(run: Run) -> None:
    result = run("evaluate", "demand", "--data", "furniture", "--split", "types")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected one of lines, category, name, got 'types'" in " ".join(result.stderr.split())


def test_a_missing_file_of_furniture_is_told_with_what_to_give(run: Run, tmp_path: Path) -> None:
    result = run("evaluate", "demand", "--data", "furniture", "--file", tmp_path / "no.csv")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "give --file, or ZEROSHOT_DATA" in " ".join(result.stderr.split())
