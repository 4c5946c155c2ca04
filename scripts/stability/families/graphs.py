"""Files of every graph format, damaged: refused, or read so that writing and reading again gives the same."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from zeroshot_core import KnowledgeGraph

from scripts.stability.families.oddities import ODD, TEXTS, shown
from scripts.stability.fuzz import Attempts
from scripts.stability.mutation import mutated
from scripts.stability.samples import GRAPH, Place

__all__ = ["case", "opened"]

_OBO = """format-version: 1.2
ontology: x

[Term]
id: X:0000001
name: drinks
def: "Things to drink." []
synonym: "beverages" EXACT []

[Term]
id: X:0000002
name: red wine
alt_id: X:0000009
xref: Y:1
is_a: X:0000001 ! drinks
relationship: part_of X:0000001

[Typedef]
id: part_of
name: part of
"""
_TURTLE = """@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix x: <http://example.org/> .
x:drinks a skos:Concept ; skos:prefLabel "drinks"@en, "Getränke"@de ; skos:altLabel "beverages"@en .
x:wine a skos:Concept ; skos:prefLabel "wine"@en ; skos:broader x:drinks ; rdfs:comment "of grapes" .
"""
_TRIPLES = """<http://example.org/wine> <http://www.w3.org/2000/01/rdf-schema#label> "wine"@en .
<http://example.org/drinks> <http://www.w3.org/2000/01/rdf-schema#label> "drinks" .
<http://example.org/wine> <http://www.w3.org/2000/01/rdf-schema#subClassOf> <http://example.org/drinks> .
"""
_OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
 xmlns:owl="http://www.w3.org/2002/07/owl#">
<owl:Class rdf:about="http://example.org/drinks"><rdfs:label xml:lang="en">drinks</rdfs:label></owl:Class>
<owl:Class rdf:about="http://example.org/wine"><rdfs:label>wine</rdfs:label>
<rdfs:subClassOf rdf:resource="http://example.org/drinks"/></owl:Class>
</rdf:RDF>
"""
_JSON_LD = json.dumps(
    {
        "@context": {"label": "http://www.w3.org/2000/01/rdf-schema#label"},
        "@graph": [
            {"@id": "http://example.org/wine", "label": "wine"},
            {
                "@id": "http://example.org/tea",
                "label": "tea",
                "http://www.w3.org/2000/01/rdf-schema#subClassOf": {"@id": "http://example.org/wine"},
            },
        ],
    },
    indent=1,
)
_GRAPHML = """<?xml version="1.0" encoding="utf-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="node" attr.name="name" attr.type="string"/>
<key id="d1" for="edge" attr.name="weight" attr.type="double"/>
<key id="d2" for="edge" attr.name="type" attr.type="string"/>
<graph edgedefault="directed">
<node id="wine"><data key="d0">red wine</data></node><node id="drinks"/>
<edge source="wine" target="drinks"><data key="d1">0.5</data><data key="d2">is_a</data></edge>
</graph></graphml>
"""
_CSV = 'head,type,tail,weight,sources\nwine,is_a,drinks,1,a|b\ntea,is_a,drinks,0.5,\n"a, b",near,tea,,\n'
_CONCEPTS = "id,name,type,synonyms,description\nwine,red wine,kind,vino|vin,\ndrinks,drinks,aisle,,to drink\n"

Reader = Callable[[Path], KnowledgeGraph]
_FORMATS: dict[str, tuple[str, Reader]] = {
    "x.obo": (_OBO, KnowledgeGraph.from_obo),
    "x.ttl": (_TURTLE, KnowledgeGraph.from_rdf),
    "x.nt": (_TRIPLES, KnowledgeGraph.from_rdf),
    "x.owl": (_OWL, KnowledgeGraph.from_rdf),
    "x.rdf": (_OWL, KnowledgeGraph.from_rdf),
    "x.jsonld": (_JSON_LD, KnowledgeGraph.from_rdf),
    "x.graphml": (_GRAPHML, KnowledgeGraph.from_graphml),
    "x.csv": (_CSV, KnowledgeGraph.from_csv),
    "x.jsonl": ("", KnowledgeGraph.from_jsonl),
}
_NODES = st.sampled_from(("wine", "drinks", 1, 2.5, ("a", 1), "")) | TEXTS
_ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        ("name", "type", "label", "relation", "predicate", "synonyms", "description", "weight", "sources")
    ),
    st.sampled_from(("wine", "is_a", 0.5, 1, ["a", "b"], "a|b")) | ODD,
    max_size=3,
)


@contextlib.contextmanager
def opened(place: Place) -> Iterator[Path]:
    """Give a folder to write to."""
    GRAPH.to_jsonl(place.folder / "sound.jsonl")
    yield place.folder


def case(case: Attempts, folder: Path) -> None:
    """Try one file or one graph of networkx."""
    if case.draw(st.integers(0, 9)) < 2:
        _networkx(case)
        return
    name = case.draw(st.sampled_from(sorted(_FORMATS)))
    text, read = _FORMATS[name]
    text = text or (folder / "sound.jsonl").read_text(encoding="utf-8")
    content = case.draw(mutated(text))
    path = folder / name
    path.write_bytes(content)
    what = f"{name} of {content[-200:]!r}"
    if name == "x.csv" and case.draw(st.booleans()):
        concepts = folder / "concepts.csv"
        concepts.write_bytes(case.draw(mutated(_CONCEPTS)))
        is_read, graph = case.attempt(what, lambda: KnowledgeGraph.from_csv(path, concepts))
    else:
        is_read, graph = case.attempt(what, lambda: read(path))
    if is_read:
        _check(case, graph, what, folder)


def _networkx(case: Attempts) -> None:
    import networkx as nx

    kind = case.draw(st.sampled_from((nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph)))
    g = kind()
    for node, attributes in case.draw(st.lists(st.tuples(_NODES, _ATTRIBUTES), max_size=4)):
        g.add_node(node, **attributes)
    for head, tail, attributes in case.draw(st.lists(st.tuples(_NODES, _NODES, _ATTRIBUTES), max_size=4)):
        g.add_edge(head, tail, **attributes)
    what = f"{kind.__name__} of {shown(list(g.nodes(data=True)))}, {shown(list(g.edges(data=True)))}"
    is_read, graph = case.attempt(what, lambda: KnowledgeGraph.from_networkx(g))
    if is_read:
        _check(case, graph, what, None)


def _check(case: Attempts, graph: KnowledgeGraph, what: str, folder: Path | None) -> None:
    """Write what was read, and read it again."""
    is_copied, copy = case.attempt(
        f"networkx copy of {what}", lambda: KnowledgeGraph.from_networkx(graph.to_networkx())
    )
    if is_copied and copy != graph:
        case.wrong(f"another graph from the networkx copy of {what}")
    if folder is None:
        return

    def again() -> Any:
        graph.to_jsonl(folder / "copy.jsonl")
        return KnowledgeGraph.from_jsonl(folder / "copy.jsonl")

    is_read, copy = case.attempt(f"JSON lines of {what}", again)
    if is_read and copy != graph:
        case.wrong(f"another graph from the JSON lines of {what}")
