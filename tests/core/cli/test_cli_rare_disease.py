import json

import pytest
from cli_samples import Run
from ranker_samples import clinic_graph
from zeroshot_core import ZeroShotRanker
from zeroshot_core.encoders import HashEncoder


@pytest.fixture(scope="module")
def clinic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clinic") / "model"
    model = ZeroShotRanker(HashEncoder(64), clinic_graph()).fit()
    extra = {"database": "all", "excluded_references": "", "alternative_ids": {"F:old": "F:lens"}}
    model.save(folder, extra=extra)
    model.close()
    return folder


def test_json_compares_with_every_similarity(run: Run, clinic) -> None:
    result = run(
        "evaluate", "rare-disease", "--model", str(clinic), "--n", "20", "--findings", "2",
        "--noise", "0", "--imprecision", "0", "--json",
    )  # fmt: skip
    told = json.loads(result.stdout)

    assert result.exit_code == 0
    assert told.keys() >= {"top1", "top3", "top10", "mrr", "ms_per_case", "ms_alone"}
    assert set(told["baselines"]) == {"vectors_only", "resnik", "ic_cosine"}
    assert told["n_patients"] == 20
    assert told["top1"] > 0.8


def test_patients_of_a_file_are_ranked_with_former_ids(run: Run, clinic, tmp_path) -> None:
    patients = tmp_path / "patients.json"
    patients.write_text(json.dumps([{"phenotypes": ["F:old", "F:fingers"], "diagnoses": ["OMIM:1"]}]))
    result = run("evaluate", "rare-disease", "--model", str(clinic), "--patients", str(patients))

    assert result.exit_code == 0
    assert "1 patients, 9 diseases" in result.stdout
    assert "1.000" in result.stdout


def test_a_model_for_other_diseases_is_not_taken(run: Run, clinic) -> None:
    result = run("evaluate", "rare-disease", "--model", str(clinic), "--database", "OMIM")

    assert result.exit_code == 2
    assert "name another folder" in " ".join(result.stderr.split())
