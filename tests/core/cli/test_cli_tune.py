"""`zeroshot fit --tune`: a trained head travels with the model, and what it brought is said."""

import json

from cli_samples import Run


def test_fit_says_what_tuning_brought_and_predict_needs_nothing_else(
    run: Run, known_items, new_items, tmp_path
):
    options = ("--text", "description", "--target", "units", "--model", tmp_path / "model")
    result = run("fit", "--items", known_items, *options, "--tune", "head", "--budget", 1)
    assert result.exit_code == 0, result.stderr
    assert "encoder: kept" in result.output or "encoder: base kept" in result.output
    told = json.loads(run("predict", "--model", tmp_path / "model", new_items, "--json").stdout)
    assert told["predictions"]


def test_an_unknown_way_of_tuning_is_refused_in_one_line(run: Run, known_items, tmp_path):
    options = ("--text", "description", "--target", "units", "--model", tmp_path / "model")
    result = run("fit", "--items", known_items, *options, "--tune", "hard")
    assert result.exit_code != 0
