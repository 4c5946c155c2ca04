"""``zeroshot evaluate table``: measured on a table of one's own, beside baselines, with a report."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_samples import Run, Write

pytestmark = pytest.mark.usefixtures("hashing")

KINDS = ("red wine", "lemonade", "pasta", "tomato sauce", "rye bread", "cheese", "olive oil", "beer")
WORDS = ("evaluate", "table", "--text", "text", "--target", "units")


@pytest.fixture
def items(write: Write) -> Path:
    rng = np.random.default_rng(0)
    rows = [
        (
            f"{KINDS[kind]} no {number}",
            KINDS[kind],
            "drinks" if kind in {0, 1, 7} else "pantry",
            price := float(rng.integers(10, 90)) / 10,
            "2024-03-31",
            round(10 * price + 5 * kind),
        )
        for number, kind in enumerate(rng.integers(0, len(KINDS), 48))
    ]
    return write("items.csv", [("text", "kind", "aisle", "price", "since", "units"), *rows])


def test_a_table_is_measured_beside_baselines_and_a_report_is_written(
    run: Run, items: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "report.html"
    columns = ("--concepts", "kind,aisle", "--numeric", "price", "--dates", "since")
    result = run(*WORDS, "--items", items, *columns, "--hold-out", "kind", "--seed", 1, "--out", out)

    assert result.exit_code == 0, result.stderr
    for name in ("zero-shot regressor", "without the graph", "constant", "vector-only kNN", "boosted trees"):
        assert name in result.stdout
    assert "split kind, seed 1" in result.stdout
    assert f"report: {out}" in "".join(result.stdout.split("\n"))
    assert "<html" in out.read_text(encoding="utf-8")


def test_json_has_the_figures_of_a_text_alone(run: Run, items: Path, tmp_path: Path) -> None:
    result = run(*WORDS, "--items", items, "--out", tmp_path / "report.html", "--json", "--quiet")
    told = json.loads(result.stdout)

    assert result.stderr == ""
    assert (told["split"], told["n_train"] + told["n_test"]) == ("lines", 48)
    assert set(told["baselines"]) == {"constant", "knn_vectors", "boosted_trees"}
    assert told["baselines"]["boosted_trees"] == told["baselines"]["constant"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--hold-out", "kind"), "expected --hold-out as one of --concepts (none), got 'kind'"),
        (("--target", "units,price"), "expected one column as --target, got units, price"),
        (("--concepts", "maker"), "expected a column 'maker', got text, kind"),
        (("--target", "kind"), "expected numbers in column 'kind', got 48 other cells"),
        (("--encoding", "klingon"), "expected the name of an encoding"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_sentence(
    run: Run, items: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run(*WORDS, "--items", items, "--out", tmp_path / "report.html", *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_a_short_table_is_refused_with_its_rows(run: Run, write: Write) -> None:
    short = write("short.csv", [("text", "units"), *((f"thing {n}", n) for n in range(20))])

    assert (
        "expected at least 40 rows to learn from and to hold out, got 20"
        in run(*WORDS, "--items", short).stderr
    )
