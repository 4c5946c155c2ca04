import json

import pytest
from cli_samples import Run

SCORES = {"rmsle", "wape", "spearman", "pinball_90", "coverage_90", "width_90"}


@pytest.mark.usefixtures("few_lines")
def test_json_compares_with_every_baseline_and_with_no_graph(run: Run) -> None:
    result = run("evaluate", "demand", "--split", "types", "--seed", "1", "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert (told["split"], told["seed"]) == ("types", 1)
    assert set(told["baselines"]) == {"constant", "type_mean", "knn_vectors", "boosted_trees"}
    for scores in (told, told["ablation"]["no_graph"], *told["baselines"].values()):
        assert scores.keys() >= SCORES
    assert told["seconds"] > 0


def test_an_unknown_split_is_wrong_usage(run: Run) -> None:
    result = run("evaluate", "demand", "--split", "shops", "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "expected one of lines, launch, types" in " ".join(result.stderr.split())
