"""Models of every kind, opened by the command: what each is, and what it says of new items."""

import json
import shutil
from pathlib import Path

import pytest
from cli_samples import Run
from zeroshot_core import load_model

pytestmark = pytest.mark.filterwarnings("ignore:.* findings? mean no concept")

SAVED = Path(__file__).parents[2] / "fixtures" / "saved_models"
KINDS = {
    "regressor_graph": "ZeroShotRegressor",
    "classifier_examples": "ZeroShotClassifier",
    "ranker": "ZeroShotRanker",
    "detector": "NoveltyDetector",
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folder of a saved model of each kind."""
    root = tmp_path_factory.mktemp("kinds")
    for name in KINDS:
        shutil.unpack_archive(SAVED / f"{name}.zip", root / name)
    return {name: root / name for name in KINDS}


def said(run: Run, folder: Path, *lines: str) -> list[dict[str, object]]:
    result = run("predict", "--model", folder, "--json", given="\n".join(("text", *lines)))
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [entry["text"] for entry in told["predictions"]] == list(lines)
    return [{**told, **entry} for entry in told["predictions"]]


@pytest.mark.parametrize("name", KINDS)
def test_info_says_what_kind_it_is_and_what_it_rests_on(
    run: Run, folders: dict[str, Path], name: str
) -> None:
    result = run("info", "--model", folders[name], "--json")
    lines = run("info", "--model", folders[name]).stdout.splitlines()

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["kind"] == KINDS[name]
    assert told["encoder"]["name"].startswith("hash")
    assert [line.split()[0] for line in lines] == list(told)


def test_info_counts_items_and_lists_what_is_chosen_from(run: Run, folders: dict[str, Path]) -> None:
    told = {name: json.loads(run("info", "--model", folders[name], "--json").stdout) for name in KINDS}

    assert told["classifier_examples"]["labels"] == ["business", "sport", "weather"]
    assert told["ranker"]["candidates"] == told["ranker"]["items"] == 9
    assert told["detector"]["items"] == 18
    assert told["detector"]["graph"] is None


def test_a_regressor_saved_from_python_forecasts(run: Run, folders: dict[str, Path]) -> None:
    (entry,) = said(run, folders["regressor_graph"], "a pack of pear juice")
    low, high = entry["interval"]  # type: ignore[misc]

    assert low <= entry["value"] <= high


def test_a_classifier_gives_labels_with_probabilities(run: Run, folders: dict[str, Path]) -> None:
    texts = ("a penalty in the match", "the firm and its bank")
    first, second = said(run, folders["classifier_examples"], *texts)
    model = load_model(folders["classifier_examples"])

    assert [first["label"], second["label"]] == model.predict(texts).tolist()
    assert first["labels"] == model.classes_.tolist()
    assert list(first["probabilities"].values()) == pytest.approx(model.predict_proba(texts)[0].tolist())  # type: ignore[attr-defined]
    assert first["items"][0]["id"]  # type: ignore[index]
    table = run("predict", "--model", folders["classifier_examples"], given=f"text\n{texts[0]}\n").stdout
    assert all(word in table for word in ("label", "probabilities", "nearest known", "sport 0."))
    model.close()


def test_a_ranker_gives_ranked_diseases(run: Run, folders: dict[str, Path]) -> None:
    (entry,) = said(run, folders["ranker"], "A boy with fits")
    model = load_model(folders["ranker"])
    (expected,) = model.rank(["A boy with fits"])

    assert entry["candidates"] == 9
    assert [hit["id"] for hit in entry["ranked"]] == [hit.id for hit in expected]  # type: ignore[attr-defined]
    assert entry["best"] == expected[0].id
    assert entry["ranked"][0]["probability"] == pytest.approx(expected[0].metadata["probability"])  # type: ignore[index]
    table = run("predict", "--model", folders["ranker"], given="text\nA boy with fits\n").stdout
    assert expected[0].text in table
    model.close()


def test_a_ranker_takes_findings_from_a_column(run: Run, folders: dict[str, Path]) -> None:
    words = ("predict", "--model", folders["ranker"], "--json")
    given = "description,finding\na child,F:rash\n"
    result = run(*words, "--text", "description", "--concepts", "finding", given=given)

    assert json.loads(result.stdout)["predictions"][0]["best"] == "ORPHA:4"


def test_a_case_without_findings_has_no_best(run: Run, folders: dict[str, Path]) -> None:
    (entry,) = said(run, folders["ranker"], "zzz qqq")

    assert (entry["best"], entry["ranked"]) == (None, [])


def test_a_detector_tells_the_new_from_the_known(run: Run, folders: dict[str, Path]) -> None:
    texts = ("quantum chromodynamics", "fine red wine")
    new, known = said(run, folders["detector"], *texts)

    assert new["is_new"]
    assert not known["is_new"]
    assert new["novelty"] > known["novelty"]  # type: ignore[operator]
    assert known["items"][0]["text"] == "fine red wine"  # type: ignore[index]
    table = run("predict", "--model", folders["detector"], given="\n".join(("text", *texts))).stdout
    assert "novelty" in table
    assert "new" in table


def test_a_column_of_texts_that_nobody_named_is_asked_for(run: Run, folders: dict[str, Path]) -> None:
    result = run("predict", "--model", folders["detector"], given="note\nred wine\n")

    assert result.exit_code == 1
    assert "saved from Python; name the column of standard input that describes an item with --text" in (
        result.stderr
    )
