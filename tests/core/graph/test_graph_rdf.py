import networkx as nx
import pytest
import rdflib
from zeroshot_core.errors import InvalidInputError
from zeroshot_core.graph import KnowledgeGraph, read_rdf
from zeroshot_core.types import Concept, Relation

WINE = """\
@prefix ex: <http://example.org/wine#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix obo: <http://purl.obolibrary.org/obo/> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
<http://example.org/wine> a owl:Ontology .
ex:madeIn a owl:ObjectProperty ; rdfs:label "made in"@en .
ex:editor a owl:AnnotationProperty .
ex:Wine a owl:Class ; rdfs:label "Wein"@de, "Wine"@en ; rdfs:comment "Fermented grapes." ;
  rdfs:subClassOf owl:Thing, [ a owl:Restriction ; owl:onProperty ex:madeIn ; owl:someValuesFrom ex:Winery ] .
ex:Red a owl:Class ; rdfs:label "Red wine" ; oio:hasExactSynonym "rosso" ; rdfs:subClassOf ex:Wine ;
  ex:editor ex:Anna .
ex:Old a owl:Class ; owl:deprecated true ; rdfs:subClassOf ex:Wine ; obo:IAO_0100001 ex:Red .
ex:chianti a ex:Red ; skos:prefLabel "Chianti" ; skos:altLabel "Classico" ; ex:madeIn obo:GAZ_1 ;
  ex:price 3 ; ex:tasted [ ex:by ex:Bob ] ; skos:broader ex:Tuscan .
ex:Tuscan skos:narrower ex:chianti ; skos:definition "From Tuscany." .
obo:GAZ_1 rdfs:label "Tuscany" ; oio:hasAlternativeId "GAZ:2" .
"""
EX = "http://example.org/wine#"


def test_resources_become_concepts_and_properties_relations(tmp_path):
    path = tmp_path / "wine.ttl"
    path.write_text(WINE)
    graph = KnowledgeGraph.from_rdf(path)
    assert list(graph.concepts.values()) == [
        Concept(id=f"{EX}Red", name="Red wine", synonyms=("rosso",)),
        Concept(id=f"{EX}Tuscan", name="Tuscan", description="From Tuscany."),
        Concept(id=f"{EX}Wine", name="Wine", description="Fermented grapes."),
        Concept(id=f"{EX}Winery", name="Winery"),
        Concept(id=f"{EX}chianti", name="Chianti", type="Red wine", synonyms=("Classico",)),
        Concept(id="GAZ:1", name="Tuscany"),
    ]
    assert set(graph.relations) == {
        Relation(head=f"{EX}Red", type="is_a", tail=f"{EX}Wine"),
        Relation(head=f"{EX}Wine", type="made in", tail=f"{EX}Winery"),
        Relation(head=f"{EX}chianti", type="made in", tail="GAZ:1"),
        Relation(head=f"{EX}chianti", type="type", tail=f"{EX}Red"),
        Relation(head=f"{EX}chianti", type="is_a", tail=f"{EX}Tuscan"),
    }
    assert read_rdf(path).alternative_ids == {f"{EX}Old": f"{EX}Red", "GAZ:2": "GAZ:1"}


@pytest.mark.parametrize(("suffix", "format"), [("owl", "xml"), ("nt", "nt"), ("jsonld", "json-ld")])
def test_every_format_gives_the_same_graph(tmp_path, suffix, format):
    (tmp_path / "wine.ttl").write_text(WINE)
    parsed = rdflib.Graph().parse(data=WINE, format="turtle")
    parsed.serialize(tmp_path / f"wine.{suffix}", format=format, encoding="utf-8")
    graph = KnowledgeGraph.from_rdf(tmp_path / "wine.ttl")
    assert KnowledgeGraph.from_rdf(tmp_path / f"wine.{suffix}") == graph


def test_language_types_and_relations_can_be_chosen(tmp_path):
    path = tmp_path / "wine.txt"
    path.write_text(WINE)
    graph = KnowledgeGraph.from_rdf(
        path, format="turtle", language="de", relation_types=["is_a"], concept_type="thing"
    )
    assert graph.concepts[f"{EX}Wine"].name == "Wein"
    assert (graph.types, graph.relation_types) == (("thing",), ("is_a",))


@pytest.mark.parametrize(
    ("language", "name", "synonyms"),
    [
        ("en", "Color", ("Colour", "hue")),
        ("EN", "Color", ("Colour", "hue")),
        ("en-GB", "Colour", ("Color", "hue")),
        ("en_gb", "Colour", ("Color", "hue")),
        ("de", "Farbe", ("hue",)),
        ("fr", "hue", ()),
    ],
)
def test_language_tags_match_whatever_their_case_and_the_nearest_region_comes_first(
    tmp_path, language, name, synonyms
):
    path = tmp_path / "colour.ttl"
    path.write_text(
        "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        '<http://e/c> rdfs:label "Colour"@EN-gb, "Color"@En, "Farbe"@DE-at, "hue" .'
    )
    (concept,) = KnowledgeGraph.from_rdf(path, language=language).concepts.values()
    assert (concept.name, concept.synonyms) == (name, synonyms)


def test_a_language_that_is_no_tag_is_refused(tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"expected language as a text .*, got None; give a language tag"
    ):
        KnowledgeGraph.from_rdf(tmp_path / "a.ttl", language=None)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.ttl", "@prefix ex: <http://e/> .\nex:a ex:b ex:c .\nex:a ex:b .\n", "expected turtle.*in line 3"),
        ("a.nt", "<http://a> <http://b> <http://c> .\ngarbage\nmore\n", "got 2 damaged: line 2: .*; line 3"),
        ("a.owl", "<a>\n<b>\n</a>", "expected xml, got damage in line 3"),
        ("a.jsonld", '{"@id": "http://a",\n "http://b": \n}', "in line 3"),
        ("a.ttl", "", "expected resources with an IRI, got none"),
        ("a.bin", "", "expected a format among turtle, .*got None; name it"),
    ],
)
def test_damage_is_refused_with_its_place(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        KnowledgeGraph.from_rdf(tmp_path / name)


def test_graphml_keeps_types_labels_and_lists(tmp_path):
    g = nx.MultiDiGraph()
    g.add_node("flu", label="Influenza", type="disease", synonyms="grippe|flu virus")
    g.add_edge("flu", "fever", key="e1", type="has", weight=0.5, sources="PMID:1|PMID:2")
    g.add_edge("flu", "fever", key="e2", label="causes")
    nx.write_graphml(g, tmp_path / "g.graphml")
    graph = KnowledgeGraph.from_graphml(tmp_path / "g.graphml")
    assert list(graph.concepts.values()) == [
        Concept(id="flu", name="Influenza", type="disease", synonyms=("grippe", "flu virus")),
        Concept(id="fever", name="fever"),
    ]
    assert graph.relations == (
        Relation(head="flu", type="has", tail="fever", weight=0.5, sources=("PMID:1", "PMID:2")),
        Relation(head="flu", type="causes", tail="fever"),
    )


@pytest.mark.parametrize("text", ["<graphml>", "no xml", "<graphml/>"])
def test_a_damaged_graphml_is_refused(tmp_path, text):
    (tmp_path / "g.graphml").write_text(text)
    with pytest.raises(InvalidInputError, match="expected a GraphML file"):
        KnowledgeGraph.from_graphml(tmp_path / "g.graphml")


@pytest.mark.parametrize("read", [KnowledgeGraph.from_rdf, KnowledgeGraph.from_obo])
def test_one_name_of_a_relation_type_is_no_list_of_them(tmp_path, read):
    with pytest.raises(
        InvalidInputError, match="expected relation_types as a list of relation types, got one: 'is_a'"
    ):
        read(tmp_path / "a.ttl", relation_types="is_a")
    with pytest.raises(InvalidInputError, match="expected concept_type as a text that is not empty, got 3"):
        read(tmp_path / "a.ttl", concept_type=3)
