import json

import numpy as np
import pytest
from ranker_samples import clinic_graph, found
from zeroshot_core import InvalidInputError, ZeroShotRanker
from zeroshot_core.encoders import HashEncoder
from zeroshot_core.evaluation import (
    Patient,
    evaluate_rare_diseases,
    read_patients,
    simulate_patients,
    told_in_words,
)
from zeroshot_core.evaluation.patients import with_current_ids

pytestmark = pytest.mark.filterwarnings("ignore:.* findings? mean no concept")


@pytest.fixture(scope="module")
def ranker():
    model = ZeroShotRanker(HashEncoder(128), clinic_graph()).fit()
    yield model
    model.close()


def patient(*present, diagnoses, no=()):
    return Patient(findings=found(*present, no=no), diagnoses=diagnoses)


def test_figures_count_right_diagnoses_and_failures(ranker):
    patients = [
        patient("F:aorta", "F:lens", "F:fingers", diagnoses=("OMIM:1",)),
        patient("F:rash", diagnoses=("OMIM:99", "ORPHA:4")),
        patient("F:rash", diagnoses=("OMIM:99",)),
        patient("qqqq zzzz", diagnoses=("OMIM:1",)),
    ]
    report = evaluate_rare_diseases(ranker, patients)

    assert (report.n_patients, report.n_candidates) == (4, 9)
    assert (report.n_without_findings, report.n_without_diagnosis) == (1, 1)
    assert (report.scores.top1, report.scores.top10, report.scores.mrr) == (0.5, 0.5, 0.5)
    assert set(report.baselines) == {"vectors_only", "resnik", "ic_cosine"}
    assert report.baselines["resnik"].top10 == 0.5


def test_equal_scores_share_their_mean_rank(ranker):
    # Every disease is abnormal, so that word alone tells none of them from the others.
    scores = evaluate_rare_diseases(ranker, [patient("F:all", diagnoses=("OMIM:1",))]).baselines["resnik"]

    assert scores.mrr == pytest.approx(1 / 5)


def test_resnik_by_hand(ranker):
    report = evaluate_rare_diseases(ranker, [patient("F:focal", "F:lens", diagnoses=("OMIM:4",))])

    # Focal seizures are shown by OMIM:4 alone (log 9); ectopia lentis by two others (log 9/2), whose common
    # concept with a focal seizure is nothing; so OMIM:4 leads.
    assert report.baselines["resnik"].top1 == 1.0


def test_simulated_patients_are_those_of_the_protocol(ranker):
    exact = simulate_patients(ranker.annotations_, 40, n_findings=2, noise=0, imprecision=0, seed=3)
    vague = simulate_patients(ranker.annotations_, 40, n_findings=2, noise=1, imprecision=1, seed=3)
    shown = {
        id_: {ranker.graph_.concept_ids[column] for column in ranker.annotations_.shown_by(row)[0]}
        for row, id_ in enumerate(ranker.annotations_.ids)
    }

    assert all(set(each.findings.present) <= shown[each.diagnoses[0]] for each in exact)
    assert all(len(each.findings.present) == 2 for each in exact)
    assert not any(set(each.findings.present[:2]) <= shown[each.diagnoses[0]] for each in vague)
    assert exact == simulate_patients(ranker.annotations_, 40, n_findings=2, noise=0, imprecision=0, seed=3)
    assert exact != simulate_patients(ranker.annotations_, 40, n_findings=2, noise=0, imprecision=0, seed=4)


def test_names_instead_of_ids_lead_to_the_same(ranker):
    told_by_id = simulate_patients(ranker.annotations_, 20, n_findings=2, noise=0, imprecision=0)
    told_by_name = told_in_words(told_by_id, ranker.annotations_)

    assert not any(text.startswith("F:") for each in told_by_name for text in each.findings.present)
    by_id, by_name = (ranker.predict([each.findings for each in told]) for told in (told_by_id, told_by_name))
    assert np.mean(by_id == by_name) >= 0.9


def test_former_ids_become_current_ones():
    old = [patient("F:old", diagnoses=("OMIM:1",), no=("F:older",))]
    (new,) = with_current_ids(old, {"F:old": "F:lens", "F:older": "F:rash"})

    assert (new.findings.present, new.findings.excluded) == (("F:lens",), ("F:rash",))


def test_patients_are_read_from_a_file(tmp_path):
    path = tmp_path / "patients.json"
    path.write_text(json.dumps([{"phenotypes": ["F:lens", "tall"], "diagnoses": ["OMIM:1"]}]))

    (read,) = read_patients(path)
    assert (read.findings.present, read.findings.excluded) == (("F:lens", "tall"), ())
    assert read.diagnoses == ("OMIM:1",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "expected a readable JSON file"),
        ("{}", "expected a list of patients, got dict"),
        ('[{"phenotypes": ["a"]}]', r"patient 0: expected an object with phenotypes, diagnoses .* got"),
        ('[{"phenotypes": "a", "diagnoses": []}]', "patient 0: expected phenotypes as a list of strings"),
    ],
)
def test_a_wrong_file_is_named_with_its_first_wrong_patient(tmp_path, text, message):
    path = tmp_path / "patients.json"
    path.write_text(text)

    with pytest.raises(InvalidInputError, match=message):
        read_patients(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_findings": 99}, "expected a disease with at least 99 findings"),
        ({"noise": -1}, "expected at least 1 patient"),
        ({"imprecision": 1.5}, "expected an imprecision from 0 to 1"),
    ],
)
def test_a_simulation_out_of_range_is_refused(ranker, wrong, message):
    with pytest.raises(InvalidInputError, match=message):
        simulate_patients(ranker.annotations_, 5, **wrong)


def test_no_patients_are_refused(ranker):
    with pytest.raises(InvalidInputError, match="expected at least 1 patient, got none"):
        evaluate_rare_diseases(ranker, [])
