import json
from pathlib import Path

import pytest
from cli_samples import Run


@pytest.mark.usefixtures("few_lines")
@pytest.mark.slow
def test_the_demo_tells_forecasts_and_metrics_and_leaves_a_page_and_a_model(run: Run, tmp_path: Path) -> None:
    page, model = tmp_path / "out" / "report.html", tmp_path / "model"

    result = run("demo", "--out", page, "--model", model)

    assert result.exit_code == 0, result.stderr
    for words in ("90% interval", "truth", "nearest known", "type mean", "vector-only kNN", "boosted trees"):
        assert words in " ".join(result.stdout.split())
    assert "<svg" in page.read_text(encoding="utf-8") or "data:image" in page.read_text(encoding="utf-8")
    assert "This takes about" in result.stderr.splitlines()[0]
    phases = [line for line in result.stderr.splitlines() if line.startswith("[")]
    assert phases == [
        "[1/6] load a year of sales",
        "[2/6] read the descriptions",
        "[3/6] learn and forecast",
        "[4/6] the same without the graph",
        "[5/6] forecast with the baselines",
        "[6/6] explain, and draw the report",
    ]
    assert "raised it by" in result.stdout or "lowered it by" in " ".join(result.stdout.split())
    again = run("predict", "--model", model, "--json", given="description\norganic oat drink\n")
    assert json.loads(again.stdout)["targets"] == ["units"]
